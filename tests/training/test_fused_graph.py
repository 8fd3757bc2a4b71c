"""A fused graph beside the views': methods learn of it from the graph they are fitted on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.graph import build_graph
from mvgraph.graph.propagation import Propagation
from mvgraph.training import fit, load_checkpoint, save_checkpoint
from mvgraph.training.loop import predict

TRAINING = {"epochs": 4, "evaluate_every": 2, "lr": 1e-2}
METHODS: list[tuple[str, dict[str, Any]]] = [
    ("dm-gcn", {}),
    ("at-gcn", {}),
    ("mean-gcn", {}),
    ("sign", {}),
    ("pyg:GCNConv", {"fusion": "concat"}),
    ("single-gcn:snf", {}),
    ("label-spreading", {}),
]


@pytest.fixture(scope="module")
def data() -> MultiViewData:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    views = {name: rng.normal(size=(60, d)) + 2 * labels[:, None] for name, d in (("a", 3), ("z", 4))}
    return MultiViewData.from_arrays(views, labels)


@pytest.fixture(scope="module")
def split() -> Split:
    order = np.random.default_rng(1).permutation(60)
    return Split(order[:24], order[24:36], order[36:])


@pytest.mark.parametrize(("method", "options"), METHODS, ids=lambda value: str(value))
def test_every_graph_method_takes_it(
    method: str, options: dict[str, Any], data: MultiViewData, split: Split, tmp_path: Path
) -> None:
    plain, beside = build_graph(data, k=4), build_graph(data, k=4, fused="snf")
    if ":snf" not in method:
        without = fit(method, data, split, plain, options=options, training=TRAINING)
        assert without.options.get("graph_views") is None
    result = fit(method, data, split, beside, options=options, training=TRAINING)
    found = result.probabilities()
    if ":snf" not in method:
        assert not np.array_equal(found, without.probabilities())
    if "graph_views" in result.options:
        assert result.options["graph_views"] == ("a", "snf", "z")
    if not isinstance(result.model, torch.nn.Module):
        return
    save_checkpoint(result, tmp_path / "model")
    model, _ = load_checkpoint(tmp_path / "model")
    features = {name: torch.tensor(data.views[name]) for name in data.view_names}
    again = predict(model, Propagation(model.prepare(beside), features)).numpy()
    np.testing.assert_allclose(again, found, atol=1e-6)


def test_view_weights_are_named_after_the_graphs(data: MultiViewData, split: Split) -> None:
    graph = build_graph(data, k=4, fused="snf")
    result = fit("dm-gcn", data, split, graph, training=TRAINING)
    assert all(list(layer) == ["a", "snf", "z"] for layer in result.diagnostics["theta"])
    assert "theta/1/snf" in result.curves
    plain = fit("dm-gcn", data, split, build_graph(data, k=4), training=TRAINING)
    assert result.parameters == plain.parameters + 2
    shares = fit("at-gcn", data, split, graph, training=TRAINING).diagnostics["attention"]
    assert list(shares) == ["a", "snf", "z", "common"]


def test_a_view_of_that_name_is_in_the_way(data: MultiViewData) -> None:
    views = {"snf": data.views["a"], "z": data.views["z"]}
    with pytest.raises(UserError, match="has a view 'snf' already"):
        build_graph(views, k=4, fused="snf")
    with pytest.raises(UserError, match="there is no view 'snf'; the views are a, z"):
        fit("single-gcn:snf", data, Split([0, 1], [], [2]), build_graph(data, k=4))
