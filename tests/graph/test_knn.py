"""kNN and mu against a dense float64 reference, and what must hold on any data."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mvgraph.errors import UserError
from mvgraph.graph import rows as rows_module
from mvgraph.graph import settle as settle_module
from mvgraph.graph import streaming
from mvgraph.graph.knn import knn, wide_sum
from mvgraph.graph.rows import Rows

knn_module = sys.modules["mvgraph.graph.knn"]  # the package exports the function under the same name


def dense_distances(x: torch.Tensor) -> torch.Tensor:
    """All distances in float64, pair by pair, rounded to float32 as the order of neighbours is defined."""
    x = x.double()
    return (x[:, None] - x[None]).square().sum(2).sqrt()


def reference(x: torch.Tensor, k: int) -> tuple[list[list[int]], torch.Tensor, float]:
    distance = dense_distances(x)
    n = len(x)
    rounded = distance.float()
    order = [
        sorted((j for j in range(n) if j != i), key=lambda j: (float(rounded[i, j]), j))[:k] for i in range(n)
    ]
    nearest = torch.stack([rounded[i, row] for i, row in enumerate(order)])
    return order, nearest, float(distance.sum() / (n * (n - 1)))


def check(x: torch.Tensor, k: int, **options: object) -> None:
    found = knn(x, k, **options)  # type: ignore[arg-type]
    order, nearest, mu = reference(x, k)
    assert found.indices.tolist() == order
    assert torch.equal(found.distances, nearest)
    assert found.mean_distance == pytest.approx(mu, rel=2e-6)


@pytest.mark.parametrize(("n", "d", "k"), [(2, 1, 1), (5, 3, 4), (60, 1, 7), (90, 17, 30), (120, 64, 5)])
def test_equals_dense_reference(n: int, d: int, k: int) -> None:
    check(torch.randn(n, d, generator=torch.Generator().manual_seed(n + d)), k)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
def test_a_far_offset_does_not_cancel(offset: float) -> None:
    # Without centring, squared norms of 1e10 would swallow distances of 1.
    check(torch.randn(80, 6, generator=torch.Generator().manual_seed(0)) + offset, 5)


def test_tight_clusters_far_apart_are_settled_exactly() -> None:
    # The matrix product cannot tell the members of one cluster apart; distances in difference form can.
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(4, 8, generator=generator) * 1000
    check(centres.repeat_interleave(20, 0) + 1e-2 * torch.randn(80, 8, generator=generator), 6)


def test_duplicates_are_neighbours_at_distance_zero_and_never_oneself() -> None:
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(2))
    x[7] = x[21] = x[3]
    found = knn(x, 3)
    assert found.indices[3, :2].tolist() == [7, 21]
    assert found.indices[7, :2].tolist() == [3, 21]
    assert found.distances[[3, 7, 21], :2].eq(0).all()
    assert not (found.indices == torch.arange(30)[:, None]).any()


def test_ties_go_to_the_smaller_index_even_when_many() -> None:
    x = torch.ones(200, 3)
    found = knn(x, 4)
    assert found.indices[0].tolist() == [1, 2, 3, 4]
    assert found.indices[150].tolist() == [0, 1, 2, 3]
    assert found.mean_distance == 0.0
    grid = torch.cartesian_prod(torch.arange(12.0), torch.arange(12.0))
    check(grid, 6)


def test_extreme_scales() -> None:
    x = torch.randn(50, 5, generator=torch.Generator().manual_seed(3))
    for scale in (1e-25, 1e-15, 1e15, 1e30):
        check(x * scale, 4)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(3, 40), st.integers(1, 5)),
        elements=st.one_of(st.integers(-2, 2).map(float), st.floats(-10, 10, width=32)),
    ),
    st.integers(1, 39),
)
def test_any_small_table(x: np.ndarray, k: int) -> None:
    check(torch.from_numpy(x), min(k, len(x) - 1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 50), st.integers(1, 6), st.booleans())
def test_blocks_of_any_size_give_the_same(seed: int, block: int, k: int, ties: bool) -> None:
    x = torch.randn(41, 3, generator=torch.Generator().manual_seed(seed))
    x = x.round() if ties else x
    whole, blocked = knn(x, k), knn(x, k, block_rows=block)
    assert torch.equal(whole.indices, blocked.indices)
    assert torch.equal(whole.distances, blocked.distances)
    assert whole.mean_distance == pytest.approx(blocked.mean_distance, rel=1e-6)


def test_mu_survives_many_near_duplicates() -> None:
    # Every other row is a copy of one of a few: the matrix product sees noise where the distance is 0.
    x = torch.randn(3, 50, generator=torch.Generator().manual_seed(5)).repeat_interleave(40, 0)
    check(x, 5)
    check(x, 60)


@pytest.mark.parametrize("one_dnn", [True, False])
@pytest.mark.parametrize(
    ("block", "tile", "panel"), [(7, 64, 128), (64, 64, 512), (100, 32, 64), (3, 256, 256)]
)
def test_many_tiles_and_panels(
    monkeypatch: pytest.MonkeyPatch, block: int, tile: int, panel: int, one_dnn: bool
) -> None:
    """Small tiles stand for large N: every seam between tiles, panels and the padding is crossed."""
    monkeypatch.setattr(streaming, "CPU_BLOCK", block)
    monkeypatch.setattr(streaming, "CPU_TILE", tile)
    monkeypatch.setattr(streaming, "PANEL", panel)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: one_dnn)
    x = torch.randn(301, 3, generator=torch.Generator().manual_seed(6))
    x[250:] = x[:51].round()
    for k in (1, 5, 290):
        check(x, k)


def test_groups_are_searched_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "GROUP", 4)
    monkeypatch.setattr(knn_module, "SLACK", 2)
    check(torch.randn(333, 4, generator=torch.Generator().manual_seed(7)), 5)
    check(torch.randn(333, 2, generator=torch.Generator().manual_seed(8)).round(), 5)


def test_threads_change_nothing() -> None:
    x = torch.randn(1500, 6, generator=torch.Generator().manual_seed(12))
    before = torch.get_num_threads()
    tables = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            tables.append(knn(x, 7, block_rows=100))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(tables[0].indices, tables[1].indices)
    assert torch.equal(tables[0].distances, tables[1].distances)
    assert tables[0].mean_distance == tables[1].mean_distance


def test_a_failing_block_ends_the_search_and_restores_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)

    def fail(*given: object) -> None:
        raise RuntimeError("a block failed")

    monkeypatch.setattr(knn_module, "settle", fail)
    try:
        with pytest.raises(RuntimeError, match="a block failed"):
            knn(torch.randn(700, 3), 4, block_rows=50)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_many_equal_rows_are_settled_among_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of zeros (silence, say) by the thousand must not be compared each with each in difference form."""
    x = torch.randn(900, 4, generator=torch.Generator().manual_seed(13))
    x[200:700] = 0.0
    pairs = 0
    pair_distances = settle_module.pair_distances

    def counted(rows: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        nonlocal pairs
        pairs += i.numel()
        return pair_distances(rows, i, j)

    monkeypatch.setattr(settle_module, "pair_distances", counted)
    check(x, 5)
    assert 0 < pairs < 500 * 20


@pytest.mark.parametrize("switches", [True, False])
def test_the_users_matmul_precision_is_neither_used_nor_lost(
    monkeypatch: pytest.MonkeyPatch, switches: bool
) -> None:
    if not switches:
        monkeypatch.setattr(rows_module, "_HAS_SWITCHES", False)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        check(torch.randn(70, 33, generator=torch.Generator().manual_seed(9)), 5)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.skipif(not rows_module._HAS_SWITCHES, reason="torch before 2.9 has one precision for all")
def test_precision_set_for_one_library_alone() -> None:
    """torch then refuses to say what the common precision is; kNN must not ask."""
    switch = torch.backends.cuda.matmul
    before = switch.fp32_precision
    switch.fp32_precision = "tf32"
    try:
        knn(torch.randn(20, 3), 2)
        assert switch.fp32_precision == "tf32"
    finally:
        switch.fp32_precision = before


def test_the_sum_alone_is_the_sum_of_the_pass_with_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "CPU_BLOCK", 50)
    monkeypatch.setattr(streaming, "CPU_TILE", 64)
    rows = Rows.of(torch.randn(333, 4, generator=torch.Generator().manual_seed(10)))
    totals = []
    for width in (0, 3):
        sweep = streaming.Pass(rows, width)
        totals.append(sum(float(sweep.run(start).total) for start in sweep.blocks()))
    assert totals[0] == pytest.approx(totals[1], rel=1e-6)
    assert wide_sum(rows) == pytest.approx(totals[0], rel=1e-6)
    assert wide_sum(rows) == pytest.approx(float(dense_distances(rows.centred).triu().sum()), rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(-4, 4), st.floats(-4, 4))
def test_computed_distances_stay_within_the_stated_rounding(seed: int, spread: float, offset: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(60, 40, generator=generator) * 10**spread + 10**offset
    x[:5] *= 1000
    rows = Rows.of(x)
    computed = torch.addmm(rows.norms[None], rows.centred, rows.centred.T, alpha=-2.0) + rows.norms[:, None]
    true = (dense_distances(x) / rows.unit).square()
    length = rows.norms.double().sqrt()
    allowed = rows.rounding * (length[:, None] + length[None]).square()
    assert bool(((computed.double() - true).abs() <= allowed).all())


def test_one_far_outlier_does_not_put_all_others_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(400, 8, generator=torch.Generator().manual_seed(11))
    x[7] += 1e4
    asked: list[int] = []
    settle_doubtful = knn_module.settle_doubtful

    def counted(rows: Rows, which: torch.Tensor, *rest: object) -> object:
        asked.append(which.numel())
        return settle_doubtful(rows, which, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(knn_module, "settle_doubtful", counted)
    check(x, 5)
    assert sum(asked) < 20


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_permutation_equivariance(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(50, 4, generator=generator)
    order = torch.randperm(50, generator=generator)
    plain, permuted = knn(x, 5), knn(x[order], 5)
    assert torch.equal(order[permuted.indices], plain.indices[order])
    assert torch.equal(permuted.distances, plain.distances[order])


def test_accepts_read_only_numpy_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    x.setflags(write=False)
    knn(x, 2)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("x", "k", "message"),
    [
        (torch.randn(5, 2), 5, "k = 5 neighbours need at least 6 rows"),
        (torch.randn(5, 2), 0, "at least 1"),
        (torch.randn(5), 1, "two dimensions"),
        (torch.tensor([[0.0], [float("nan")], [1.0]]), 1, "finite"),
        (torch.tensor([[0.0], [3e38], [1.0]]), 1, "too large"),
    ],
)
def test_a_mistake_is_named(x: torch.Tensor, k: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        knn(x, k)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("row", [0, 1234, 2999])
def test_a_value_that_is_not_finite_is_found_wherever_it_is(
    monkeypatch: pytest.MonkeyPatch, value: float, row: int
) -> None:
    monkeypatch.setattr(rows_module, "WIDE_ELEMENTS", 500)
    x = torch.randn(3000, 2)
    x[row, 1] = value
    with pytest.raises(UserError, match="finite"):
        knn(x, 2)


def test_block_rows_must_be_positive() -> None:
    with pytest.raises(UserError, match="block_rows"):
        knn(torch.randn(5, 2), 1, block_rows=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda_equals_cpu() -> None:
    x = torch.randn(500, 20, generator=torch.Generator().manual_seed(4))
    x[100:110] = x[0]
    cpu, gpu = knn(x, 9), knn(x, 9, device="cuda")
    assert gpu.indices.is_cuda
    assert torch.equal(cpu.indices, gpu.indices.cpu())
    assert torch.equal(cpu.distances, gpu.distances.cpu())
    assert gpu.mean_distance == pytest.approx(cpu.mean_distance, rel=1e-6)
