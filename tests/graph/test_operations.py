"""Merging, symmetrising, self loops and the Laplacian against dense float64 matrices."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvgraph.errors import UserError
from mvgraph.graph import operations
from mvgraph.graph.csr import CSR
from mvgraph.graph.operations import add_self_loops, laplacian, merge, permute, symmetrise


def adjacency(n: int, seed: int, density: float = 0.3) -> tuple[CSR, torch.Tensor, torch.Tensor]:
    """A random directed adjacency, its dense twin, and where it has entries (some of weight 0)."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(n, n, generator=generator) < density
    present.fill_diagonal_(False)
    dense = torch.rand(n, n, generator=generator) * present
    dense[torch.rand(n, n, generator=generator) < 0.1] = 0
    rows, cols = present.nonzero().T
    return CSR.from_edges(rows, cols, dense[rows, cols], (n, n)), dense, present


def combined(
    a: torch.Tensor, in_a: torch.Tensor, b: torch.Tensor, in_b: torch.Tensor, how: str
) -> torch.Tensor:
    a, b = a.double(), b.double()
    if how == "max":
        return torch.maximum(a, b)
    if how == "sum":
        return a + b
    if how == "mean":
        return (a + b) / 2
    return (a + b) / (in_a.double() + in_b.double()).clamp(min=1)


@pytest.fixture(autouse=True, params=[2**19, 7], ids=["one-chunk", "many-chunks"])
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in one piece, and with seams between rows everywhere."""
    monkeypatch.setattr(operations, "CHUNK", {"cpu": request.param})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 12),
    st.integers(0, 10**6),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(["max", "sum", "mean", "union"]),
)
def test_merge(n: int, seed: int, density_a: float, density_b: float, how: str) -> None:
    a, dense_a, in_a = adjacency(n, seed, density_a)
    b, dense_b, in_b = adjacency(n, seed + 1, density_b)
    found = merge(a, b, how)
    torch.testing.assert_close(found.to_dense().double(), combined(dense_a, in_a, dense_b, in_b, how))
    pattern = found.with_values(torch.ones_like(found.values)).to_dense().bool()
    assert torch.equal(pattern, in_a | in_b)
    assert bool(((found.rows() * n + found.indices).diff() > 0).all())


@pytest.mark.parametrize("how", ["max", "mean", "union"])
def test_symmetrise(how: str) -> None:
    a, dense, present = adjacency(20, 0)
    found = symmetrise(a, how)
    torch.testing.assert_close(found.to_dense().double(), combined(dense, present, dense.T, present.T, how))
    back = found.transpose()
    assert torch.equal(back.indices, found.indices)
    assert torch.equal(back.values, found.values)


def test_directed_is_left_alone_and_nonsense_refused() -> None:
    a, _, _ = adjacency(5, 0)
    assert symmetrise(a, "directed") is a
    with pytest.raises(UserError, match="both"):
        symmetrise(a, "both")
    with pytest.raises(UserError, match="min"):
        merge(a, a, "min")


@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("n", [1, 2, 17])
def test_self_loops_and_laplacian(n: int, density: float) -> None:
    a, dense, _ = adjacency(n, n, density)
    looped = dense.double() + torch.eye(n)
    found = add_self_loops(a)
    torch.testing.assert_close(found.to_dense().double(), looped)
    assert bool(((found.rows() * n + found.indices).diff() > 0).all())
    # Directed as it is: Eq. 2 has the row sums on both sides.
    scale = looped.sum(1).rsqrt()
    torch.testing.assert_close(
        laplacian(a).to_dense().double(), scale[:, None] * looped * scale[None], rtol=1e-6, atol=1e-7
    )


def test_laplacian_of_a_symmetric_adjacency_is_symmetric_to_the_bit() -> None:
    a, _, _ = adjacency(40, 3)
    found = laplacian(symmetrise(a, "max"))
    assert torch.equal(found.transpose().values, found.values)


def test_a_node_without_edges_keeps_its_self_loop() -> None:
    assert torch.equal(laplacian(CSR.empty(3, 3)).to_dense(), torch.eye(3))


def test_largest_eigenvalue_is_one() -> None:
    a, _, _ = adjacency(30, 4)
    dense = laplacian(symmetrise(a, "mean")).to_dense().double()
    assert torch.linalg.eigvalsh(dense).max().item() == pytest.approx(1.0, abs=1e-6)


def test_permute() -> None:
    a, dense, _ = adjacency(15, 5)
    order = torch.randperm(15, generator=torch.Generator().manual_seed(0))
    assert torch.equal(permute(a, order).to_dense(), dense[order][:, order])


def test_empty_rows_at_the_ends_and_seams() -> None:
    dense = torch.zeros(30, 30)
    dense[10, 3] = dense[11, 12] = dense[20, 19] = 1.0
    rows, cols = dense.nonzero().T
    a = CSR.from_edges(rows, cols, dense[rows, cols], (30, 30))
    assert torch.equal(symmetrise(a, "max").to_dense(), torch.maximum(dense, dense.T))
    assert torch.equal(add_self_loops(a).to_dense(), dense + torch.eye(30))
