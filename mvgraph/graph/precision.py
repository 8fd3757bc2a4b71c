"""Dense products in a lower precision, as an explicit choice.

The default is float32 throughout. "bfloat16" rounds the factors of the dense products H W (and of their
gradients) to 8 bits of mantissa; "tf32" lets an NVIDIA GPU round them to 10 bits inside its tensor cores and
changes nothing elsewhere. Sparse products, losses and weights stay in float32. Training with either reports
how far its probabilities are from those of the same weights in float32.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from mvgraph.graph.dense import matmul

#: Names of the choices.
PRECISIONS = ("float32", "tf32", "bfloat16")


def dense_product(a: Tensor, b: Tensor, precision: str) -> Tensor:
    """`a @ b`, in float32 or with factors rounded to bfloat16.

    Shapes:
        a: (rows, in); b: (in, out); result: (rows, out) in the dtype of `a`.
    """
    if precision == "bfloat16" and a.dtype == torch.float32:
        return (a.bfloat16() @ b.bfloat16()).float()
    return matmul(a, b)


@contextlib.contextmanager
def tensor_cores(precision: str) -> Iterator[None]:
    """Allow TF32 in CUDA products while "tf32" is asked for; elsewhere nothing changes."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
