"""Generalised canonical correlation analysis, then logistic regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Distribution, EstimatorMethod, Float, Int, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.inner_cv import InnerFolds, inner_folds, log_loss
from mvgraph_baselines.logistic import fit_logistic

#: Numbers of components tried where none is given.
COMPONENTS = (5, 10, 20, 40, 80)


class GeneralisedCCA(EstimatorMethod):
    r"""MAXVAR: the r-dimensional representation that is nearest to what each view can say of it.

    .. math::

        \min_{G, U_v} \sum_v \lVert K_v (G - X_v U_v) \rVert_F^2 + \epsilon_v \lVert U_v \rVert_F^2
        \quad \text{with} \quad G^\top K G = I, \; K = \sum_v K_v

    X_v is centred, the diagonal K_v marks the rows that have view v. G holds the first eigenvectors of
    `K^-1/2 (sum_v K_v X_v (X_v' X_v + eps_v I)^-1 X_v' K_v) K^-1/2`, scaled by K^-1/2; for two complete views
    that is CCA. It is fitted on all rows without their labels. A row is then the mean of `X_v U_v` over the
    views it has, and a logistic regression answers.

    Args:
        components: r, at most the rank of the views together; None takes, of 5, 10, 20, 40 and 80, the number with
            the lowest log-loss in cross-validation inside the training rows.
        regularisation: eps_v in units of the mean eigenvalue of X_v' X_v.
        strength: inverse of the L2 penalty of the logistic regression; None chooses it by the same
            cross-validation.

    Raises:
        UserError: an option outside its range, or views that are all constant.

    Shapes:
        predict_proba: (N, C).
    """

    name = "gcca"
    title = "generalised CCA + logistic regression"
    paper = "Kettenring 1971 (MAXVAR); missing views after van de Velden & Takane 2012; Hotelling 1936 for two views"
    tags = Tags(uses_graph=False, transductive=True, inductive=True)

    def __init__(
        self, *, components: int | None = None, regularisation: float = 1.0, strength: float | None = None
    ) -> None:
        if components is not None and components < 1:
            raise UserError(f"gcca: components={components}; give a whole number of at least 1.")
        if regularisation < 0:
            raise UserError(f"gcca: regularisation={regularisation}; give 0 or more.")
        self.components, self.regularisation, self.strength = components, regularisation, strength

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> GeneralisedCCA:
        self.means_ = {
            view: data.views[view][data.observed[:, v]].mean(axis=0, dtype=np.float64)
            for v, view in enumerate(data.view_names)
        }
        centred = self._centred(data.views, data.observed)
        most = max(COMPONENTS) if self.components is None else self.components
        _, self.eigenvalues_, self.maps_ = maxvar(
            list(centred.values()), data.observed, most, self.regularisation
        )
        projected = self._project(centred, data.observed)
        # Columns of G have unit length; what is regularised next should not depend on N.
        self.scale_ = np.sqrt(np.square(projected).mean(axis=0))
        self.scale_[self.scale_ == 0] = 1.0
        x = projected / self.scale_
        r = self._choose(x, inner_folds(data, split))
        self.eigenvalues_, self.maps_ = self.eigenvalues_[:r], [u[:, :r] for u in self.maps_]
        self.scale_ = self.scale_[:r]
        self._probabilities = self.model_.answer(x[:, :r])
        return self

    def _choose(self, x: np.ndarray, folds: InnerFolds) -> int:
        """Fit the logistic regression on the first r columns; the eigenvectors of fewer components are the same."""
        rank = x.shape[1]
        tried = [rank] if self.components is not None else sorted({min(r, rank) for r in COMPONENTS})
        models = [fit_logistic(x[folds.rows, :r], folds, self.strength) for r in tried]
        losses = [log_loss(model.out_of_fold, folds.labels) for model in models]
        best = int(np.argmin(losses))
        self.model_ = models[best]
        return tried[best]

    def _centred(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> dict[str, np.ndarray]:
        """Rows that lack a view hold zeros."""
        return {
            view: np.where(observed[:, [v]], views[view].astype(np.float64) - mean, 0.0)
            for v, (view, mean) in enumerate(self.means_.items())
        }

    def _project(self, centred: Mapping[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
        """Mean of X_v U_v over the views a row has, (N, r)."""
        total = sum(x @ u for x, u in zip(centred.values(), self.maps_, strict=True))
        return np.asarray(total / np.maximum(observed.sum(axis=1, keepdims=True), 1))

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        x = self._project(self._centred(rows.views, rows.observed), rows.observed) / self.scale_
        return self.model_.answer(x)

    def parameter_count(self) -> int:
        return sum(u.size for u in self.maps_) + self.model_.parameters

    def diagnostics(self) -> dict[str, Any]:
        return {"eigenvalues": self.eigenvalues_.tolist(), "strength": self.model_.strength}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {
            "components": Int(2, 64, log=True),
            "regularisation": Float(1e-4, 10.0, log=True),
            "strength": Float(1e-3, 1e3, log=True),
        }


def maxvar(
    views: list[np.ndarray], observed: np.ndarray, components: int, regularisation: float
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Solve MAXVAR generalised CCA.

    With X_v = Q S R' the sum of projections is `M M'`, M the matrices `Q (S^2 / (S^2 + eps))^1/2` side by side,
    so an eigenvalue problem of N x N becomes one of at most sum d_v.

    Args:
        views: centred, zero where a row lacks the view.
        observed: which row has which view.
        components: r at most.
        regularisation: eps_v in units of the mean eigenvalue of X_v' X_v.

    Returns:
        G (N, r), the eigenvalues (r,) descending (1 where all views agree), and U_v (d_v, r) for each view.

    Shapes:
        views: (N, d_v) each; observed: (N, V) bool.
    """
    root = 1.0 / np.sqrt(np.maximum(observed.sum(axis=1), 1))[:, None]
    parts, inverses = [], []
    for x in views:
        q, s, rt = np.linalg.svd(x, full_matrices=False)
        kept = s > max(x.shape) * np.finfo(np.float64).eps * s.max(initial=0.0)
        q, s, rt = q[:, kept], s[kept], rt[kept]
        ridge = regularisation * np.square(s).sum() / x.shape[1]
        shrunk = np.square(s) / (np.square(s) + ridge)
        parts.append(root * q * np.sqrt(shrunk))
        inverses.append((rt.T * (shrunk / s), q))
    stacked = np.concatenate(parts, axis=1)
    if stacked.shape[1] == 0:
        raise UserError("gcca: every view is constant, so that there is nothing to correlate.")
    vectors, singular, _ = np.linalg.svd(stacked, full_matrices=False)
    rank = int((singular > max(stacked.shape) * np.finfo(np.float64).eps * singular.max(initial=0.0)).sum())
    r = max(1, min(components, rank))
    shared = root * _signed(vectors[:, :r])
    maps = [inverse @ (q.T @ shared) for inverse, q in inverses]
    return shared, np.square(singular[:r]), maps


def _signed(vectors: np.ndarray) -> np.ndarray:
    """Columns turned so that their entry of largest size is positive: a sign is nothing but chance."""
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return vectors * np.where(signs == 0, 1.0, signs)
