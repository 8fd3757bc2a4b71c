"""Cross-validation inside the training rows: how a baseline chooses its settings and calibrates its answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError

#: Folds where rows are neither few nor many.
FOLDS = 5
#: Beyond so many rows three folds say as much.
MANY_ROWS = 5000
#: Below so many rows, with classes of fewer than FOLDS, every row is a fold.
FEW_ROWS = 40
#: Smallest probability that enters a logarithm, as in the protocol's log-loss.
FLOOR = float(np.finfo(np.float32).eps)
#: Range of temperatures.
COLDEST, HOTTEST = 1e-2, 1e2


@dataclass(frozen=True)
class InnerFolds:
    """Training rows and the fold in which each is judged by a model that was fitted without it.

    A class keeps members on both sides: where a fold holds all rows of a class, these rows are fitted on in every
    fold and judged in none. So a model always knows every class of the training rows.

    Args:
        rows: training rows, in an order that depends on their content alone.
        labels: of these rows.
        number: fold of each row.
        n_classes: C, of the data; some classes may have no training row.

    Shapes:
        rows, labels, number: (M,) int64.
    """

    rows: np.ndarray
    labels: np.ndarray
    number: np.ndarray
    n_classes: int

    @cached_property
    def parts(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """Of every fold the positions in `rows` to fit on and those to judge."""
        found = []
        for fold in np.unique(self.number):
            held = self.number == fold
            judged = held & np.isin(self.labels, self.labels[~held])
            if judged.any() and len(np.unique(self.labels[~judged])) > 1:
                found.append((np.flatnonzero(~judged), np.flatnonzero(judged)))
        return tuple(found)

    @cached_property
    def seen(self) -> np.ndarray:
        """Classes that training rows have, ascending."""
        return np.unique(self.labels)

    @property
    def frequencies(self) -> np.ndarray:
        """Share of each class among the training rows, (C,)."""
        return np.bincount(self.labels, minlength=self.n_classes) / len(self.labels)

    def restricted(self, kept: np.ndarray) -> InnerFolds:
        """The rows where `kept` holds, in the folds they have. Shapes: kept (M,) bool."""
        return InnerFolds(self.rows[kept], self.labels[kept], self.number[kept], self.n_classes)

    def out_of_fold(self, answer: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """What models say of rows that they were not fitted on.

        Args:
            answer: positions to fit on, positions to judge (m,) -> (m, C).

        Returns:
            (M, C) float64; NaN in rows that no fold judges.
        """
        found = np.full((len(self.rows), self.n_classes), np.nan)
        for fitted, judged in self.parts:
            found[judged] = answer(fitted, judged)
        return found


def inner_folds(data: MultiViewData, split: Split, folds: int | None = None) -> InnerFolds:
    """Stratified folds of the training rows; labels and rows of other parts are not read.

    Which rows go together depends on their content, not on their numbers or on a seed: renumbered data has the
    same folds, and a method without chance stays without. Where the split keeps the rows of a group (a clip, a
    city) together, so do the folds: of several such kinds the one with the fewest groups, if they are enough.

    Args:
        folds: how many; None takes 5, 3 for more than 5000 rows, and one a row for few rows of small classes.
    """
    rows = split.train[np.argsort(_digests(data, split.train), kind="stable")]
    labels = data.labels[rows]
    if folds is None:
        folds = _fold_count(labels)
    units = _units(data, split, rows, folds)
    number = _dealt(labels, folds) if units is None else _dealt_groups(labels, units, folds)
    return InnerFolds(rows, labels, number, data.n_classes)


def _fold_count(labels: np.ndarray) -> int:
    n = len(labels)
    counts = np.unique(labels, return_counts=True)[1]
    if n < FEW_ROWS and np.median(counts) < FOLDS:
        return n
    return FOLDS if n <= MANY_ROWS else 3


def _digests(data: MultiViewData, rows: np.ndarray) -> np.ndarray:
    """A short text of fixed length for the content of each row. Shapes: (M,) -> (M,)."""
    parts = [np.ascontiguousarray(data.views[view][rows]).view(np.uint8) for view in data.view_names]
    labels = np.ascontiguousarray(data.labels[rows, None]).view(np.uint8)
    table = np.concatenate([*parts, labels], axis=1)
    return np.array([hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in table])


def _dealt(labels: np.ndarray, folds: int) -> np.ndarray:
    """Classes dealt out one after the other: sizes of folds, and of a class in them, differ by at most one."""
    number = np.empty(len(labels), dtype=np.int64)
    number[np.argsort(labels, kind="stable")] = np.arange(len(labels)) % folds
    return number


def _units(data: MultiViewData, split: Split, rows: np.ndarray, folds: int) -> np.ndarray | None:
    """Group number of each row, for the kind of group that the split keeps together; None if there is none."""
    others = np.concatenate([split.validation, split.test])
    best: np.ndarray | None = None
    fewest = len(rows)
    for values in data.groups.values():
        held = np.asarray(values)
        names, position = np.unique(held[rows], return_inverse=True)
        if folds <= len(names) < fewest and len(others) and not np.isin(held[others], names).any():
            best, fewest = position.reshape(-1), len(names)
    return best


def _dealt_groups(labels: np.ndarray, units: np.ndarray, folds: int) -> np.ndarray:
    """Whole groups, the largest first, each to the fold in which its classes are rarest."""
    codes = np.unique(labels, return_inverse=True)[1].reshape(-1)
    counts = np.zeros((int(units.max()) + 1, int(codes.max()) + 1))
    np.add.at(counts, (units, codes), 1.0)
    first = np.full(len(counts), len(units))
    np.minimum.at(first, units, np.arange(len(units)))
    share = counts / counts.sum(axis=0)
    filled = np.zeros((folds, counts.shape[1]))
    fold_of = np.empty(len(counts), dtype=np.int64)
    for unit in np.lexsort((first, -counts.sum(axis=1))):
        fold_of[unit] = int(np.argmin(((filled + share[unit]) ** 2 - filled**2).sum(axis=1)))
        filled[fold_of[unit]] += share[unit]
    return fold_of[units]


# -- calibration --------------------------------------------------------------------------------


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -log of the label's probability over the rows without NaN; infinite when there are none.

    Shapes: probabilities (M, C); labels (M,).
    """
    judged = ~np.isnan(probabilities).any(axis=1)
    if not judged.any():
        return float("inf")
    own = probabilities[judged, labels[judged]]
    return float(-np.log(np.clip(own, FLOOR, 1.0)).mean())


def logits_of(probabilities: np.ndarray) -> np.ndarray:
    """Logarithms, no smaller than that of `FLOOR`. Shapes: (M, C)."""
    return np.log(np.clip(probabilities, FLOOR, None))


def tempered(logits: np.ndarray, temperature: float, seen: np.ndarray) -> np.ndarray:
    """softmax(logits / temperature) over the classes `seen`; the others get 0. Shapes: (M, C)."""
    found = np.zeros(logits.shape)
    found[:, seen] = softmax(logits[:, seen] / temperature, axis=1)
    return found


def fit_temperature(logits: np.ndarray, labels: np.ndarray, seen: np.ndarray) -> float:
    """The temperature with the lowest log-loss (Guo et al. 2017, section 4.2), from out-of-fold logits.

    Rows with NaN are left out. Labels are smoothed as Laplace's rule asks: of n rows that were all told right the
    next one is right with probability (n + 1) / (n + 2), so that few easy rows make no certainty.

    Shapes:
        logits: (M, C); labels: (M,); seen: classes that may be answered.

    Returns:
        A number in [0.01, 100]; 1 when no row was judged or there is one class.
    """
    judged = ~np.isnan(logits[:, seen]).any(axis=1)
    if not judged.any() or len(seen) < 2:
        return 1.0

    def loss(log_temperature: float) -> float:
        return smoothed_log_loss(logits[judged], labels[judged], seen, float(np.exp(log_temperature)))

    # In 1 / temperature the loss is convex, so that it has one valley on any scale.
    found = minimize_scalar(
        loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def smoothed_log_loss(logits: np.ndarray, labels: np.ndarray, seen: np.ndarray, temperature: float) -> float:
    """Mean log-loss of tempered logits under labels that are smoothed as in `fit_temperature`.

    Shapes:
        logits: (n, C) without NaN; labels: (n,); seen: at least two classes.
    """
    n, c = len(labels), len(seen)
    target = np.full((n, c), 1.0 / (n + 2) / (c - 1))
    target[np.arange(n), np.searchsorted(seen, labels)] = (n + 1) / (n + 2)
    return -float((target * log_softmax(logits[:, seen] / temperature, axis=1)).sum()) / n


def calibrate(probabilities: np.ndarray, folds: InnerFolds, temperature: float | None) -> float:
    """`temperature`, or the one fitted to out-of-fold probabilities (M, C) when it is None."""
    if temperature is not None:
        return float(temperature)
    return fit_temperature(logits_of(probabilities), folds.labels, folds.seen)


def check_temperature(method: str, temperature: float | None) -> None:
    """Refuse a temperature that is not positive.

    Raises:
        UserError: so it is.
    """
    if temperature is not None and not temperature > 0:
        raise UserError(f"{method}: temperature={temperature}; give a positive number, e.g. 1.0.")
