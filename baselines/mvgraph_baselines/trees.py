"""Extremely randomised trees with out-of-fold answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from mvgraph.errors import UserError
from mvgraph_baselines.inner_cv import InnerFolds, calibrate, log_loss, logits_of, tempered


@dataclass(frozen=True)
class Forest:
    """Fitted trees.

    Args:
        model: scikit-learn's.
        folds: the training rows.
        max_features: columns that a split chose from.
        temperature: of the mean of the trees' answers.
        out_of_fold: calibrated answers to the training rows, from trees fitted without them; NaN where there are none.

    Shapes:
        out_of_fold: (M, C).
    """

    model: ExtraTreesClassifier
    folds: InnerFolds
    max_features: int
    temperature: float
    out_of_fold: np.ndarray

    def answer(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities, (N, d) -> (N, C)."""
        logits = logits_of(_answer(self.model, x, self.folds.n_classes))
        return tempered(logits, self.temperature, self.folds.seen)

    @property
    def parameters(self) -> int:
        """Thresholds and leaves: one for every node of every tree."""
        return int(sum(tree.tree_.node_count for tree in self.model.estimators_))


def fit_forest(
    method: str,
    x: np.ndarray,
    folds: InnerFolds,
    seed: int,
    *,
    trees: int,
    fold_trees: int,
    min_samples_leaf: int = 1,
    max_features: int | None = None,
    temperature: float | None = None,
) -> Forest:
    """Fit on the training rows.

    Args:
        method: for the message.
        x: of the rows of `folds`; NaN where a row lacks a column.
        trees: of the forest that answers.
        fold_trees: of each forest that answers out of fold.
        max_features: columns that a split chooses from; None takes the better of sqrt(d) and 0.3 d.

    Raises:
        UserError: training rows of one class only.

    Shapes:
        x: (M, d).
    """
    if len(folds.seen) < 2:
        raise UserError(f"{method} needs training rows of at least two classes.")
    d = x.shape[1]
    tried = (max_features,) if max_features else (max(1, round(np.sqrt(d))), max(1, round(0.3 * d)))

    def grow(rows: np.ndarray, count: int, columns: int) -> ExtraTreesClassifier:
        model = ExtraTreesClassifier(
            count, max_features=min(columns, d), min_samples_leaf=min_samples_leaf, random_state=seed
        )
        return model.fit(x[rows], folds.labels[rows])

    def judge(columns: int, fitted: np.ndarray, judged: np.ndarray) -> np.ndarray:
        return _answer(grow(fitted, fold_trees, columns), x[judged], folds.n_classes)

    best: tuple[float, int, float, np.ndarray] | None = None
    for columns in dict.fromkeys(tried):
        inside = folds.out_of_fold(partial(judge, columns))
        heat = calibrate(inside, folds, temperature)
        found = tempered(logits_of(inside), heat, folds.seen)
        loss = log_loss(found, folds.labels)
        if best is None or loss < best[0]:
            best = (loss, columns, heat, found)
    assert best is not None
    _, columns, heat, found = best
    model = grow(np.arange(len(x)), trees, columns)
    return Forest(model, folds, columns, heat, found)


def _answer(model: ExtraTreesClassifier, x: np.ndarray, n_classes: int) -> np.ndarray:
    found = np.zeros((len(x), n_classes))
    found[:, model.classes_] = model.predict_proba(x)
    return found
