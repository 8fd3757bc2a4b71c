"""What the MLflow mirror costs a run of short cells: at most 3 % of their time or 10 ms a cell is the aim."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvgraph.bench import Ledger, run_suite
from mvgraph.bench.watch import Watch
from mvgraph.data import Card, MultiViewData, write_h5mu
from mvgraph.tracking.template import Template

SPLITS = 25


def short_suite(folder: Path) -> dict[str, Any]:
    """150 cells of milliseconds: three methods, 25 splits, two seeds of 200 rows in three views."""
    random = np.random.default_rng(0)
    labels = np.arange(200) % 4
    centres = 2 * random.normal(size=(4, 6))
    views = {view: centres[labels] + random.normal(size=(200, 6)) for view in ("a", "b", "c")}
    write_h5mu(MultiViewData.from_arrays(views, labels, card=Card(name="short")), folder / "short.h5mu")
    return {
        "name": "short",
        "datasets": [str(folder / "short.h5mu")],
        "methods": [
            "label-spreading",
            "single-gcn:a",
            {"method": "mean-gcn", "training": {"epochs": 20, "evaluate_every": 2}},
        ],
        "splits": {"rate": 0.2, "validation": 0.3, "n": SPLITS},
        "seeds": [0, 1],
        "training": {"epochs": 20, "evaluate_every": 20},
        "graph": {"k": 5},
    }


def test_the_mirror_costs_little_beside_the_cells(
    tmp_path: Path, benchmark: Any, note: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds inside the mirror, of a run that is mirrored while it runs; MLflow's empty database is in the cache."""
    template = Template()
    template.wait()
    template.close()
    suite = short_suite(tmp_path)
    spent = [0.0]

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            begun = time.perf_counter()
            try:
                return call(*given)
            finally:
                spent[0] += time.perf_counter() - begun

        return run

    for name in ("begin", "look", "close"):
        monkeypatch.setattr(Watch, name, timed(getattr(Watch, name)))
    summary = benchmark.pedantic(
        lambda: run_suite(suite, tmp_path / "run", progress="none"), rounds=1, iterations=1
    )
    assert summary.notes == []
    with Ledger(tmp_path / "run" / "ledger.sqlite") as ledger:
        own = sum(record["seconds"]["cell"] for record in ledger.records())
    note(
        "MLflow mirror of 150 short cells",
        "mvgraph",
        cells=summary.ran,
        share=spent[0] / own,
        ms_a_cell=1000 * spent[0] / summary.ran,
        floor_seconds=own,
        floor_of="the seconds of the cells themselves in the same run",
    )
    print(
        f"\n{summary.ran} cells of {1000 * own / summary.ran:.1f} ms: the mirror took "
        f"{1000 * spent[0] / summary.ran:.1f} ms a cell, {100 * spent[0] / own:.1f} % of their time."
    )
