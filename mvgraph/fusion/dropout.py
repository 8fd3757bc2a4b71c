"""Dropout whose random bits are drawn 64 at a time, fused with the ReLU before it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Inverted dropout (Srivastava et al. 2014), the paper's reference [19].

    On a CPU, torch draws one random number per element, which at the paper's scale costs as much as all
    matrix products of an epoch. Here one random 64-bit word decides 64 elements at p = 0.5, and 4 elements at
    any other rate (which is then a multiple of 2^-16). Other devices use torch's dropout.

    Args:
        p: probability that an element becomes 0; the others are scaled by 1 / (1 - p).
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = float(p)

    @property
    def active(self) -> bool:
        """Whether elements are dropped at present."""
        return self.training and self.p > 0.0

    def forward(self, h: Tensor) -> Tensor:
        if not self.active:
            return h
        if h.device.type == "cpu":
            return h * keep_mask(h.shape, h.dtype, self.p)
        return nn.functional.dropout(h, self.p, training=True)

    def after_relu(self, h: Tensor) -> Tensor:
        """`dropout(relu(h))` in two passes over memory; `h` is overwritten.

        Shapes:
            h: (rows, d), which nobody else may still need; result: (rows, d).
        """
        if not self.active:
            return torch.relu_(h)
        if h.device.type == "cpu":
            return _ReluDropout.apply(h, self.p)
        return nn.functional.dropout(torch.relu_(h), self.p, training=True)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class _ReluDropout(torch.autograd.Function):
    """Both gates leave their trace in the output's sign, so the backward pass needs nothing else."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, p: float) -> Tensor:
        ctx.mark_dirty(h)
        h.relu_().mul_(keep_mask(h.shape, h.dtype, p))
        ctx.save_for_backward(h)
        ctx.scale = keep_scale(p)
        return h

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (out,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradients[0], out, 0.0).mul_(ctx.scale), None


def keep_scale(p: float) -> float:
    """What kept elements are multiplied by, so that the mean stays."""
    return 65536.0 / (65536 - _dropped(p))


def _dropped(p: float) -> int:
    """How many of the 65,536 values of a 16-bit draw drop an element; at least one keeps it."""
    return min(round(p * 65536), 65535)


def keep_mask(shape: torch.Size, dtype: torch.dtype, p: float = 0.5) -> Tensor:
    """0 with probability p, otherwise `keep_scale(p)`, drawn from torch's CPU generator.

    Args:
        shape: of the mask.
        dtype: of the mask.
        p: rate, rounded to a multiple of 2^-16.
    """
    n = shape.numel()
    per_word = 64 if p == 0.5 else 4
    words = torch.empty((n + per_word - 1) // per_word, dtype=torch.int64).random_(-(2**63), None)
    if p == 0.5:
        rows = _byte_table(dtype).index_select(0, words.view(torch.uint8).to(torch.int32))
        return rows.view(-1)[:n].view(shape)
    draws = words.view(torch.int16)[:n].view(shape)
    kept = draws >= _dropped(p) - 32768
    return kept.to(dtype).mul_(keep_scale(p))


_TABLES: dict[torch.dtype, Tensor] = {}


def _byte_table(dtype: torch.dtype) -> Tensor:
    """(256, 8): the eight bits of each byte, as 0 or 2."""
    if dtype not in _TABLES:
        bits = torch.arange(256).unsqueeze(1) >> torch.arange(8) & 1
        _TABLES[dtype] = (2 * bits).to(dtype)
    return _TABLES[dtype]
