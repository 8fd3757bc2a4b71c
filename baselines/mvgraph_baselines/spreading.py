"""Spreading of labels over one graph, for every baseline that spreads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from mvgraph_baselines.inner_cv import InnerFolds, calibrate, log_loss, logits_of, tempered

#: Shares tried where none is given.
ALPHAS = (0.5, 0.8, 0.9, 0.97)
#: Residual, relative to the labels, at which an out-of-fold solution is good enough.
ROUGH = 1e-4


@dataclass(frozen=True)
class Spread:
    """Labels spread over a graph.

    Args:
        flow: F, from all training rows.
        alpha: share of a node's answer that comes from its neighbours.
        temperature: of the rows of F scaled to sum to 1.
        seen: classes that training rows have.

    Shapes:
        flow: (N, C) float64.
    """

    flow: np.ndarray
    alpha: float
    temperature: float
    seen: np.ndarray

    def answer(self, flow: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of rows of F; one that no label reaches is uniform. Shapes: (N, C)."""
        if self.temperature == 1.0:
            return as_probabilities(flow)
        shares = as_probabilities(flow)
        reached = flow.sum(axis=1, keepdims=True) > 0
        return np.where(reached, tempered(logits_of(shares), self.temperature, self.seen), shares)


def fit_spreading(
    smoothing: scipy.sparse.csr_array, folds: InnerFolds, alpha: float | None, temperature: float | None
) -> Spread:
    """Spread the labels of the training rows, with the alpha and temperature of lowest out-of-fold log-loss.

    Args:
        smoothing: S, (N, N), symmetric, of spectral radius at most 1.
        alpha, temperature: None chooses.
    """
    alphas = ALPHAS if alpha is None else (alpha,)
    chosen, heat, best = alphas[len(alphas) // 2], temperature or 1.0, np.inf
    if alpha is None or temperature is None:
        for tried in alphas:
            inside = _out_of_fold(smoothing, folds, tried)
            warm = calibrate(inside, folds, temperature)
            loss = log_loss(tempered(logits_of(inside), warm, folds.seen), folds.labels)
            if loss < best:
                best, chosen, heat = loss, tried, warm
    labels = np.zeros(smoothing.shape[0], dtype=np.int64)
    labels[folds.rows] = folds.labels
    flow = spread(smoothing, labels, folds.rows, folds.n_classes, chosen)
    return Spread(flow, chosen, heat, folds.seen)


def _out_of_fold(smoothing: scipy.sparse.csr_array, folds: InnerFolds, alpha: float) -> np.ndarray:
    """Shares of F at the training rows, each without the labels of its fold, (M, C)."""
    found = np.full((len(folds.rows), folds.n_classes), np.nan)
    if not folds.parts:
        return found
    known = np.zeros((smoothing.shape[0], len(folds.parts), folds.n_classes))
    for part, (fitted, _) in enumerate(folds.parts):
        known[folds.rows[fitted], part, folds.labels[fitted]] = 1.0
    flow = solve(smoothing, known.reshape(len(known), -1), alpha, ROUGH).reshape(known.shape)
    for part, (_, judged) in enumerate(folds.parts):
        found[judged] = as_probabilities(np.maximum(flow[folds.rows[judged], part], 0.0))
    return found


def solve(
    smoothing: scipy.sparse.csr_array, known: np.ndarray, alpha: float, tolerance: float, max_steps: int = 500
) -> np.ndarray:
    """`(1 - alpha) (I - alpha S)^-1 Y` by conjugate gradients, every column with its own step lengths.

    For symmetric S it needs about the square root of the steps of the iteration in `spread`.

    Shapes:
        known: Y, (N, K) -> (N, K) float64
    """
    smoothing = smoothing.astype(np.float64)
    right = (1.0 - alpha) * known
    found = np.zeros_like(right)
    residual = right.copy()
    direction = residual.copy()
    size = np.square(residual).sum(axis=0)
    enough = tolerance**2 * size
    for _ in range(max_steps):
        going = size > enough
        if not going.any():
            break
        moved = direction - alpha * (smoothing @ direction)
        bend = (direction * moved).sum(axis=0)
        step = np.where(going, size / np.where(bend > 0, bend, 1.0), 0.0)
        found += step * direction
        residual -= step * moved
        following = np.where(going, np.square(residual).sum(axis=0), size)
        direction = residual + np.where(going, following / np.where(size > 0, size, 1.0), 0.0) * direction
        size = following
    return found


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
