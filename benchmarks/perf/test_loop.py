"""The training loop's own cost, and a whole fit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from floors import epoch_floor, search_floor
from test_epoch import as_fitted, our_epoch
from workload import Scale, Workload

import mvgraph as mv
from mvgraph.training.memory import kept_memory

Note = Callable[..., None]


def test_loop_overhead_on_mfeat(benchmark: Any, note: Note, scale: Scale, rates: dict[str, float]) -> None:
    """`mv.fit` for 100 epochs against the bare step called 100 times: what bookkeeping costs on 2000 nodes."""
    data = mv.scale_views(mv.load("mfeat"), "zscore")
    split = mv.make_splits(data, "label-rate", rate=0.1)[0]
    graph = mv.build_graph(data, k=10)
    epochs = 100 if scale.name == "paper" else 5
    widths = tuple((view, rows.shape[1]) for view, rows in data.views.items())
    work = Workload(Scale("mfeat", 2000, len(split.train), 10, widths), data, split, graph)
    epoch, field, _ = our_epoch("dm-gcn", work)
    epoch()
    bare, fitted = [], []
    for _ in range(3):
        with kept_memory():  # as in a fit
            start = time.perf_counter()
            for _ in range(epochs):
                epoch()
            bare.append(time.perf_counter() - start)
        result = mv.fit("dm-gcn", data, split, graph, training={"epochs": epochs, "evaluate_every": epochs})
        fitted.append(result.seconds["training"])
    note(
        "training loop on mfeat",
        "mvgraph",
        bare_seconds=min(bare),
        loop_seconds=min(fitted),
        overhead=min(fitted) / min(bare) - 1.0,
        epochs=epochs,
        **epoch_floor("dm-gcn", field, work).note(rates),
    )
    benchmark.pedantic(epoch, rounds=5)


def test_whole_fit(
    benchmark: Any, note: Note, workload: Workload, scale: Scale, rates: dict[str, float]
) -> None:
    """500 epochs of DM-GCN with graph construction and inference on all rows."""
    epochs = 500 if scale.name == "paper" else 5
    fitted = as_fitted(workload)
    _, field, _ = our_epoch("dm-gcn", fitted)
    searches = (search_floor(scale.nodes, width) for _, width in scale.widths)
    floor = sum(searches, epoch_floor("dm-gcn", field, fitted).times(epochs))
    note(f"whole DM-GCN fit, {epochs} epochs", "mvgraph", epochs=epochs, **rates, **floor.note(rates))

    def whole() -> Any:
        graph = mv.build_graph(workload.data, k=scale.k)
        return mv.fit(
            "dm-gcn", workload.data, workload.split, graph, training={"epochs": epochs, "evaluate_every": 50}
        )

    result = benchmark.pedantic(whole, rounds=1)
    rows = np.array(workload.split.test)
    assert result.accuracy(workload.data.labels, rows) > 0.5
    assert torch.get_num_threads() >= 1
