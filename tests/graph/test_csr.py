"""The sparse format: canonical, immutable, equal to its dense twin."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse
import torch

from mvgraph.errors import UserError
from mvgraph.graph.csr import CSR


def random_csr(n: int, m: int, seed: int = 0, density: float = 0.3) -> tuple[CSR, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    dense = torch.rand(n, m, generator=generator)
    dense[torch.rand(n, m, generator=generator) > density] = 0
    rows, cols = dense.nonzero().T
    return CSR.from_edges(rows, cols, dense[rows, cols], (n, m)), dense


def assert_canonical(a: CSR) -> None:
    key = a.rows() * a.n_cols + a.indices
    assert bool((key.diff() > 0).all())
    assert int(a.indptr[0]) == 0
    assert int(a.indptr[-1]) == a.nnz


def test_from_edges_in_any_order_is_canonical() -> None:
    a, dense = random_csr(9, 13)
    assert_canonical(a)
    order = torch.randperm(a.nnz, generator=torch.Generator().manual_seed(1))
    again = CSR.from_edges(a.rows()[order], a.indices[order], a.values[order], a.shape)
    assert torch.equal(again.indptr, a.indptr)
    assert torch.equal(again.indices, a.indices)
    assert torch.equal(again.values, a.values)
    assert torch.equal(a.to_dense(), dense)
    assert a.shape == (9, 13)


def test_duplicates() -> None:
    rows, cols = torch.tensor([1, 0, 1, 1]), torch.tensor([2, 0, 2, 0])
    values = torch.tensor([3.0, 1.0, 4.0, 5.0])
    with pytest.raises(UserError, match=r"edge \(1, 2\) occurs more than once"):
        CSR.from_edges(rows, cols, values, (2, 3))
    assert CSR.from_edges(rows, cols, values, (2, 3), "max").to_dense().tolist() == [[1, 0, 0], [5, 0, 4]]
    assert CSR.from_edges(rows, cols, values, (2, 3), "sum").to_dense().tolist() == [[1, 0, 0], [5, 0, 7]]


def test_duplicates_keep_a_negative_maximum() -> None:
    zero = torch.zeros(2, dtype=torch.int64)
    assert CSR.from_edges(zero, zero, torch.tensor([-3.0, -2.0]), (1, 1), "max").values.tolist() == [-2.0]


@pytest.mark.parametrize(
    ("row", "column", "message"), [(3, 0, "row 3"), (0, 4, "column 4"), (-1, 0, "row -1")]
)
def test_an_edge_outside_is_named(row: int, column: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        CSR.from_edges(torch.tensor([row]), torch.tensor([column]), torch.ones(1), (3, 4))


@pytest.mark.parametrize(("n", "m"), [(7, 7), (4, 11), (11, 4), (5, 1)])
def test_transpose_row_sums_and_product(n: int, m: int) -> None:
    a, dense = random_csr(n, m, seed=n)
    assert_canonical(a.transpose())
    assert torch.equal(a.transpose().to_dense(), dense.T)
    torch.testing.assert_close(a.row_sums(), dense.sum(1))
    h = torch.randn(m, 3, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(a.matmul(h), dense @ h)
    assert a.counts().tolist() == (dense != 0).sum(1).tolist()


def test_row_sums_are_accumulated_in_float64() -> None:
    values = torch.cat([torch.tensor([1e8]), torch.ones(64)])
    a = CSR.from_edges(torch.zeros(65, dtype=torch.int64), torch.arange(65), values, (1, 65))
    assert a.row_sums().item() == 1e8 + 64


def test_scipy_round_trip_and_unsorted_input() -> None:
    a, dense = random_csr(6, 8)
    matrix = a.to_scipy()
    assert np.array_equal(matrix.toarray(), dense.numpy())
    back = CSR.from_scipy(matrix)
    assert torch.equal(back.indices, a.indices)
    assert torch.equal(back.values, a.values)
    twice = scipy.sparse.coo_array(([1, 2, 4], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    found = CSR.from_scipy(twice)
    assert found.to_dense().tolist() == [[0, 3], [4, 0]]
    assert found.dtype == torch.float32


def test_eye_empty_and_missing_rows() -> None:
    assert torch.equal(CSR.eye(4).to_dense(), torch.eye(4))
    empty = CSR.empty(3, 5)
    assert empty.shape == (3, 5)
    assert empty.transpose().shape == (5, 3)
    assert empty.matmul(torch.ones(5, 2)).tolist() == [[0, 0]] * 3
    assert empty.row_sums().tolist() == [0, 0, 0]


def test_frozen_and_shared() -> None:
    a, _ = random_csr(4, 4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        a.n_cols = 9  # type: ignore[misc]
    assert a.to() is a
    assert a.to(dtype=torch.float32) is a
    wide = a.to(dtype=torch.float64)
    assert wide.dtype == torch.float64
    assert wide.indices is a.indices
    assert a.to_torch() is a.to_torch()
    assert "entries" in repr(a)


def test_malformed_parts_are_refused() -> None:
    index = torch.arange(2)
    with pytest.raises(UserError, match="indptr"):
        CSR(torch.zeros(0, dtype=torch.int64), index, torch.ones(2), 2)
    with pytest.raises(UserError, match="one length"):
        CSR(index, index, torch.ones(3), 2)
    with pytest.raises(UserError, match="int64"):
        CSR(index, index.int(), torch.ones(2), 2)


@pytest.mark.parametrize(
    ("rows", "weight", "fault"),
    [([0, 1], 1.0, "self loop at node 1"), ([0, 0], -1.0, "negative"), ([0, 0], float("nan"), "not finite")],
)
def test_what_cannot_be_an_adjacency(rows: list[int], weight: float, fault: str) -> None:
    a = CSR.from_edges(torch.tensor(rows), torch.tensor([2, 1]), torch.tensor([1.0, weight]), (3, 3))
    assert a.adjacency_fault is not None
    assert fault in a.adjacency_fault


def test_transpose_by_sorting_is_that_by_counting() -> None:
    """A GPU, and precisions that scipy has not, take another way to the same matrix."""
    a, _ = random_csr(12, 7)
    short = a.to(dtype=torch.bfloat16).transpose()
    assert_canonical(short)
    assert torch.equal(short.indices, a.transpose().indices)
    assert torch.equal(short.values, a.transpose().values.to(torch.bfloat16))
