"""`MultiViewGraph`: frozen, views in order of name, and every derived graph what it says."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from mvgraph.errors import UserError
from mvgraph.graph import CSR, MultiViewGraph, build_graph

N = 40


@pytest.fixture
def graph() -> MultiViewGraph:
    generator = torch.Generator().manual_seed(0)
    views = {name: torch.randn(N, d, generator=generator) for name, d in (("b", 5), ("a", 3), ("c", 2))}
    return build_graph(views, k={"a": 3, "b": 5, "c": 4})


def test_names_counts_and_order(graph: MultiViewGraph) -> None:
    assert graph.view_names == ("a", "b", "c")
    assert list(graph.adjacency) == ["a", "b", "c"]
    assert (graph.n_nodes, graph.n_views) == (N, 3)
    assert graph.n_edges == {name: a.nnz for name, a in graph.adjacency.items()}
    assert "40 nodes" in repr(graph)


def test_frozen(graph: MultiViewGraph) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.settings = None  # type: ignore[misc]
    with pytest.raises(TypeError):
        graph.adjacency["a"] = CSR.eye(N)  # type: ignore[index]


def test_laplacian_is_computed_once(graph: MultiViewGraph) -> None:
    assert graph.laplacian("a") is graph.laplacian("a")


def test_mean_is_of_the_unnormalised_adjacencies(graph: MultiViewGraph) -> None:
    mean = graph.mean("all")
    expected = sum(a.to_dense().double() for a in graph.adjacency.values()) / 3
    torch.testing.assert_close(mean["all"].to_dense().double(), expected)
    assert mean.view_names == ("all",)
    assert torch.equal(graph.select("a").mean()["mean"].to_dense(), graph["a"].to_dense())


def test_select_and_add(graph: MultiViewGraph) -> None:
    some = graph.select(["c", "a"])
    assert some.view_names == ("a", "c")
    assert set(some.mean_distances) == {"a", "c"}
    more = some.add_view("bb", graph["b"])
    assert more.view_names == ("a", "bb", "c")
    with pytest.raises(UserError, match="'a' already"):
        graph.add_view("a", graph["b"])
    with pytest.raises(UserError, match="no view 'z'; it has 'a', 'b', 'c'"):
        graph.select(["z"])


def test_identity(graph: MultiViewGraph) -> None:
    identity = graph.identity()
    assert identity.view_names == graph.view_names
    assert torch.equal(identity.laplacian("b").to_dense(), torch.eye(N))


def test_shuffled_is_the_same_graph_over_other_nodes(graph: MultiViewGraph) -> None:
    shuffled = graph.shuffled(3)
    assert shuffled.hash == graph.shuffled(3).hash
    assert shuffled.hash != graph.shuffled(4).hash
    for name in graph.view_names:
        plain, mixed = graph[name].to_dense().double(), shuffled[name].to_dense().double()
        assert not torch.equal(plain, mixed)
        torch.testing.assert_close(torch.linalg.eigvalsh(plain), torch.linalg.eigvalsh(mixed))


def test_shuffling_breaks_the_agreement_between_views() -> None:
    x = torch.randn(N, 3, generator=torch.Generator().manual_seed(1))
    twins = build_graph({"a": x, "b": x.clone()}, k=4)
    shuffled = twins.shuffled(0)
    assert torch.equal(twins["a"].to_dense(), twins["b"].to_dense())
    assert not torch.equal(shuffled["a"].to_dense(), shuffled["b"].to_dense())


def test_edges_flow_from_neighbour_to_node(graph: MultiViewGraph) -> None:
    source, target = graph.edge_index("b")
    dense = graph["b"].to_dense()
    assert torch.equal(graph.edge_weight("b"), dense[target, source])
    assert source.numel() == graph.n_edges["b"]


def test_to(graph: MultiViewGraph) -> None:
    assert graph.to() is graph
    assert graph.to("cpu", torch.float32) is graph
    wide = graph.to(dtype=torch.float64)
    assert wide.dtype == torch.float64
    assert wide.settings == graph.settings
    assert wide.laplacian("a").dtype == torch.float64


def test_hash_follows_the_content(graph: MultiViewGraph) -> None:
    same = MultiViewGraph(dict(reversed(graph.adjacency.items())))
    assert same.hash == graph.hash
    assert graph.select(["a", "b"]).hash != graph.hash
    values = graph["a"].values.clone()
    values[0] += 1e-6
    other = MultiViewGraph({**graph.adjacency, "a": graph["a"].with_values(values)})
    assert other.hash != graph.hash
    renamed = MultiViewGraph({("z" if name == "c" else name): a for name, a in graph.adjacency.items()})
    assert renamed.hash != graph.hash


def test_what_is_no_graph_is_refused(graph: MultiViewGraph) -> None:
    with pytest.raises(UserError, match="at least one view"):
        MultiViewGraph({})
    with pytest.raises(UserError, match="view 'z' is 3 x 3, but must be 40 x 40"):
        MultiViewGraph({**graph.adjacency, "z": CSR.empty(3, 3)})
    with pytest.raises(UserError, match="view 'z' has a self loop"):
        MultiViewGraph({"z": CSR.eye(4)})
