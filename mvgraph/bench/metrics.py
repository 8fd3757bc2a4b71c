"""Metrics of one part (validation or test) of one cell, in float64.

Shapes:
    probabilities: (N, C), rows sum to one; labels: (N,), int64 in 0..C-1.

Conventions, the same for every method:

- Probabilities are cast to float64, every row is divided by its sum, and only inside a logarithm clipped to
  [`CLIP`, 1] (`CLIP` is float32's machine epsilon, since probabilities are stored as float32): one row costs
  at most 15.94 nats.
- Logarithms are natural. `log_loss` is the micro mean over rows, `macro_log_loss` the mean over classes of the
  mean over the rows of that class (the DCASE convention).
- `macro_accuracy` is the mean recall of the classes that occur among the labels (sklearn's balanced accuracy);
  `macro_f1` averages over the classes that occur among labels or predictions (sklearn's default).
- `brier` is the multi-class score, the sum over classes of the squared difference, mean over rows: 0 to 2.
- `ece` is the expected calibration error of the top probability (Guo et al. 2017, Eq. 3) with 15 bins of equal
  width, closed on the right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CLIP = float(np.finfo(np.float32).eps)
ECE_BINS = 15
NAMES = ("accuracy", "macro_accuracy", "macro_f1", "log_loss", "macro_log_loss", "brier", "ece")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def normalise(probabilities: NDArray[Any]) -> Floats:
    """Float64 rows that sum to one.

    Raises:
        ValueError: a value is not finite or negative, or a row sums to zero.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2:
        raise ValueError(f"Probabilities must be a matrix (rows, classes), not of shape {p.shape}.")
    bad = ~np.isfinite(p).all(axis=1) | (p < 0).any(axis=1)
    sums = np.where(bad, 1.0, p.sum(axis=1))
    bad |= sums <= 0
    if bad.any():
        raise ValueError(
            f"Probabilities of row {int(np.flatnonzero(bad)[0])} ({int(bad.sum())} of {len(p)} rows) are not "
            "finite, negative or all zero: the training diverged or the method is broken."
        )
    return p / sums[:, None]


def accuracy(p: Floats, y: Ints) -> float:
    """Share of rows whose largest probability is at the label (micro accuracy)."""
    return float((p.argmax(axis=1) == y).mean())


def macro_accuracy(p: Floats, y: Ints) -> float:
    """Mean over the classes among `y` of the accuracy within the class."""
    hit = p.argmax(axis=1) == y
    return float(np.mean([hit[y == c].mean() for c in np.unique(y)]))


def macro_f1(p: Floats, y: Ints) -> float:
    """Mean F1 over the classes that occur among labels or predictions; 0 where precision and recall are 0."""
    guess = p.argmax(axis=1)
    scores = []
    for c in np.union1d(y, guess):
        both = np.count_nonzero((guess == c) & (y == c))
        scores.append(2.0 * both / (np.count_nonzero(guess == c) + np.count_nonzero(y == c)))
    return float(np.mean(scores))


def _losses(p: Floats, y: Ints) -> Floats:
    losses: Floats = -np.log(np.clip(p[np.arange(len(y)), y], CLIP, 1.0))
    return losses


def log_loss(p: Floats, y: Ints) -> float:
    """Mean natural-log cross-entropy over rows."""
    return float(_losses(p, y).mean())


def macro_log_loss(p: Floats, y: Ints) -> float:
    """Mean over the classes among `y` of the mean cross-entropy within the class."""
    losses = _losses(p, y)
    return float(np.mean([losses[y == c].mean() for c in np.unique(y)]))


def brier(p: Floats, y: Ints) -> float:
    """Mean over rows of the squared distance to the one-hot label (0 to 2)."""
    target = np.zeros_like(p)
    target[np.arange(len(y)), y] = 1.0
    return float(((p - target) ** 2).sum(axis=1).mean())


def ece(p: Floats, y: Ints, bins: int = ECE_BINS) -> float:
    """Expected calibration error of the top probability, `bins` equal-width bins (l, r], weighted by count."""
    confidence = p.max(axis=1)
    hit = p.argmax(axis=1) == y
    # Edge i/bins belongs to the bin on its left: searchsorted on the left side finds just that.
    edges = np.arange(1, bins) / bins
    where = np.searchsorted(edges, confidence, side="left")
    total = 0.0
    for b in np.unique(where):
        inside = where == b
        total += inside.sum() * abs(hit[inside].mean() - confidence[inside].mean())
    return float(total / len(y))


def part_metrics(probabilities: NDArray[Any], labels: NDArray[Any]) -> dict[str, float | None]:
    """All metrics of one part; every value is None when the part has no rows.

    Raises:
        ValueError: probabilities are not finite, or labels and rows do not match.
    """
    y = np.asarray(labels, dtype=np.int64)
    if len(y) == 0:
        return dict.fromkeys(NAMES)
    p = normalise(probabilities)
    if len(p) != len(y):
        raise ValueError(f"{len(p)} rows of probabilities do not match {len(y)} labels.")
    if y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(
            f"Labels must lie in 0..{p.shape[1] - 1}; an unlabelled or unknown row is in the part."
        )
    functions = (accuracy, macro_accuracy, macro_f1, log_loss, macro_log_loss, brier, ece)
    return {name: function(p, y) for name, function in zip(NAMES, functions, strict=True)}


def apart(
    probabilities: NDArray[Any], labels: NDArray[Any], complete: NDArray[np.bool_]
) -> dict[str, dict[str, float | int | None]]:
    """Rows that have every view and rows that lack one: how many, and the accuracy on them (None without rows).

    Args:
        complete: whether a row has every view. Shapes: (N,).
    """
    y = np.asarray(labels, dtype=np.int64)
    hit = np.asarray(probabilities).argmax(axis=1) == y if len(y) else np.zeros(0, dtype=bool)
    return {
        name: {"rows": int(rows.sum()), "accuracy": float(hit[rows].mean()) if rows.any() else None}
        for name, rows in (("complete", complete), ("incomplete", ~complete))
    }
