"""Sparse algebra of adjacencies: merge, symmetrise, self loops, Laplacian, permutation. No Python loops.

Everything works on canonical CSR and returns canonical CSR. Two matrices are merged by looking up positions
in sorted keys, which takes no second sort, a chunk of rows at a time.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.graph.csr import CSR

#: Entries worked off at a time: temporaries stay small beside the edges (a GPU wants larger pieces).
CHUNK = {"cpu": 2**19, "cuda": 2**24}


def symmetrise(a: CSR, how: str) -> CSR:
    """A symmetric adjacency from a directed one.

    "max": max(A, A^T). "mean": (A + A^T) / 2. "union": an edge where either direction has one, its weight the
    mean over the directions that are present. "directed": A as it is.

    Raises:
        UserError: another word for `how`.
    """
    if how == "directed":
        return a
    if how not in ("max", "mean", "union"):
        raise UserError(f"symmetrise {how!r} is unknown; choose 'max', 'mean', 'union' or 'directed'")
    return merge(a, a.transpose(), how)


def merge(a: CSR, b: CSR, how: str) -> CSR:
    """Two matrices of one shape combined entry by entry; an absent entry counts as 0.

    "sum", "max", "mean" (of two numbers, absent ones 0), "union" (mean over those present). Counts first, then
    fills: beside the two and the result only a chunk of rows is in memory.
    """
    if how not in ("sum", "max", "mean", "union"):
        raise UserError(f"cannot merge by {how!r}; choose 'sum', 'max', 'mean' or 'union'")
    chunks = row_chunks(a, b)
    counts = a.counts() + b.counts()
    for low, high in chunks:
        match = _Match(a, b, low, high)
        counts[low:high] -= torch.bincount(match.row_a[match.in_b] - low, minlength=high - low)
    indptr = _indptr(counts)
    indices = torch.empty(int(indptr[-1]), dtype=torch.int64, device=a.device)
    values = torch.empty(indices.numel(), dtype=a.dtype, device=a.device)
    for low, high in chunks:
        base = int(indptr[low])
        match = _Match(a, b, low, high)
        mine, theirs = match.slots()
        indices[base + mine] = match.a_indices
        indices[base + theirs] = match.b_indices[match.only_b]
        values[base + mine], values[base + theirs] = match.combined(how)
    return CSR(indptr, indices, values, a.n_cols)


class _Match:
    """Which entries two matrices share, for rows low .. high - 1, by looking sorted keys up in sorted keys."""

    def __init__(self, a: CSR, b: CSR, low: int, high: int) -> None:
        self.row_a, self.a_indices, self.a_values = rows_of(a, low, high)
        row_b, self.b_indices, self.b_values = rows_of(b, low, high)
        self.key_a = (self.row_a - low) * a.n_cols + self.a_indices
        self.key_b = (row_b - low) * a.n_cols + self.b_indices
        self.at = torch.searchsorted(self.key_b, self.key_a)
        inside = self.at < self.key_b.numel()
        self.in_b = inside.clone()
        self.in_b[inside] = self.key_b[self.at[inside]] == self.key_a[inside]
        self.only_b = torch.ones(self.key_b.numel(), dtype=torch.bool, device=a.device)
        self.only_b[self.at[self.in_b]] = False

    def slots(self) -> tuple[Tensor, Tensor]:
        """Places of the entries of A, and of those of B alone, in the union."""
        # An entry moves right by the entries of the other alone that come before it.
        before = _indptr(self.only_b)
        mine = torch.arange(self.key_a.numel(), device=before.device) + before[self.at]
        alone = self.key_b[self.only_b]
        theirs = torch.arange(alone.numel(), device=before.device) + torch.searchsorted(self.key_a, alone)
        return mine, theirs

    def combined(self, how: str) -> tuple[Tensor, Tensor]:
        """Values of the entries of A, and of those of B alone."""
        partner = torch.zeros_like(self.a_values)
        partner[self.in_b] = self.b_values[self.at[self.in_b]]
        alone = self.b_values[self.only_b]
        if how == "max":
            return torch.maximum(self.a_values, partner), alone.clamp(min=0)
        if how == "sum":
            return self.a_values + partner, alone
        if how == "mean":
            return (self.a_values + partner) / 2, alone / 2
        return torch.where(self.in_b, (self.a_values + partner) / 2, self.a_values), alone


def add_self_loops(a: CSR, weight: float = 1.0) -> CSR:
    """A + weight I for a square A without diagonal entries."""
    n = a.n_rows
    indptr = a.indptr + torch.arange(n + 1, device=a.device)
    indices = torch.empty(a.nnz + n, dtype=torch.int64, device=a.device)
    values = torch.empty(a.nnz + n, dtype=a.dtype, device=a.device)
    for low, high in row_chunks(a):
        row, column, value = rows_of(a, low, high)
        right = column > row
        slot = torch.arange(row.numel(), device=a.device) + row + right + a.indptr[low]
        indices[slot], values[slot] = column, value
        # The diagonal entry of a row comes after those of its entries that lie left of the diagonal.
        nodes = torch.arange(low, high, device=a.device)
        diagonal = indptr[low:high] + torch.bincount(row[~right] - low, minlength=high - low)
        indices[diagonal], values[diagonal] = nodes, weight
    return CSR(indptr, indices, values, n)


def laplacian(a: CSR, self_loops: float = 1.0) -> CSR:
    """Normalised Laplacian of Eq. 2: D^-1/2 (A + w I) D^-1/2, D the row sums of A + w I on both sides.

    For a directed A the row sums serve both sides, as Eq. 2 writes it. A node without edges keeps its self
    loop, which normalises to 1. A symmetric A gives a Laplacian that is symmetric to the last bit.
    """
    looped = add_self_loops(a, self_loops)
    scale = looped.row_sums().double().rsqrt().to(a.dtype)
    for low, high in row_chunks(looped):
        row, column, value = rows_of(looped, low, high)
        value.copy_((scale[row] * scale[column]).mul_(value))  # nobody else has seen these values yet
    return looped


def row_chunks(*matrices: CSR) -> list[tuple[int, int]]:
    """Ranges of rows that hold about `CHUNK` entries of all matrices together, at least one row each."""
    entries = matrices[0].indptr.clone()
    for matrix in matrices[1:]:
        entries += matrix.indptr
    steps = torch.arange(0, int(entries[-1]) + 1, CHUNK[entries.device.type], device=entries.device)
    bounds = torch.searchsorted(entries, steps).unique().tolist()
    n = matrices[0].n_rows
    bounds = sorted({0, *(bound for bound in bounds if bound < n), n})
    return list(itertools.pairwise(bounds))


def rows_of(a: CSR, low: int, high: int) -> tuple[Tensor, Tensor, Tensor]:
    """Row (expanded), column and value of the entries of rows low .. high - 1; the last two share memory."""
    first, last = int(a.indptr[low]), int(a.indptr[high])
    counts = a.indptr[low : high + 1].diff()
    row = torch.repeat_interleave(torch.arange(low, high, device=a.device), counts, output_size=last - first)
    return row, a.indices[first:last], a.values[first:last]


def _indptr(counts: Tensor) -> Tensor:
    indptr = torch.zeros(counts.numel() + 1, dtype=torch.int64, device=counts.device)
    torch.cumsum(counts, 0, out=indptr[1:])
    return indptr


def permute(a: CSR, order: Tensor) -> CSR:
    """Node i of the result is node order[i] of `a`: P A P^T.

    Shapes:
        order: (N,) int64, a permutation
    """
    where = torch.empty_like(order)
    where[order] = torch.arange(order.numel(), device=order.device)
    return CSR.from_edges(where[a.rows()], where[a.indices], a.values, a.shape)
