"""Propagation: restricted, sampled and blockwise products against dense float64 algebra."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mvgraph as mv
from mvgraph.errors import UserError
from mvgraph.graph import propagation as module
from mvgraph.graph.csr import CSR
from mvgraph.graph.operator import (
    SparseOperator,
    restrict_rows_and_columns,
    row_slice,
    sample_row_entries,
    stack_rows,
)
from mvgraph.graph.propagation import Propagation

VIEWS = {"a": 5, "b": 7, "c": 3}


@pytest.fixture
def features() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {v: torch.randn(50, d, generator=generator, dtype=torch.float64) for v, d in VIEWS.items()}


@pytest.fixture
def graph(features: dict[str, torch.Tensor]) -> mv.MultiViewGraph:
    return mv.build_graph({v: x.float() for v, x in features.items()}, k=4).to(dtype=torch.float64)


def dense(graph: mv.MultiViewGraph) -> list[torch.Tensor]:
    """The Laplacians as dense matrices, built from the adjacency alone."""
    matrices = []
    for view in graph.view_names:
        a = graph[view].to_dense() + torch.eye(graph.n_nodes, dtype=torch.float64)
        scale = a.sum(1).rsqrt()
        matrices.append(scale[:, None] * a * scale[None, :])
    return matrices


def two_layers(p: Propagation, theta: torch.Tensor, w1: torch.Tensor, w2: torch.Tensor) -> torch.Tensor:
    h = torch.tanh(p.mixture(1, theta, p.concatenated(), w1))
    return torch.cat([p.select(h, 1, 2), p.mixture(2, theta, h, w2)], dim=1)


@pytest.mark.parametrize(("middle", "last"), [(6, 3), (3, 6)])
@pytest.mark.parametrize("rows", [None, [0], [3, 17, 49], list(range(50))])
def test_mixture_equals_dense_algebra(graph, features, rows, middle, last) -> None:
    generator = torch.Generator().manual_seed(1)
    theta = torch.softmax(torch.randn(3, generator=generator, dtype=torch.float64), 0).requires_grad_()
    w1 = torch.randn(15, middle, generator=generator, dtype=torch.float64).requires_grad_()
    w2 = torch.randn(middle, last, generator=generator, dtype=torch.float64).requires_grad_()
    p = Propagation(graph, features)
    chosen = torch.arange(50) if rows is None else torch.tensor(rows)
    ours = two_layers(p if rows is None else p.restricted(chosen, 2), theta, w1, w2)
    mixed = sum(t * m for t, m in zip(theta, dense(graph), strict=True))
    h = torch.tanh(mixed @ torch.cat([features[v] for v in sorted(VIEWS)], 1) @ w1)
    expected = torch.cat([h, mixed @ h @ w2], dim=1)[chosen]
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    for got, want in zip(
        torch.autograd.grad(ours.square().sum(), (theta, w1, w2)),
        torch.autograd.grad(expected.square().sum(), (theta, w1, w2)),
        strict=True,
    ):
        torch.testing.assert_close(got, want, rtol=0, atol=1e-9)


def test_inference_in_blocks_equals_whole(graph, features, monkeypatch: pytest.MonkeyPatch) -> None:
    theta, w = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64), torch.randn(15, 15, dtype=torch.float64)
    p = Propagation(graph, features)
    whole = two_layers(p, theta.requires_grad_(), w, w).detach()
    monkeypatch.setattr(module, "INFERENCE_BLOCK", 7)
    with torch.no_grad():
        torch.testing.assert_close(two_layers(p, theta, w, w), whole, rtol=0, atol=1e-12)


def test_levels_hold_what_the_next_one_reads(graph, features) -> None:
    p = Propagation(graph, features).restricted(torch.tensor([4, 9]), 3)
    matrices = dense(graph)
    for level in (3, 2, 1):
        reached = {int(c) for m in matrices for c in m[p.rows(level)].nonzero()[:, 1]}
        assert set(p.rows(level - 1).tolist()) == reached
    assert p.rows(3).tolist() == [4, 9]


def test_levels_of_one_view_are_its_own(graph, features) -> None:
    p = Propagation(graph, features).restricted(torch.tensor([4]), 1, joint=False)
    for view, matrix in zip(graph.view_names, dense(graph), strict=True):
        assert p.rows(0, view).tolist() == matrix[4].nonzero()[:, 0].tolist()


def test_no_row_is_refused(graph, features) -> None:
    with pytest.raises(UserError, match="at least one row"):
        Propagation(graph, features).restricted(torch.empty(0, dtype=torch.int64), 2)


def test_constant_product_is_computed_once(graph, features, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = SparseOperator.__call__
    monkeypatch.setattr(SparseOperator, "__call__", lambda self, h: calls.append(1) or original(self, h))
    p = Propagation(graph, features)
    w = torch.ones(5, 2, dtype=torch.float64)
    first = p.product(1, "a", p.features("a"), w)
    again = p.restricted(torch.tensor([1, 2]), 1).product(1, "a", p.features("a"), w)
    assert len(calls) == 1
    torch.testing.assert_close(again, first[[1, 2]])


def test_stack_and_slice_are_inverse(graph) -> None:
    matrices = [graph.laplacian(view) for view in graph.view_names]
    stacked = stack_rows(matrices)
    assert stacked.shape == (150, 50)
    for v, matrix in enumerate(matrices):
        torch.testing.assert_close(row_slice(stacked, 50 * v, 50 * (v + 1)).to_dense(), matrix.to_dense())


def test_sampled_rows_keep_the_mean_and_the_bound(graph) -> None:
    matrix = graph.laplacian("a")
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(50, 50, dtype=torch.float64)
    draws = 4000
    for _ in range(draws):
        drawn = sample_row_entries(matrix, 3, generator)
        assert int(drawn.counts().max()) <= 3
        total += drawn.to_dense()
    exact = matrix.to_dense()
    assert ((total > 0) == (exact > 0)).all()
    torch.testing.assert_close(total / draws, exact, rtol=0, atol=0.05)


def test_sampling_with_room_for_all_is_exact(graph, features) -> None:
    theta = torch.full((3,), 1 / 3, dtype=torch.float64)
    w1, w2 = torch.randn(15, 4, dtype=torch.float64), torch.randn(4, 4, dtype=torch.float64)
    p, rows = Propagation(graph, features), torch.tensor([2, 30])
    sampled = p.sampled(rows, (50, 50), torch.Generator().manual_seed(0))
    exact = p.restricted(rows, 2)
    torch.testing.assert_close(two_layers(sampled, theta, w1, w2), two_layers(exact, theta, w1, w2))


def test_operator_gradient_is_the_transpose(graph) -> None:
    matrix = restrict_rows_and_columns(graph.laplacian("b"), torch.tensor([1, 5, 6]), None)
    h = torch.randn(50, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(SparseOperator(matrix), (h,))


def test_empty_matrix_has_a_product() -> None:
    operator = SparseOperator(CSR.empty(4, 4, dtype=torch.float64))
    h = torch.ones(4, 2, dtype=torch.float64, requires_grad=True)
    assert np.allclose(operator(h).detach().numpy(), 0.0)
