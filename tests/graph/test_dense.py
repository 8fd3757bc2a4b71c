"""The dense product and its gradients against float64, whichever library computes them."""

from __future__ import annotations

import pytest
import torch

from mvgraph.graph import dense


@pytest.mark.parametrize("library", ["oneDNN", "BLAS"])
@pytest.mark.parametrize(
    ("rows", "width_in", "width_out"), [(700, 40, 30), (1, 500, 500), (300, 1, 999), (2, 3, 4), (9000, 6, 5)]
)
def test_product_and_gradients(
    rows: int, width_in: int, width_out: int, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if library == "BLAS":
        monkeypatch.setattr(dense, "_LINEAR", None)
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(rows, width_in, generator=generator).requires_grad_()
    b = torch.randn(width_in, width_out, generator=generator).requires_grad_()
    weights = torch.randn(rows, width_out, generator=generator)
    product = dense.matmul(a, b)
    (product * weights).sum().backward()
    a64, b64, w64 = a.detach().double(), b.detach().double(), weights.double()
    for got, want in ((product, a64 @ b64), (a.grad, w64 @ b64.T), (b.grad, a64.T @ w64)):
        torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=5e-4)


def test_turned_factors_are_read_right() -> None:
    a = torch.randn(64, 900).t()
    b = torch.randn(50, 64).t()
    torch.testing.assert_close(dense.matmul(a, b), a @ b, rtol=1e-4, atol=1e-4)


def test_double_stays_double() -> None:
    a, b = torch.randn(600, 50, dtype=torch.float64), torch.randn(50, 40, dtype=torch.float64)
    assert torch.equal(dense.matmul(a, b), a @ b)


def test_same_numbers_every_time() -> None:
    a, b = torch.randn(600, 50), torch.randn(50, 40)
    assert torch.equal(dense.matmul(a, b), dense.matmul(a, b))
