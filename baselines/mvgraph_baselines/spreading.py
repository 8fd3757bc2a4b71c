"""Spreading of labels over one graph, for every baseline that spreads."""

from __future__ import annotations

import numpy as np
import scipy.sparse


def spread_labels(
    smoothing: scipy.sparse.csr_array,
    labels: np.ndarray,
    rows: np.ndarray,
    n_classes: int,
    alpha: float,
    tolerance: float = 1e-8,
    max_steps: int = 2000,
) -> np.ndarray:
    """The fixed point of `F = alpha S F + (1 - alpha) Y` as probabilities: `as_probabilities(spread(...))`."""
    return as_probabilities(spread(smoothing, labels, rows, n_classes, alpha, tolerance, max_steps))


def spread(
    smoothing: scipy.sparse.csr_array,
    labels: np.ndarray,
    rows: np.ndarray,
    n_classes: int,
    alpha: float,
    tolerance: float = 1e-8,
    max_steps: int = 2000,
) -> np.ndarray:
    """The fixed point of `F = alpha S F + (1 - alpha) Y`.

    Args:
        smoothing: S, (N, N), a normalised adjacency whose spectral radius is at most 1.
        labels: (N,).
        rows: rows whose labels are known to the method.
        n_classes: C.
        alpha: in (0, 1).
        tolerance: largest change at which the iteration ends; the change shrinks by alpha a step.
        max_steps: iterations at most.

    Returns:
        (N, C) float64. Of a row that a few edges join to the rest, F is `S` of those edges times F of the rest,
        up to a factor that all classes share: that is how new rows are answered.
    """
    smoothing = smoothing.astype(np.float64)
    known = np.zeros((smoothing.shape[0], n_classes))
    known[rows, labels[rows]] = 1.0
    flow = known
    for _ in range(max_steps):
        following = alpha * (smoothing @ flow) + (1.0 - alpha) * known
        change = np.abs(following - flow).max(initial=0.0)
        flow = following
        if change < tolerance:
            break
    return flow


def as_probabilities(flow: np.ndarray) -> np.ndarray:
    """Rows scaled to sum 1; a row that no label reaches becomes uniform. Shapes: (N, C)."""
    total = flow.sum(axis=1, keepdims=True)
    return np.where(total > 0, flow / np.where(total > 0, total, 1.0), 1.0 / flow.shape[1])
