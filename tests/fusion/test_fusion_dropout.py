"""Dropout from packed random bits: the statistics of fair independent draws, gradients, seeds, odd sizes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mvgraph.errors import UserError
from mvgraph.fusion.dropout import Dropout, keep_mask, keep_scale
from mvgraph.fusion.layers import check_rate

N = 1 << 18
RATES = [0.1, 0.3, 0.5, 0.8]


def kept(p: float, seed: int = 0, shape: tuple[int, ...] = (N,)) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return keep_mask(torch.Size(shape), torch.float64, p)


def sigmas(observed: float, expected: float, n: int) -> float:
    """How many standard deviations a share of n fair draws lies from the probability."""
    return abs(observed - expected) / math.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize("p", RATES)
def test_mean_and_variance(p: float) -> None:
    mask = kept(p)
    assert set(mask.unique().tolist()) == {0.0, keep_scale(p)}
    assert sigmas(float((mask == 0).double().mean()), p, N) < 4.5
    assert keep_scale(p) == pytest.approx(1 / (1 - p), rel=1e-4)
    assert float(mask.mean()) == pytest.approx(1.0, abs=5 * math.sqrt(p / (1 - p) / N))
    assert float(mask.var()) == pytest.approx(p / (1 - p), rel=0.02)


@pytest.mark.parametrize("p", RATES)
def test_elements_are_independent_at_any_distance(p: float) -> None:
    """Neighbours share a byte, a 16-bit draw or a 64-bit word; none of it may show."""
    dropped = (kept(p, seed=1) == 0).double()
    for lag in (1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 65, 128):
        both = float((dropped[:-lag] * dropped[lag:]).mean())
        assert sigmas(both, p * p, N - lag) < 5, f"lag {lag}"
    by_position = dropped.view(-1, 64).mean(dim=0)
    worst = max(sigmas(share, p, N // 64) for share in by_position.tolist())
    assert worst < 5, "one of the 64 positions in a word is not fair"


@pytest.mark.parametrize("p", RATES)
def test_seed_decides(p: float) -> None:
    assert torch.equal(kept(p, seed=7), kept(p, seed=7))
    agree = float((kept(p, seed=7) == kept(p, seed=8)).double().mean())
    assert sigmas(agree, p * p + (1 - p) ** 2, N) < 5
    with torch.random.fork_rng():
        torch.manual_seed(7)
        first, second = (keep_mask(torch.Size((N,)), torch.float64, p) for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("p", [0.3, 0.5])
@pytest.mark.parametrize("shape", [(0,), (1,), (5, 0), (63,), (64,), (65,), (3, 7), (13, 11, 3)])
def test_any_shape(p: float, shape: tuple[int, ...]) -> None:
    for dtype in (torch.float32, torch.float64):
        mask = keep_mask(torch.Size(shape), dtype, p)
        assert mask.shape == shape
        assert mask.dtype == dtype
        assert ((mask == 0) | (mask == keep_scale(p))).all()


@settings(deadline=None, max_examples=30)
@example(p=1 - 2**-53, n=7)
@given(p=st.floats(0.0, 1.0, exclude_max=True, allow_nan=False), n=st.integers(1, 200))
def test_every_rate_in_range_gives_finite_numbers(p: float, n: int) -> None:
    out = Dropout(check_rate(p))(torch.ones(n))
    assert torch.isfinite(out).all()


def test_off_in_evaluation_and_at_rate_zero() -> None:
    h = torch.randn(20, 3)
    assert torch.equal(Dropout(0.5).eval()(h), h)
    assert torch.equal(Dropout(0.0)(h), h)
    assert torch.equal(Dropout(0.0).after_relu(h.clone()), torch.relu(h))
    assert torch.equal(Dropout(0.5).eval().after_relu(h.clone()), torch.relu(h))


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5])
def test_fused_relu_and_dropout_is_one_after_the_other(p: float) -> None:
    """Values and gradients of `dropout(relu(h))`, from the same random bits."""
    h = torch.randn(50, 7, dtype=torch.float64)
    results = []
    for fused in (False, True):
        leaf = h.clone().requires_grad_()
        dropout = Dropout(p)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            inner = leaf * 1.5
            out = dropout.after_relu(inner) if fused else dropout(torch.relu(inner))
        (out * torch.arange(350, dtype=torch.float64).view(50, 7)).sum().backward()
        results.append((out.detach(), leaf.grad))
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-12, atol=1e-12)


def test_gradient_of_the_fused_form_is_that_of_finite_differences() -> None:
    def f(h: torch.Tensor) -> torch.Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(5)
            return Dropout(0.3).after_relu(h * 1.0)

    h = torch.randn(6, 5, dtype=torch.float64)
    h = torch.where(h.abs() < 0.1, 0.5, h).requires_grad_()  # away from the corner of ReLU
    assert torch.autograd.gradcheck(f, (h,))


@pytest.mark.parametrize("p", [-0.1, 1.0, 2.0, float("nan")])
def test_rates_out_of_range_are_refused(p: float) -> None:
    with pytest.raises(UserError, match=r"give a rate in \[0, 1\)"):
        check_rate(p)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu() -> None:
    h = torch.ones(N, device="cuda")
    out = Dropout(0.5)(h)
    assert sigmas(float((out == 0).double().mean()), 0.5, N) < 5
    assert set(out.unique().tolist()) == {0.0, 2.0}
    fused = Dropout(0.5).after_relu(torch.randn(N, device="cuda"))
    assert sigmas(float((fused == 0).double().mean()), 0.75, N) < 5
