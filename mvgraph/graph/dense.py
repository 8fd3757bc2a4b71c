"""The dense product H W, forward and backward, by the fastest float32 GEMM at hand.

torch multiplies matrices on a CPU with its BLAS. Where that BLAS leaves the processor's widest instructions
unused (MKL on AMD processors does), oneDNN, which torch carries too, is two to three times as fast. The product
is the same sum of float32 products, in another order.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: Below this many multiply-adds a product costs less than the way to oneDNN.
SMALLEST_PRODUCT = 200_000
#: Rows over which the gradient of W is summed in one product.
ROWS_AT_A_TIME = 4096


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """`a @ b` with its gradients.

    Shapes:
        a: (rows, in); b: (in, out); result: (rows, out).
    """
    if _suits(a, b):
        return _Product.apply(a, b)
    return a @ b


def _suits(a: Tensor, b: Tensor) -> bool:
    return (
        a.dtype == b.dtype == torch.float32
        and a.device.type == "cpu"
        and a.ndim == b.ndim == 2
        and a.shape[0] * b.numel() >= SMALLEST_PRODUCT
        and bool(torch.backends.mkldnn.enabled)
        and _LINEAR is not None
    )


def _find_linear() -> Any:
    """oneDNN's linear layer on plain tensors; None where this torch has none or it answers wrongly."""
    try:
        linear = torch.ops.mkldnn._linear_pointwise
        a, b = torch.arange(6.0).view(2, 3), torch.arange(12.0).view(4, 3)
        right = torch.equal(linear(a, b, None, "none", [], ""), a @ b.T)
    except (AttributeError, RuntimeError, TypeError):
        return None
    return linear if right else None


_LINEAR = _find_linear()


def _times_transposed(a: Tensor, b: Tensor) -> Tensor:
    """`a @ b.T` by oneDNN."""
    return _LINEAR(a.contiguous(), b.contiguous(), None, "none", [], "")


def _transposed_times(a: Tensor, b: Tensor) -> Tensor:
    """`a.T @ b` by oneDNN, over as many rows at a time as stay in cache while it turns them."""
    total: Tensor | None = None
    for start in range(0, a.shape[0], ROWS_AT_A_TIME):
        left, right = a[start : start + ROWS_AT_A_TIME], b[start : start + ROWS_AT_A_TIME]
        part = _LINEAR(right.t(), left.t(), None, "none", [], "")
        total = part if total is None else total.add_(part)
    assert total is not None
    return total.t()


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return _times_transposed(a, b.t())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        (gradient,) = gradients
        to_a = _times_transposed(gradient, b) if ctx.needs_input_grad[0] else None
        to_b = _transposed_times(a, gradient) if ctx.needs_input_grad[1] else None
        return to_a, to_b
