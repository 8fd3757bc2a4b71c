"""A sparse matrix as a differentiable operator, and the row- and column-restricted form of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mvgraph.graph.csr import CSR

#: What one multiply-add of a sparse product costs in multiply-adds of a dense one (measured: 5 to 12).
SPARSE_COST = 8.0


def propagates_first(rows: int, columns: int, entries: int, width_in: int, width_out: int) -> bool:
    """Whether `(L H) W` costs less than `L (H W)`, forward and backward together.

    Args:
        rows, columns, entries: of L; with several views stacked, entries of all of them and rows of one.
        width_in, width_out: of W.
    """
    product_last = 2 * SPARSE_COST * entries * width_in + 3.0 * rows * width_in * width_out
    product_first = 2 * SPARSE_COST * entries * width_out + 3.0 * columns * width_in * width_out
    return product_last < product_first


class SparseOperator:
    """`H -> A H` for a constant sparse A; the backward pass is `G -> A^T G` with a stored transpose.

    Args:
        matrix: A, (rows, columns).

    Shapes:
        call: (columns, d) -> (rows, d).
    """

    def __init__(self, matrix: CSR) -> None:
        self.matrix = matrix
        self._forward = matrix.to_torch()
        self._backward: Tensor | None = None

    @property
    def transposed(self) -> Tensor:
        """A^T in CSR, made when first needed and kept."""
        if self._backward is None:
            self._backward = self.matrix.transpose().to_torch()
        return self._backward

    def __call__(self, h: Tensor) -> Tensor:
        if h.requires_grad:
            return _Product.apply(h, self._forward, self.transposed)
        return self._forward @ h


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ h

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.transposed @ gradients[0].contiguous(), None, None


def restrict_rows_and_columns(matrix: CSR, rows: Tensor, columns: Tensor | None) -> CSR:
    """`A[rows][:, columns]` with the columns renumbered.

    Args:
        matrix: A, (N, M).
        rows: row numbers, ascending.
        columns: column numbers, ascending, which must hold every column that the rows touch;
            None keeps all columns and their numbers.

    Shapes:
        rows: (R,); columns: (S,); result: (R, S), or (R, M) when columns is None.
    """
    start = matrix.indptr[rows]
    counts = matrix.indptr[rows + 1] - start
    indptr = torch.zeros(rows.numel() + 1, dtype=matrix.indptr.dtype, device=rows.device)
    torch.cumsum(counts, 0, out=indptr[1:])
    shift = torch.repeat_interleave(start - indptr[:-1], counts)
    position = torch.arange(shift.numel(), device=rows.device) + shift
    indices = matrix.indices[position]
    if columns is not None:
        indices = torch.searchsorted(columns, indices)
    n_columns = matrix.n_cols if columns is None else int(columns.numel())
    return CSR(indptr, indices, matrix.values[position], n_columns)


def stack_rows(matrices: Sequence[CSR]) -> CSR:
    """Matrices of one width, one above the other.

    Shapes:
        matrices: (R_v, M) each; result: (sum R_v, M).
    """
    offsets = [0]
    for matrix in matrices:
        offsets.append(offsets[-1] + matrix.nnz)
    first = matrices[0].indptr[:1]
    indptr = [matrix.indptr[1:] + start for matrix, start in zip(matrices, offsets, strict=False)]
    return CSR(
        torch.cat([first, *indptr]),
        torch.cat([matrix.indices for matrix in matrices]),
        torch.cat([matrix.values for matrix in matrices]),
        matrices[0].n_cols,
    )


def sample_row_entries(matrix: CSR, fan_out: int, generator: torch.Generator) -> CSR:
    """At most `fan_out` entries of every row, drawn without replacement and scaled so that the mean stays.

    A row with n > fan_out entries keeps each with probability fan_out / n and multiplies it by n / fan_out, so
    that the expected product with any H is the exact one.

    Args:
        matrix: (R, M).
        fan_out: entries a row keeps at most.
        generator: on the CPU; the draw does not depend on the device.

    Shapes:
        result: (R, M).
    """
    counts = matrix.indptr.diff()
    if counts.numel() == 0 or int(counts.max()) <= fan_out:
        return matrix
    rows = torch.repeat_interleave(torch.arange(counts.numel(), device=counts.device), counts)
    keys = torch.rand(rows.numel(), generator=generator, dtype=torch.float64).to(counts.device)
    order = torch.argsort(rows + keys)
    rank = torch.arange(rows.numel(), device=counts.device) - matrix.indptr[rows]
    chosen = order[rank < fan_out].sort().values
    kept = counts.clamp(max=fan_out)
    indptr = torch.zeros_like(matrix.indptr)
    torch.cumsum(kept, 0, out=indptr[1:])
    scale = (counts.double() / kept.clamp(min=1)).to(matrix.values.dtype)
    return CSR(indptr, matrix.indices[chosen], matrix.values[chosen] * scale[rows[chosen]], matrix.n_cols)


def row_slice(matrix: CSR, start: int, stop: int) -> CSR:
    """Rows `start` to `stop` of a matrix, sharing its memory."""
    first, last = int(matrix.indptr[start]), int(matrix.indptr[stop])
    indptr = matrix.indptr[start : stop + 1] - matrix.indptr[start]
    return CSR(indptr, matrix.indices[first:last], matrix.values[first:last], matrix.n_cols)
