"""Sparse matrices out of files, made dense after every index was checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse

from mvgraph.data.resolution import BLOCK_VALUES, Resolution, may_lose
from mvgraph.errors import UserError


def checked_sparse(
    form: str,
    values: np.ndarray,
    indices: np.ndarray,
    pointers: np.ndarray,
    shape: tuple[int, int],
    path: Path,
    name: str,
) -> np.ndarray:
    """A stored compressed matrix as a dense one; indices are checked, for scipy would follow them anywhere.

    float32, or float64 where that would lose something.

    Shapes: values and indices (nnz,), pointers (rows + 1,) -> shape.

    Raises:
        UserError: pointers or indices that do not fit the shape.
    """
    major, minor = shape if form == "csr" else shape[::-1]
    fits = (
        values.ndim == 1
        and values.shape == indices.shape
        and pointers.size == major + 1
        and pointers[0] == 0
        and pointers[-1] == indices.size
        and bool((np.diff(pointers) >= 0).all())
        and (indices.size == 0 or (int(indices.min()) >= 0 and int(indices.max()) < minor))
    )
    if not fits:
        raise UserError(
            f"{path}: the sparse array {name} is damaged: its indices do not fit its shape {shape}."
        )
    kind = sparse.csr_matrix if form == "csr" else sparse.csc_matrix
    wide = kind((values.astype(np.float64), indices, pointers), shape=shape)
    held = suited_sparse(wide) if may_lose(values.dtype) else np.float32
    # Inf is refused with its place when the view is checked.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.asarray(wide.astype(held).toarray())


def suited_sparse(matrix: sparse.spmatrix) -> type[np.floating]:
    """The type a sparse view is held in once it is dense, without a dense copy in float64.

    Shapes: (N, d) float64.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if np.array_equal(matrix.data, matrix.data.astype(np.float32), equal_nan=True):
            return np.float32
    rows = matrix.tocsr()
    watch = Resolution(rows.shape)
    block = max(1, BLOCK_VALUES // max(1, rows.shape[1]))
    for start in range(0, rows.shape[0], block):
        watch.look(rows[start : start + block].toarray(), start)
    return np.float32 if watch.loss() is None else np.float64
