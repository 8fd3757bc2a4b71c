"""Attaching new rows: neighbours and weights against loops, and nothing changes for the rows of the fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from clouds import WIDTHS, clouds, mask
from hypothesis import given
from hypothesis import strategies as st

from mvgraph.errors import UserError
from mvgraph.graph import CSR, MultiViewGraph, build_graph
from mvgraph.graph.extend import append_nodes
from mvgraph.serving import attach
from mvgraph.serving.attach import AttachableGraph, nearest


def nearest_by_loops(reference: np.ndarray, query: np.ndarray, k: int) -> list[tuple[np.float32, int]]:
    wide = query.astype(np.float64)
    distances = [np.float32(np.linalg.norm(row.astype(np.float64) - wide)) for row in reference]
    return sorted((d, j) for j, d in enumerate(distances))[:k]


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 40),
    m=st.integers(1, 6),
    d=st.integers(1, 4),
    k=st.integers(1, 40),
    steps=st.sampled_from([2, 5, 1000]),
)
def test_nearest_is_exact_also_among_ties(seed: int, n: int, m: int, d: int, k: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    k = min(k, n)
    reference = (rng.integers(0, steps, (n, d)) / 3).astype(np.float32)
    queries = (rng.integers(0, steps, (m, d)) / 3).astype(np.float32)
    indices, distances = nearest(torch.tensor(reference), torch.tensor(queries), k)
    for i in range(m):
        expected = nearest_by_loops(reference, queries[i], k)
        assert indices[i].tolist() == [j for _, j in expected]
        np.testing.assert_allclose(distances[i].numpy(), [x for x, _ in expected], rtol=1e-6)


def test_far_from_the_origin_and_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    reference = (1e4 + rng.normal(size=(300, 5))).astype(np.float32)
    queries = (1e4 + rng.normal(size=(20, 5))).astype(np.float32)
    whole = nearest(torch.tensor(reference), torch.tensor(queries), 12)
    for i in range(20):
        assert whole[0][i].tolist() == [j for _, j in nearest_by_loops(reference, queries[i], 12)]
        alone = nearest(torch.tensor(reference), torch.tensor(queries[i : i + 1]), 12)
        assert torch.equal(alone[0][0], whole[0][i])
        assert torch.equal(alone[1][0], whole[1][i])
    monkeypatch.setattr(attach, "BLOCK", 700)
    blocks = nearest(torch.tensor(reference), torch.tensor(queries), 12)
    assert torch.equal(blocks[0], whole[0])
    assert torch.equal(blocks[1], whole[1])


def weight_by_hand(
    kernel: str, x: np.ndarray, row: np.ndarray, k: int, at: int | None, power: str
) -> dict[int, float]:
    """Edges of one new row: neighbour -> weight, from the definition of each kernel."""
    wide, new = x.astype(np.float64), row.astype(np.float64)
    if kernel == "cosine":
        wide = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        new = new / np.linalg.norm(new)
        cosine = wide @ new
        return {int(j): max(0.0, float(cosine[j])) for j in np.argsort(-cosine)[:k]}
    distance = np.linalg.norm(wide - new, axis=1)
    near = np.argsort(distance)[:k]
    pairs = np.linalg.norm(wide[:, None] - wide[None], axis=2)
    n = len(wide)
    if kernel == "exp":
        mu = pairs.sum() / (n * (n - 1)) if power == "pairs" else np.sort(pairs, axis=1)[:, 1 : k + 1].mean()
        return {int(j): float(np.exp(-distance[j] / mu)) for j in near}
    scale = np.sort(pairs, axis=1)[:, at or k]
    own = np.sort(distance)[(at or k) - 1]
    return {int(j): float(np.exp(-(distance[j] ** 2) / (own * scale[j]))) for j in near}


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel": "exp"},
        {"kernel": "exp", "symmetrise": "directed", "mean_distance": "neighbours"},
        {"kernel": "cosine"},
        {"kernel": "self-tuning"},
        {"kernel": "self-tuning", "scale_neighbour": 2},
    ],
)
def test_edges_of_new_rows(settings: dict[str, Any], missing: bool) -> None:
    n, m, k = 40, 5, 4
    names = sorted(WIDTHS)
    old = {name: x.astype(np.float32) for name, x in clouds(n)[0].items()}
    new = {name: x.astype(np.float32) for name, x in clouds(m, seed=5)[0].items()}
    seen = mask(n, 3) if missing else np.ones((n, 3), dtype=bool)
    asked = mask(m, 4) if missing else np.ones((m, 3), dtype=bool)

    class Data:
        views, observed = {name: old[name] for name in names}, seen

    graph = build_graph(Data(), k=k, **settings)
    attachable = AttachableGraph(graph, old, seen).measure()
    grown = attachable.extended(new, asked)
    for v, name in enumerate(names):
        kept = np.flatnonzero(seen[:, v])
        dense = grown[name].to_dense().double().numpy()
        expected = np.zeros((n + m, n + m))
        expected[:n, :n] = graph[name].to_dense().double().numpy()
        for i in np.flatnonzero(asked[:, v]):
            found = weight_by_hand(
                settings["kernel"],
                old[name][kept],
                new[name][i],
                k,
                settings.get("scale_neighbour"),
                settings.get("mean_distance", "pairs"),
            )
            for j, weight in found.items():
                expected[n + i, kept[j]] = weight
        np.testing.assert_allclose(dense, expected, rtol=2e-5, atol=1e-6)
        laplacian = grown.laplacian(name).to_dense()
        assert torch.equal(laplacian[:n, :n], graph.laplacian(name).to_dense())
        assert not laplacian[:n, n:].any()
        assert torch.equal(laplacian[n:, n:], torch.diag(laplacian[n:, n:].diagonal()))


def test_one_row_at_a_time_gets_the_edges_of_the_batch() -> None:
    old = {name: x.astype(np.float32) for name, x in clouds(40)[0].items()}
    new = {name: x.astype(np.float32) for name, x in clouds(6, seed=5)[0].items()}
    seen, asked = np.ones((40, 3), dtype=bool), mask(6, 4)
    attachable = AttachableGraph(build_graph(old, k=4, fused="snf"), old, seen)
    batch = attachable.extended(new, asked)
    for i in range(6):
        alone = attachable.extended({n: x[i : i + 1] for n, x in new.items()}, asked[i : i + 1])
        for name in batch.view_names:
            assert torch.equal(alone[name].to_dense()[40], batch[name].to_dense()[40 + i, :41])


def test_duplicates_of_a_single_value() -> None:
    """mu and every scale are 0 where all rows are equal; the weight of a duplicate is 1."""
    old = {"a": np.ones((6, 2), dtype=np.float32)}
    for kernel in ("exp", "self-tuning"):
        graph = build_graph(old, k=2, kernel=kernel)  # type: ignore[arg-type]
        attachable = AttachableGraph(graph, old, np.ones((6, 1), dtype=bool)).measure()
        edges = attachable.edges("a", np.ones((1, 2), dtype=np.float32), np.ones(1, dtype=bool))
        assert edges.to_dense()[0].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_append_nodes_wants_edges_to_its_nodes() -> None:
    with pytest.raises(UserError, match="lead to 4 nodes, but the graph has 3"):
        append_nodes(CSR.empty(3, 3), CSR.empty(1, 4))


def test_state_comes_back_and_nonsense_does_not() -> None:
    old = {name: x.astype(np.float32) for name, x in clouds(30)[0].items()}
    seen = mask(30, 2)
    attachable = AttachableGraph(build_graph({n: x[seen[:, 0]] for n, x in old.items()}, k=3), old, seen)
    tensors, described = attachable.state()
    kept = int(seen[:, 0].sum())
    again = AttachableGraph.from_state(tensors, described, old, np.ones((kept, 3), dtype=bool))
    assert again.graph.hash == attachable.graph.hash
    assert again.settings == attachable.settings
    broken = {**tensors, "adjacency/text/indices": tensors["adjacency/text/indices"] + 40}
    with pytest.raises(UserError, match="does not describe edges between"):
        AttachableGraph.from_state(broken, described, old, np.ones((kept, 3), dtype=bool))


def test_a_graph_of_the_fit_is_never_changed() -> None:
    old = {name: x.astype(np.float32) for name, x in clouds(30)[0].items()}
    graph: MultiViewGraph = build_graph(old, k=3)
    before = graph.hash
    AttachableGraph(graph, old, np.ones((30, 3), dtype=bool)).extended(old, np.ones((30, 3), dtype=bool))
    assert graph.hash == before
