"""Each kernel against its formula on dense float64 distances."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.errors import UserError
from mvgraph.graph import build_graph
from mvgraph.graph.kernels import KERNELS, cosine_weights, exp_weights, self_tuning_weights, unit_rows
from mvgraph.graph.knn import Neighbours, knn

N, K = 60, 7


def sample(seed: int = 0, d: int = 5) -> torch.Tensor:
    return torch.randn(N, d, generator=torch.Generator().manual_seed(seed))


def distances(x: torch.Tensor) -> torch.Tensor:
    x = x.double()
    return (x[:, None] - x[None]).square().sum(2).sqrt()


def test_eq_1() -> None:
    x = sample()
    neighbours = knn(x, K)
    d = distances(x)
    expected = torch.exp(-d / (d.sum() / (N * (N - 1)))).gather(1, neighbours.indices)
    torch.testing.assert_close(exp_weights(neighbours).double(), expected, rtol=1e-6, atol=0)


def test_eq_1_of_equal_rows_is_one() -> None:
    assert exp_weights(knn(torch.ones(5, 2), 2)).eq(1).all()


@pytest.mark.parametrize("at", [None, 1, 3])
def test_self_tuning(at: int | None) -> None:
    x = sample(1)
    neighbours = knn(x, K)
    d = distances(x)
    scale = d.sort(dim=1).values[:, at or K]  # column 0 is the row itself
    expected = torch.exp(-d.square() / (scale[:, None] * scale[None])).gather(1, neighbours.indices)
    torch.testing.assert_close(self_tuning_weights(neighbours, at).double(), expected, rtol=1e-5, atol=1e-9)


def test_self_tuning_of_duplicates_is_the_limit() -> None:
    x = torch.cat([torch.zeros(4, 2), torch.ones(1, 2)])
    weights = self_tuning_weights(knn(x, 2))
    assert weights[:4].eq(1).all()  # neighbours are duplicates
    assert weights[4].eq(0).all()  # neighbours have scale 0 and lie apart
    with pytest.raises(UserError, match="scale_neighbour = 3"):
        self_tuning_weights(knn(x, 2), 3)


def test_cosine_neighbours_and_weights() -> None:
    x = sample(2) * torch.logspace(-3, 3, N)[:, None]  # lengths must not matter
    unit = x.double() / x.double().norm(dim=1, keepdim=True)
    similarity = unit @ unit.T
    similarity.fill_diagonal_(-math.inf)
    value, index = similarity.topk(K, dim=1)
    neighbours = knn(KERNELS["cosine"].space(x), K)
    assert torch.equal(neighbours.indices.sort(1).values, index.sort(1).values)
    torch.testing.assert_close(cosine_weights(neighbours).double(), value.clamp(min=0), rtol=0, atol=1e-6)


def test_cosine_is_clipped_at_zero_and_keeps_the_edge() -> None:
    graph = build_graph({"v": torch.tensor([[1.0, 0], [-1, 0], [0, 1]])}, k=2, kernel="cosine")
    assert graph["v"].nnz == 6
    assert graph["v"].values.min() == 0
    assert graph["v"].values.max() < 1e-6


def test_rows_of_zeros_are_similar_to_each_other_alone() -> None:
    x = torch.cat([sample(3)[:5], torch.zeros(2, 5)])
    neighbours = knn(unit_rows(x), 6)
    weights = torch.zeros(7, 7).scatter_(1, neighbours.indices, cosine_weights(neighbours))
    assert weights[5, 6] == weights[6, 5] == 1
    assert weights[:5, 5:].abs().max() < 1e-6
    assert neighbours.indices[5, 0] == 6


def test_unit_rows_of_tiny_and_huge_values() -> None:
    unit = unit_rows(torch.tensor([[3e-30, 4e-30], [3e30, 4e30]]))
    torch.testing.assert_close(unit, torch.tensor([[0.6, 0.8, 0], [0.6, 0.8, 0]]))


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-6, 1e6), st.integers(0, 10**6), st.sampled_from(sorted(KERNELS)))
def test_weights_do_not_depend_on_the_unit(c: float, seed: int, kernel: str) -> None:
    """Scaling a view, x -> c x, leaves the weights of every kernel as they are."""
    x = sample(seed)
    plain = build_graph({"v": x}, k=K, kernel=kernel)  # type: ignore[arg-type]
    scaled = build_graph({"v": (x.double() * c).float()}, k=K, kernel=kernel)  # type: ignore[arg-type]
    torch.testing.assert_close(scaled["v"].to_dense(), plain["v"].to_dense(), rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(sorted(KERNELS)))
def test_weights_lie_between_zero_and_one(seed: int, kernel: str) -> None:
    x = sample(seed).round()
    way = KERNELS[kernel]
    table: Neighbours = knn(way.space(x), K)
    weights = way.weigh(table, None)
    assert weights.dtype == torch.float32
    assert float(weights.min()) >= 0
    assert float(weights.max()) <= 1
