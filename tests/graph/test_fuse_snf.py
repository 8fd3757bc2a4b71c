"""Similarity network fusion against the paper's iteration written out in dense float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mvgraph.errors import UserError
from mvgraph.graph import CSR, MultiViewGraph, build_graph
from mvgraph.graph.snf import extend_fused, fuse_snf, strongest_entries


def views(n: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(4, 6)) * 2
    labels = np.arange(n) % 4
    return {
        name: (centres[labels][:, :d] + rng.normal(size=(n, d))).astype(np.float32)
        for name, d in (("a", 3), ("b", 6), ("c", 4))
    }


def dense_local(a: np.ndarray, k: int) -> np.ndarray:
    s = np.zeros_like(a)
    for i, row in enumerate(a):
        strongest = sorted((j for j in range(len(row)) if row[j] > 0), key=lambda j: (-row[j], j))[:k]
        if not strongest:
            s[i, i] = 1.0
        for j in strongest:
            s[i, j] = row[j] / sum(row[m] for m in strongest)
    return s


def dense_normalised(p: np.ndarray) -> np.ndarray:
    p = p.copy()
    for i in range(len(p)):
        p[i, i] = 0.0
        total = p[i].sum()
        p[i] = p[i] / (2 * total) if total > 0 else 0.0
        p[i, i] = 0.5
    return (p + p.T) / 2


def dense_fusion(adjacency: list[np.ndarray], local: int, steps: int) -> np.ndarray:
    """Equations of Wang et al. 2014 one by one; returns the mean F."""
    s = [dense_local(a, local) for a in adjacency]
    p = [dense_normalised(a) for a in adjacency]
    for _ in range(steps):
        others = [[p[w] for w in range(len(p)) if w != v] or [p[v]] for v in range(len(p))]
        p = [dense_normalised(s[v] @ (sum(o) / len(o)) @ s[v].T) for v, o in enumerate(others)]
    return sum(p) / len(p)


def dense_kept(f: np.ndarray, k: int) -> np.ndarray:
    f = f.copy()
    np.fill_diagonal(f, 0.0)
    highest = f.max(axis=1)
    highest[highest == 0] = 1.0
    w = f / np.sqrt(highest[:, None] * highest)
    kept = np.zeros_like(w)
    for i, row in enumerate(w):
        for j in np.argsort(-row)[:k]:
            kept[i, j] = row[j]
    return np.maximum(kept, kept.T)


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
@pytest.mark.parametrize("kernel", ["exp", "self-tuning"])
def test_equal_to_the_dense_iteration(names: tuple[str, ...], kernel: str) -> None:
    graph = build_graph({name: views()[name] for name in names}, k=5, kernel=kernel)  # type: ignore[arg-type]
    fused = fuse_snf(graph, k=7, steps=6, tolerance=0.0)
    adjacency = [graph[name].to_dense().double().numpy() for name in graph.view_names]
    expected = dense_kept(dense_fusion(adjacency, local=5, steps=6), 7)
    np.testing.assert_allclose(fused.to_dense().numpy(), expected, rtol=2e-5, atol=1e-6)


def test_the_result_is_an_adjacency_of_a_view() -> None:
    graph = build_graph(views(), k=5)
    fused = fuse_snf(graph, k=6)
    dense = fused.to_dense()
    assert torch.equal(dense, dense.T)
    assert fused.adjacency_fault is None
    assert 0 < float(fused.values.min()) <= float(fused.values.max()) <= 1.0
    assert int(fused.counts().min()) >= 6
    wider = graph.add_view("snf", fused)
    assert wider.view_names == ("a", "b", "c", "snf")


def test_where_the_iteration_starts_is_forgotten() -> None:
    """Why the kNN weights may stand for the dense affinities of the paper."""
    x = views(60)
    rows = [x[name].astype(np.float64) for name in ("a", "b")]
    affinities = []
    for view in rows:
        distance = np.linalg.norm(view[:, None] - view[None], axis=2)
        mu = distance.sum() / (len(view) * (len(view) - 1))
        affinities.append(np.exp(-distance / mu) * (1 - np.eye(len(view))))
    from_dense = dense_kept(dense_fusion(affinities, local=6, steps=20), 10)
    graph = build_graph({"a": x["a"], "b": x["b"]}, k=6)
    from_sparse = fuse_snf(graph, k=10, tolerance=0.0).to_dense().numpy()
    np.testing.assert_allclose(from_sparse, from_dense, atol=1e-4)


def test_agreement_beats_a_noisy_view() -> None:
    """Edges of the fusion join rows of one class more often than those of either view do."""
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 40)
    x = {
        name: (labels[:, None] * shift + rng.normal(size=(80, 4))).astype(np.float32)
        for name, shift in (("a", 1.0), ("b", 1.0))
    }
    graph = build_graph(x, k=8, kernel="self-tuning")

    def purity(a: CSR) -> float:
        return float((labels[a.rows().numpy()] == labels[a.indices.numpy()]).mean())

    assert purity(fuse_snf(graph, k=8)) > max(purity(graph["a"]), purity(graph["b"]))


def test_nodes_without_edges_in_a_view_follow_the_others() -> None:
    x = views()
    a = build_graph({"a": x["a"]}, k=5)["a"]
    gone = 3
    kept = (a.rows() != gone) & (a.indices != gone)
    lacking = CSR.from_edges(a.rows()[kept], a.indices[kept], a.values[kept], a.shape)
    b = build_graph({"b": x["b"]}, k=5)["b"]
    fused = fuse_snf(MultiViewGraph({"a": lacking, "b": b}), k=5, local=5, steps=8, tolerance=0.0)
    expected = dense_kept(
        dense_fusion([m.to_dense().double().numpy() for m in (lacking, b)], local=5, steps=8), 5
    )
    np.testing.assert_allclose(fused.to_dense().numpy(), expected, rtol=2e-5, atol=1e-6)
    assert int(fused.counts()[gone]) >= 5
    nowhere = MultiViewGraph({"a": lacking, "b": lacking})
    assert int(fuse_snf(nowhere, k=5, local=5).counts()[gone]) == 0


def test_strongest_entries_take_the_smaller_column_of_equal_ones() -> None:
    matrix = torch.tensor([[0.0, 2, 1, 2, 2], [0, 0, 0, 0, 0], [3, 1, 0, 2, 0.5]])
    a = CSR.from_edges(*matrix.nonzero().T, matrix[matrix != 0], (3, 5))
    expected = torch.tensor([[0.0, 2, 0, 2, 0], [0, 0, 0, 0, 0], [3, 0, 0, 2, 0]])
    assert torch.equal(strongest_entries(a, 2).to_dense(), expected)
    assert torch.equal(strongest_entries(a, 9).to_dense(), matrix)


def test_new_rows_of_a_fused_graph() -> None:
    n, k = 40, 4
    rng = np.random.default_rng(2)
    fused = fuse_snf(build_graph(views(n), k=5), k=6)
    attached = []
    for _ in range(2):
        dense = np.where(rng.random((3, n)) < 0.15, rng.random((3, n)), 0.0)
        dense[2] = 0.0
        attached.append(dense)
    attached[1][1] = 0.0  # row 1 has edges in one view, row 2 in none
    given = [
        CSR.from_edges(*torch.from_numpy(d).nonzero().T, torch.from_numpy(d[d > 0]).float(), (3, n))
        for d in attached
    ]
    found = extend_fused(fused, given, k).to_dense().numpy()
    loops = fused.to_dense().double().numpy() + np.eye(n)
    for i in range(3):
        parts = [d[i] / d[i].sum() for d in attached if d[i].sum() > 0]
        expected = np.zeros(n)
        if parts:
            reached = np.mean(parts, axis=0) @ loops
            for j in np.argsort(-reached, kind="stable")[:k]:
                expected[j] = reached[j] / reached.max()
        np.testing.assert_allclose(found[i], expected, rtol=1e-5, atol=1e-7)
    one_by_one = [
        extend_fused(fused, [restricted(d, i) for d in attached], k).to_dense()[0] for i in range(3)
    ]
    np.testing.assert_allclose(found, torch.stack(one_by_one).numpy(), rtol=1e-6)


def restricted(dense: np.ndarray, row: int) -> CSR:
    part = torch.from_numpy(dense[row : row + 1])
    return CSR.from_edges(*part.nonzero().T, part[part > 0].float(), (1, dense.shape[1]))


def test_mistakes_are_named_before_memory_is_taken() -> None:
    graph = build_graph(views(), k=5)
    with pytest.raises(UserError, match="k must be a whole number of at least 1, not 0"):
        fuse_snf(graph, k=0)
    with pytest.raises(UserError, match="local must be a whole number"):
        fuse_snf(graph, local=0)
    empty = CSR.empty(200_000, 200_000)
    with pytest.raises(UserError, match="2 views over 200000 nodes takes dense N x N tables, about 106"):
        fuse_snf(MultiViewGraph({"a": empty, "b": empty}))


def test_a_graph_may_be_built_with_its_fusion() -> None:
    plain, beside = build_graph(views(), k=5), build_graph(views(), k=5, fused="snf")
    assert beside.view_names == ("a", "b", "c", "snf")
    assert torch.equal(beside["snf"].to_dense(), fuse_snf(plain).to_dense())
    assert all(torch.equal(beside[name].to_dense(), plain[name].to_dense()) for name in plain.view_names)
    assert beside.settings is not None
    assert beside.settings.to_json()["fused"] == "snf"


def test_without_a_word_on_it_local_is_the_k_of_the_graph() -> None:
    graph = build_graph(views(), k=5)
    bare = MultiViewGraph(dict(graph.adjacency))
    assert torch.equal(fuse_snf(bare).to_dense(), fuse_snf(graph, local=5).to_dense())
