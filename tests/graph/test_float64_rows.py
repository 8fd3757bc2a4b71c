"""Rows that float32 cannot hold: neighbours, mean distance and weights against long double."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.graph import MultiViewGraph, build_graph, knn
from mvgraph.graph.rows import as_rows, within_float32

N, K = 90, 10
OFFSETS = (0.0, 1e6, 1e7, 1e8)


def rows(seed: int = 0, n: int = N, width: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width))


def distances(x: np.ndarray) -> np.ndarray:
    """All distances in long double, infinite on the diagonal. Shapes: (N, N)."""
    wide = x.astype(np.longdouble)
    found = np.sqrt(((wide[:, None] - wide[None]) ** 2).sum(axis=2))
    np.fill_diagonal(found, np.inf)
    return found


def reference(x: np.ndarray) -> tuple[np.ndarray, float]:
    """The K nearest, (N, K) ascending by row number, and the mean distance."""
    all_pairs = distances(x)
    nearest = np.argsort(all_pairs, axis=1, kind="stable")[:, :K]
    return np.sort(nearest, axis=1), float(all_pairs[np.isfinite(all_pairs)].mean())


def neighbours(graph: MultiViewGraph, view: str = "a") -> np.ndarray:
    a = graph[view]
    assert (a.indptr.diff() == K).all()
    return a.indices.view(-1, K).numpy()


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("given_as", ["array", "tensor", "read-only"])
def test_the_ten_nearest_at_any_offset(offset: float, given_as: str) -> None:
    x = rows() + offset
    if given_as == "read-only":
        x.setflags(write=False)
    wanted, mean = reference(x)
    graph = build_graph({"a": torch.tensor(x) if given_as == "tensor" else x}, K, symmetrise="directed")
    np.testing.assert_array_equal(neighbours(graph), wanted)
    assert graph.mean_distances["a"] == pytest.approx(mean, rel=1e-6)
    found = knn(x, K)
    np.testing.assert_array_equal(found.indices.sort(dim=1).values.numpy(), wanted)
    assert found.distances.dtype == torch.float32


@pytest.mark.parametrize("kernel", ["exp", "self-tuning", "cosine"])
@pytest.mark.parametrize("size", [1e-310, 1e-300, 1e-45, 1e37, 1e39, 1e200, 1e308])
def test_weights_are_blind_to_a_factor_beyond_float32(kernel: str, size: float) -> None:
    x = np.tanh(rows())
    small = build_graph({"a": x}, K, kernel)  # type: ignore[arg-type]
    found = build_graph({"a": x * size}, K, kernel)  # type: ignore[arg-type]
    assert torch.equal(found["a"].indices, small["a"].indices)
    torch.testing.assert_close(found["a"].values, small["a"].values, rtol=1e-5, atol=1e-6)
    factor = 1.0 if kernel == "cosine" else size
    # 1e308 times a distance is beyond float64 too.
    if factor < 1e308:
        assert found.mean_distances["a"] == pytest.approx(small.mean_distances["a"] * factor, rel=1e-5)


def test_distances_beyond_float32_are_told_in_float64() -> None:
    x = rows() * 1e200
    found = knn(x, K)
    wanted = np.sort(distances(x), axis=1)[:, :K]
    assert found.distances.dtype == torch.float64
    np.testing.assert_allclose(found.distances.numpy(), wanted.astype(np.float64), rtol=1e-6)


def test_one_far_row_leaves_the_others_their_neighbours() -> None:
    x = rows()
    x[7] = 1e39
    wanted, _ = reference(x)
    found = neighbours(build_graph({"a": x}, K, symmetrise="directed"))
    others = np.arange(N) != 7
    np.testing.assert_array_equal(found[others], wanted[others])


def test_integers_that_float32_would_merge() -> None:
    x = 2**24 + np.random.default_rng(0).permutation(N)[:, None]
    wanted, mean = reference(x)
    # Equal distances on both sides: compare distances, not rows.
    found = knn(x, K)
    near = np.take_along_axis(distances(x), found.indices.numpy(), axis=1).astype(np.float64)
    np.testing.assert_array_equal(near, np.sort(distances(x), axis=1)[:, :K].astype(np.float64))
    assert found.mean_distance == pytest.approx(mean, rel=1e-6)
    assert wanted.shape == (N, K)


def test_rows_without_the_view_do_not_decide() -> None:
    from mvgraph.data import MultiViewData

    seen = np.arange(N) < 30
    x = np.where(seen[:, None], rows() + 1e8, 0.0)
    data = MultiViewData.from_arrays({"a": x, "b": rows(1)}, np.arange(N) % 3, observed={"a": seen})
    graph = build_graph(data, K, symmetrise="directed")
    a = graph["a"]
    wanted, mean = reference(x[:30])
    np.testing.assert_array_equal(a.indices.view(-1, K).numpy(), wanted)
    assert (a.indptr.diff()[30:] == 0).all()
    assert graph.mean_distances["a"] == pytest.approx(mean, rel=1e-6)


@given(
    seed=st.integers(0, 2**16),
    offset=st.just(0.0) | st.floats(1e6, 1e9) | st.floats(-1e9, -1e6),
    power=st.integers(-900, 900),
    width=st.integers(1, 4),
)
@settings(max_examples=30, deadline=None)
def test_graphs_are_blind_to_translations(seed: int, offset: float, power: int, width: int) -> None:
    """Of numbers on a grid of 2^-20, which no offset up to 1e9 rounds, and times any power of two."""
    x = np.round(rows(seed, 40, width) * 2**20) / 2**20
    shift = np.round(offset)
    a = build_graph({"a": x}, 5)
    b = build_graph({"a": (x + shift) * 2.0**power}, 5)
    assert torch.equal(a["a"].indptr, b["a"].indptr)
    assert torch.equal(a["a"].indices, b["a"].indices)
    torch.testing.assert_close(a["a"].values, b["a"].values, rtol=1e-5, atol=1e-7)
    assert b.mean_distances["a"] == pytest.approx(a.mean_distances["a"] * 2.0**power, rel=1e-5)


def test_float32_rows_and_what_float32_holds_stay_as_they_are() -> None:
    x = rows().astype(np.float32)
    assert as_rows(x).dtype == torch.float32
    assert as_rows(x.astype(np.float64)).dtype == torch.float32
    assert as_rows(torch.arange(12).view(4, 3)).dtype == torch.float32
    assert as_rows(rows() + 1e8).dtype == torch.float64
    assert within_float32(torch.tensor(x))[1] == 1.0
    a, b = build_graph({"a": x}, K), build_graph({"a": x.astype(np.float64)}, K)
    assert torch.equal(a["a"].values, b["a"].values)
    assert a.mean_distances == b.mean_distances


def test_cached_graphs_are_told_apart(tmp_path: Path) -> None:
    x = rows() + 1e8
    first = build_graph({"a": x}, K, cache=tmp_path)
    again = build_graph({"a": x}, K, cache=tmp_path)
    moved = x.copy()
    moved[0, 0] += 0.5
    other = build_graph({"a": moved}, K, cache=tmp_path)
    assert torch.equal(first["a"].values, again["a"].values)
    assert first["a"].values.shape != other["a"].values.shape or not torch.equal(
        first["a"].values, other["a"].values
    )
    assert len(list(tmp_path.glob("??/*/graph.json"))) == 2
