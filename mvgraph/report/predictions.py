"""What the stored probabilities say: who is taken for whom, and whether a probability can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvgraph.report.snapshot import Predictions

BINS = 15
#: A bin with fewer rows than this says more about chance than about calibration.
LEAST_ROWS = 10


@dataclass(frozen=True)
class Reliability:
    """Shapes: all (at most BINS,); bins of fewer than LEAST_ROWS rows are left out."""

    confidence: np.ndarray
    accuracy: np.ndarray
    share: np.ndarray


def confusion(cells: Sequence[Predictions]) -> np.ndarray:
    """Counts over all cells. Shapes: (C, C), true class x predicted class."""
    n_classes = max(p.probabilities.shape[1] for p in cells)
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    for cell in cells:
        np.add.at(counts, (cell.truth, cell.probabilities.argmax(axis=1)), 1)
    return counts


def row_shares(counts: np.ndarray) -> np.ndarray:
    """Each row divided by its class's count; a class that never occurs stays zero."""
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def largest_confusion(counts: np.ndarray) -> tuple[int, int, float] | None:
    """(true, predicted, share of the true class), the largest off the diagonal; ``None`` when there is no mistake."""
    shares = row_shares(counts).copy()
    np.fill_diagonal(shares, 0.0)
    if not shares.any():
        return None
    true, predicted = np.unravel_index(int(shares.argmax()), shares.shape)
    return int(true), int(predicted), float(shares[true, predicted])


def reliability(cells: Sequence[Predictions]) -> Reliability:
    """Top-1 confidence against how often it was right, in BINS bins of equal width over all cells' test rows."""
    confidence = np.concatenate([p.probabilities.max(axis=1) for p in cells])
    right = np.concatenate([p.probabilities.argmax(axis=1) == p.truth for p in cells]).astype(np.float64)
    at = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(at, minlength=BINS)
    used = counts >= LEAST_ROWS
    return Reliability(
        np.bincount(at, weights=confidence, minlength=BINS)[used] / counts[used],
        np.bincount(at, weights=right, minlength=BINS)[used] / counts[used],
        counts[used] / counts.sum(),
    )
