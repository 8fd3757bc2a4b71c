"""To PyG and back, and GCNConv on our edges against our Laplacian."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch

from mvgraph.data import MultiViewData
from mvgraph.errors import UserError
from mvgraph.graph import MultiViewGraph, build_graph, from_pyg, to_pyg

pytest.importorskip("torch_geometric")

N = 30


def data() -> MultiViewData:
    rng = np.random.default_rng(0)
    observed = np.ones((N, 2), dtype=bool)
    observed[3:6, 1] = False
    labels = np.arange(N) % 3
    labels[::4] = -1
    named = {"audio": rng.normal(size=(N, 4)), "visual clip": rng.normal(size=(N, 7))}
    return MultiViewData.from_arrays(named, labels, observed=observed)


@pytest.mark.parametrize("symmetrise", ["max", "directed"])
def test_round_trip_is_exact(symmetrise: Any) -> None:
    given = data()
    graph = build_graph(given, k={"audio": 3, "visual clip": 5}, symmetrise=symmetrise)
    hetero = to_pyg(graph, given)
    assert hetero.validate()
    assert hetero["sample"].num_nodes == N
    assert hetero["sample"].y.tolist() == given.labels.tolist()
    back, features = from_pyg(hetero)
    assert back.hash == graph.hash
    assert back.settings == graph.settings
    assert back.mean_distances == graph.mean_distances
    assert features is not None
    assert list(features) == ["audio", "visual clip"]
    for view in given.views:
        assert np.array_equal(features[view].numpy(), given.views[view])
    assert hetero["sample"]["observed_visual clip"].tolist() == given.observed[:, 1].tolist()
    assert "observed_audio" not in hetero["sample"]


def test_without_data_there_are_no_features() -> None:
    graph = build_graph(data(), k=3)
    back, features = from_pyg(to_pyg(graph))
    assert features is None
    assert back.hash == graph.hash


@pytest.mark.parametrize("symmetrise", ["max", "mean", "directed"])
def test_gcn_conv_on_our_edges_is_our_laplacian(symmetrise: Any) -> None:
    """The normalisation of GCNConv (A + I, degrees of the targets) is that of Eq. 2."""
    from torch_geometric.nn import GCNConv

    given = data()
    graph = build_graph(given, k=4, symmetrise=symmetrise)
    hetero = to_pyg(graph, given)
    for view in graph.view_names:
        x = hetero["sample"][f"x_{view}"]
        store = hetero["sample", view, "sample"]
        conv = GCNConv(x.shape[1], 5)
        expected = conv(x, store.edge_index, store.edge_weight)
        found = graph.laplacian(view).matmul(x @ conv.lin.weight.T) + conv.bias
        torch.testing.assert_close(found, expected)


def hetero(**edge: Any) -> Any:
    from torch_geometric.data import HeteroData

    made = HeteroData()
    made["paper"].num_nodes = 3
    made["paper", "cites", "paper"].edge_index = torch.tensor([[2, 0], [0, 1]])
    for key, value in edge.items():
        made["paper", "cites", "paper"][key] = value
    return made


def test_a_foreign_graph_is_read() -> None:
    graph, features = from_pyg(hetero())
    assert isinstance(graph, MultiViewGraph)
    assert features is None
    assert graph.settings is None
    assert graph["cites"].to_dense().tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]
    weighted, _ = from_pyg(hetero(edge_attr=torch.tensor([[0.5], [2.0]])))
    assert weighted["cites"].to_dense().tolist() == [[0, 0, 0.5], [2, 0, 0], [0, 0, 0]]
    one = hetero()
    one["paper"].x = torch.ones(3, 2)
    assert list(from_pyg(one)[1] or {}) == ["cites"]


def test_what_cannot_be_read_is_named() -> None:
    with pytest.raises(UserError, match="'cites' holds self loops"):
        from_pyg(hetero(edge_index=torch.tensor([[1], [1]])))
    with pytest.raises(UserError, match=r"2 edges, but weights of shape \(3,\)"):
        from_pyg(hetero(edge_weight=torch.ones(3)))
    with pytest.raises(UserError, match="more than once"):
        from_pyg(hetero(edge_index=torch.tensor([[1, 1], [0, 0]])))
    two = hetero()
    two["author"].num_nodes = 2
    with pytest.raises(UserError, match="one node type"):
        from_pyg(two)
    twice = hetero()
    twice["paper", "cites", "paper"].edge_index = torch.zeros(2, 0, dtype=torch.int64)
    del twice["paper", "cites", "paper"]
    with pytest.raises(UserError, match="no edge type"):
        from_pyg(twice)


def test_another_number_of_samples_is_refused() -> None:
    graph = build_graph({"a": torch.randn(9, 2)}, k=2)
    with pytest.raises(UserError, match="data has 30 samples, but the graph has 9"):
        to_pyg(graph, data())


def test_missing_torch_geometric_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = build_graph({"a": torch.randn(9, 2)}, k=2)
    monkeypatch.setitem(sys.modules, "torch_geometric.data", None)
    with pytest.raises(UserError, match="needs torch_geometric"):
        to_pyg(graph)
