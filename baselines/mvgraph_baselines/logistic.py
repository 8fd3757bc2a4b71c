"""What the logistic-regression baselines share."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from mvgraph.errors import UserError


def fit_logistic(x: np.ndarray, labels: np.ndarray, rows: np.ndarray, strength: float) -> LogisticRegression:
    """Multinomial logistic regression with L2 penalty on the training rows.

    Args:
        x: (N, d).
        labels: (N,).
        rows: training rows.
        strength: inverse of the penalty, scikit-learn's C.

    Raises:
        UserError: a strength that is not positive, or training rows of one class only.
    """
    if not strength > 0:
        raise UserError(f"strength={strength}: give a positive inverse penalty, e.g. 1.0.")
    if len(np.unique(labels[rows])) < 2:
        raise UserError("A logistic regression needs training rows of at least two classes.")
    return LogisticRegression(C=strength, max_iter=2000).fit(x[rows], labels[rows])


def class_probabilities(model: LogisticRegression, x: np.ndarray, n_classes: int) -> np.ndarray:
    """(N, C) float64; a class that no training row had gets 0."""
    probabilities = np.zeros((len(x), n_classes))
    probabilities[:, model.classes_] = model.predict_proba(x)
    return probabilities


def coefficient_count(model: LogisticRegression) -> int:
    """Number of fitted coefficients and intercepts."""
    return int(model.coef_.size + model.intercept_.size)
