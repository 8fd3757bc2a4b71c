"""Logistic regression with an L2 penalty that is chosen by cross-validation inside the training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, softmax

from mvgraph.errors import UserError
from mvgraph_baselines.inner_cv import InnerFolds, log_loss

#: Inverse penalties tried, from the strongest penalty on, in units of 1 / mean squared distance from the mean row:
#: the scale and the number of columns then change nothing.
GRID = tuple(10.0**exponent for exponent in range(-2, 5))
#: Tried last, in units of the best of the grid.
FINER = (10.0**-0.5, 10.0**0.5)
#: The path ends when so many penalties in turn were worse than the best.
PATIENCE = 2
#: Largest entry of the gradient at which a solver stops: while choosing, and at the end.
ROUGH, FINE = 1e-4, 1e-6
#: Rows answered at a time.
BLOCK = 4096


@dataclass(frozen=True)
class Logistic:
    """A fitted logistic regression.

    Args:
        coefficients: one row a class, or a single row for the second of two classes.
        intercepts: as many.
        classes: classes the training rows had, ascending.
        n_classes: C.
        strength: inverse of the penalty, scikit-learn's C.
        out_of_fold: answers to the training rows, from models fitted without them; NaN where there are none.

    Shapes:
        coefficients: (C', d); intercepts: (C',); out_of_fold: (M, C).
    """

    coefficients: np.ndarray
    intercepts: np.ndarray
    classes: np.ndarray
    n_classes: int
    strength: float
    out_of_fold: np.ndarray

    def answer(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities, (N, d) -> (N, C) float64; a class that no training row had gets 0."""
        found = np.zeros((len(x), self.n_classes))
        for start in range(0, len(x), BLOCK):
            z = x[start : start + BLOCK].astype(np.float64) @ self.coefficients.T + self.intercepts
            found[start : start + BLOCK] = _place(z, self.classes, self.n_classes)
        return found

    @property
    def parameters(self) -> int:
        """Number of coefficients and intercepts."""
        return int(self.coefficients.size + self.intercepts.size)


def check_strength(strength: float | None) -> None:
    """Refuse a strength that is not positive.

    Raises:
        UserError: so it is.
    """
    if strength is not None and not strength > 0:
        raise UserError(f"strength={strength}: give a positive inverse penalty, e.g. 1.0.")


def fit_logistic(x: np.ndarray, folds: InnerFolds, strength: float | None = None) -> Logistic:
    """Multinomial logistic regression on the training rows.

    The penalised optimum lies in the span of the rows, so with more columns than rows it is found in M
    coordinates: X' = Q R, and R' has the inner products of X.

    Args:
        x: of the rows of `folds`.
        folds: labels, and who judges whom.
        strength: inverse of the L2 penalty, scikit-learn's C; None takes the one with the lowest out-of-fold
            log-loss.

    Raises:
        UserError: a strength that is not positive, or training rows of one class only.

    Shapes:
        x: (M, d).
    """
    check_strength(strength)
    if len(folds.seen) < 2:
        raise UserError("A logistic regression needs training rows of at least two classes.")
    x = x.astype(np.float64)
    basis = None
    z = x
    if x.shape[1] > x.shape[0]:
        basis, triangle = np.linalg.qr(x.T)
        z = triangle.T
    chosen, out_of_fold = _path(z, folds, _strengths(z) if strength is None else [strength])
    weights = _solve(z, folds.labels, chosen, FINE)
    coefficients = weights[:, :-1] if basis is None else weights[:, :-1] @ basis.T
    return Logistic(coefficients, weights[:, -1], folds.seen, folds.n_classes, chosen, out_of_fold)


def _strengths(z: np.ndarray) -> list[float]:
    spread = float(np.square(z - z.mean(axis=0)).sum(axis=1).mean())
    return [unit / spread if spread > 0 else unit for unit in GRID]


def _path(z: np.ndarray, folds: InnerFolds, strengths: list[float]) -> tuple[float, np.ndarray]:
    """The strength of lowest out-of-fold log-loss and the answers it gives; each fit begins at the one before."""
    # Without folds nothing can be compared: the middle of the grid is neither extreme.
    best, chosen = np.inf, strengths[len(strengths) // 2]
    kept = np.full((len(z), folds.n_classes), np.nan)
    starts: list[np.ndarray | None] = [None] * len(folds.parts)

    def attempt(strength: float) -> bool:
        """Whether it is the best so far."""
        nonlocal best, chosen, kept
        found = np.full_like(kept, np.nan)
        for part, (fitted, judged) in enumerate(folds.parts):
            weights = _solve(z[fitted], folds.labels[fitted], strength, ROUGH, starts[part])
            starts[part] = weights
            scores = z[judged] @ weights[:, :-1].T + weights[:, -1]
            found[judged] = _place(scores, folds.seen, folds.n_classes)
        loss = log_loss(found, folds.labels)
        better = loss < best
        if better:
            best, chosen, kept = loss, strength, found
        return better

    worse = 0
    for strength in strengths if starts else ():
        worse = 0 if attempt(strength) else worse + 1
        if worse == PATIENCE:
            break
    if starts and len(strengths) > 1:
        centre = chosen
        for unit in FINER:
            attempt(unit * centre)
    return chosen, kept


def _solve(
    z: np.ndarray, labels: np.ndarray, strength: float, tolerance: float, start: np.ndarray | None = None
) -> np.ndarray:
    """Minimise `mean cross-entropy + ||W||^2 / (2 M strength)`, the intercepts in the last column free.

    Two classes have one row of weights, the score of the second against 0, as in scikit-learn.

    Shapes: z (M, r); labels (M,); start and result (C', r + 1), C' the classes among `labels`, 1 for two.
    """
    (n, r), target = z.shape, np.unique(labels, return_inverse=True)[1].reshape(-1)
    k = int(target.max()) + 1
    rows, first = np.arange(n), 1 if k == 2 else 0
    penalty = 1.0 / (n * strength)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(k - first, r + 1)
        scores = np.zeros((n, k))
        scores[:, first:] = z @ w[:, :-1].T + w[:, -1]
        scores -= scores.max(axis=1, keepdims=True)
        raised = np.exp(scores)
        total = raised.sum(axis=1)
        loss = float((np.log(total) - scores[rows, target]).mean())
        error = raised / total[:, None]
        error[rows, target] -= 1.0
        error = error[:, first:] / n
        gradient = np.concatenate([error.T @ z, error.sum(axis=0)[:, None]], axis=1)
        gradient[:, :-1] += penalty * w[:, :-1]
        return loss + 0.5 * penalty * float(np.square(w[:, :-1]).sum()), gradient.ravel()

    begin = np.zeros((k - first, r + 1)) if start is None else start
    options = {"gtol": tolerance, "ftol": 64 * np.finfo(np.float64).eps, "maxiter": 5000, "maxls": 50}
    found = minimize(objective, begin.ravel(), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x.reshape(k - first, r + 1))


def _place(scores: np.ndarray, classes: np.ndarray, n_classes: int) -> np.ndarray:
    """Probabilities from scores, in the columns of their classes."""
    found = np.zeros((len(scores), n_classes))
    if scores.shape[1] == 1:
        second = expit(scores[:, 0])
        found[:, classes] = np.stack([1.0 - second, second], axis=1)
    else:
        found[:, classes] = softmax(scores, axis=1)
    return found
