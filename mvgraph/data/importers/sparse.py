"""Sparse matrices out of files, made dense after every index was checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse

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
    """A stored compressed matrix as dense float32; indices are checked, for scipy would follow them anywhere.

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
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # Inf is refused with its place when the view is checked
        matrix = kind((values.astype(np.float32), indices, pointers), shape=shape)
    return np.asarray(matrix.toarray())
