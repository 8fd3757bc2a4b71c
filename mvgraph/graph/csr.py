"""Compressed sparse rows: the one sparse format of the package, canonical and immutable.

Every adjacency and every Laplacian is a `CSR`. Canonical order (rows ascending, columns ascending inside a
row, no duplicates) makes equal matrices equal bit by bit, so a content hash and a cache key mean something.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from mvgraph.errors import UserError

# torch says so once per process, at the first sparse tensor; the user can do nothing about it.
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

Duplicates = Literal["error", "max", "sum"]


@dataclass(frozen=True, eq=False)
class CSR:
    """A sparse matrix of N rows and M columns with E stored entries; zeros may be stored.

    Shapes:
        indptr: (N + 1,) int64, row i owns entries `indptr[i]:indptr[i + 1]`
        indices: (E,) int64, columns, ascending inside a row, no column twice in a row
        values: (E,) floating
    """

    indptr: Tensor
    indices: Tensor
    values: Tensor
    n_cols: int

    def __post_init__(self) -> None:
        if self.indptr.ndim != 1 or self.indptr.numel() < 1:
            raise UserError("indptr of a CSR must be a vector with one entry more than there are rows")
        if self.indices.shape != self.values.shape or self.indices.ndim != 1:
            raise UserError(
                f"indices {tuple(self.indices.shape)} and values {tuple(self.values.shape)} of a CSR must be "
                "vectors of one length"
            )
        if self.indptr.dtype != torch.int64 or self.indices.dtype != torch.int64:
            raise UserError("indptr and indices of a CSR must be int64")

    @property
    def n_rows(self) -> int:
        return self.indptr.numel() - 1

    @property
    def shape(self) -> tuple[int, int]:
        return self.n_rows, self.n_cols

    @property
    def nnz(self) -> int:
        return self.indices.numel()

    @property
    def device(self) -> torch.device:
        return self.values.device

    @property
    def dtype(self) -> torch.dtype:
        return self.values.dtype

    def __repr__(self) -> str:
        return f"CSR({self.n_rows} x {self.n_cols}, {self.nnz} entries, {self.dtype}, {self.device})"

    def counts(self) -> Tensor:
        """Entries per row, (N,) int64."""
        return self.indptr.diff()

    def rows(self) -> Tensor:
        """The row of every entry, (E,) int64 (expanded anew at each call: it is as large as `indices`)."""
        rows = torch.arange(self.n_rows, device=self.device)
        return torch.repeat_interleave(rows, self.counts(), output_size=self.nnz)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> CSR:
        """The same matrix elsewhere or in another precision; `self` when nothing changes."""
        target = self.device if device is None else torch.device(device)
        values = self.values.to(target, dtype or self.dtype)
        if values is self.values:
            return self
        return CSR(self.indptr.to(target), self.indices.to(target), values, self.n_cols)

    @cached_property
    def adjacency_fault(self) -> str | None:
        """Why this cannot be an adjacency (a self loop, a weight below 0 or not finite), or None."""
        if self.nnz == 0:
            return None
        loops = self.rows() == self.indices
        if bool(loops.any()):
            return f"has a self loop at node {int(self.indices[loops][0])}; leave the diagonal out"
        low, high = self.values.aminmax()
        # Negated, because every comparison with NaN is false.
        if not (bool(low >= 0) and bool(high < torch.inf)):
            return "has a weight that is negative or not finite; weights must be at least 0"
        return None

    def with_values(self, values: Tensor) -> CSR:
        """The same pattern with other values."""
        return CSR(self.indptr, self.indices, values, self.n_cols)

    @cached_property
    def _torch(self) -> Tensor:
        with warnings.catch_warnings():
            # torch announces once a process that its CSR support is young; there is nothing a user could do.
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            return torch.sparse_csr_tensor(
                self.indptr, self.indices, self.values, size=self.shape, check_invariants=False
            )

    def to_torch(self) -> Tensor:
        """The matrix as `torch.sparse_csr` sharing this memory (made once)."""
        return self._torch

    def to_scipy(self) -> scipy.sparse.csr_array:
        """The matrix as a `scipy.sparse.csr_array` on the CPU."""
        parts = (self.values, self.indices, self.indptr)
        return scipy.sparse.csr_array(tuple(part.cpu().numpy() for part in parts), shape=self.shape)

    def to_dense(self) -> Tensor:
        """The matrix as a dense (N, M) tensor: for tests and small examples."""
        dense = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
        dense[self.rows(), self.indices] = self.values
        return dense

    def row_sums(self) -> Tensor:
        """Sum of every row, (N,), accumulated in float64 and rounded once."""
        if self.n_rows == 0:
            return self.values.new_zeros(0)
        # Not index_add: on a GPU its order, and so its last bit, changes from run to run.
        sums = torch.segment_reduce(self.values.double(), "sum", offsets=self.indptr, initial=0.0)
        return sums.to(self.dtype)

    def matmul(self, h: Tensor) -> Tensor:
        """`A @ H` for dense H.

        Shapes:
            h: (M, F) -> (N, F)
        """
        return self.to_torch() @ h

    def transpose(self) -> CSR:
        """The transposed matrix, canonical again."""
        if self.device.type == "cpu" and self.dtype in (torch.float32, torch.float64):
            # Counting sort in C: linear, and no temporary beyond the result.
            turned = self.to_scipy().tocsc()
            indptr, indices = torch.from_numpy(turned.indptr), torch.from_numpy(turned.indices)
            return CSR(indptr.long(), indices.long(), torch.from_numpy(turned.data), self.n_rows)
        # Entries already lie in ascending row order, so a stable sort by column is all that is needed.
        order = torch.argsort(self.indices, stable=True)
        rows = self.rows()[order]
        counts = torch.bincount(self.indices, minlength=self.n_cols)
        return CSR(_indptr(counts), rows, self.values[order], self.n_rows)

    @classmethod
    def eye(cls, n: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> CSR:
        """The identity of n nodes."""
        index = torch.arange(n + 1, device=device)
        return cls(index, index[:-1].clone(), torch.ones(n, dtype=dtype, device=device), n)

    @classmethod
    def empty(
        cls,
        n_rows: int,
        n_cols: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> CSR:
        """A matrix without entries."""
        indices = torch.zeros(0, dtype=torch.int64, device=device)
        indptr = torch.zeros(n_rows + 1, dtype=torch.int64, device=device)
        return cls(indptr, indices, torch.zeros(0, dtype=dtype, device=device), n_cols)

    @classmethod
    def from_scipy(cls, matrix: scipy.sparse.sparray | scipy.sparse.spmatrix) -> CSR:
        """A CSR from any scipy sparse matrix; duplicates are summed, as scipy means them."""
        csr = scipy.sparse.csr_array(matrix, copy=True)
        csr.sum_duplicates()
        csr.sort_indices()
        values = torch.from_numpy(np.ascontiguousarray(csr.data))
        if not values.is_floating_point():
            values = values.to(torch.float32)
        indptr = torch.from_numpy(csr.indptr.astype(np.int64))
        return cls(indptr, torch.from_numpy(csr.indices.astype(np.int64)), values, csr.shape[1])

    @classmethod
    def from_edges(
        cls,
        rows: Tensor,
        cols: Tensor,
        values: Tensor,
        shape: tuple[int, int],
        duplicates: Duplicates = "error",
    ) -> CSR:
        """A CSR from edges in any order.

        Shapes:
            rows, cols: (E,) int64
            values: (E,) floating
        Raises:
            UserError: an edge lies outside `shape`, or occurs twice under `duplicates="error"`.
        """
        n_rows, n_cols = shape
        _check_range("row", rows, n_rows)
        _check_range("column", cols, n_cols)
        key = rows * n_cols + cols
        key, order = torch.sort(key, stable=True)
        values = values[order]
        del order
        if key.numel() > 1 and bool((repeated := key[1:] == key[:-1]).any()):
            if duplicates == "error":
                edge = int(key[:-1][repeated][0])
                raise UserError(
                    f"edge ({edge // n_cols}, {edge % n_cols}) occurs more than once; give each edge once, "
                    'or say duplicates="max" or "sum"'
                )
            key, slot = torch.unique_consecutive(key, return_inverse=True)
            merged = torch.zeros(key.numel(), dtype=values.dtype, device=values.device)
            if duplicates == "max":
                values = merged.scatter_reduce_(0, slot, values, "amax", include_self=False)
            else:
                values = merged.index_add_(0, slot, values)
        counts = torch.bincount(key // n_cols, minlength=n_rows)
        return cls(_indptr(counts), key % n_cols, values, n_cols)


def _indptr(counts: Tensor) -> Tensor:
    indptr = torch.zeros(counts.numel() + 1, dtype=torch.int64, device=counts.device)
    torch.cumsum(counts, 0, out=indptr[1:])
    return indptr


def _check_range(what: str, index: Tensor, bound: int) -> None:
    if index.numel() and (int(index.min()) < 0 or int(index.max()) >= bound):
        bad = int(index.min()) if int(index.min()) < 0 else int(index.max())
        raise UserError(f"{what} {bad} of an edge lies outside 0..{bound - 1}")
