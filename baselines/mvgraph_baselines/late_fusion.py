"""Late fusion: the mean of per-view class probabilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.logistic import class_probabilities, coefficient_count, fit_logistic


class LateFusion(EstimatorMethod):
    """One logistic regression a view, their probabilities averaged over the views that a row has.

    Args:
        strength: inverse of the L2 penalty (scikit-learn's C).

    Raises:
        UserError: a view whose training rows are of fewer than two classes.

    Shapes:
        predict_proba: (N, C).
    """

    name = "late-fusion"
    title = "mean of per-view logistic regressions"
    paper = "Kittler et al. 1998, the sum rule"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(self, *, strength: float = 1.0) -> None:
        self.strength = strength

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> LateFusion:
        self.models_ = {}
        self.n_classes_ = data.n_classes
        for v, view in enumerate(data.view_names):
            rows = split.train[data.observed[split.train, v]]
            if len(np.unique(data.labels[rows])) < 2:
                raise UserError(
                    f"late-fusion: the training rows that have view '{view}' are not of two classes; "
                    "leave that view out."
                )
            self.models_[view] = fit_logistic(data.views[view], data.labels, rows, self.strength)
        self._probabilities = self._mean(data.views, data.observed)
        return self

    def _mean(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
        total = np.zeros((len(observed), self.n_classes_))
        for v, (view, model) in enumerate(self.models_.items()):
            probabilities = class_probabilities(model, views[view], self.n_classes_)
            total += np.where(observed[:, [v]], probabilities, 0.0)
        # A row without any view keeps a uniform guess.
        counts = observed.sum(axis=1, keepdims=True)
        return np.where(counts > 0, total / np.maximum(counts, 1), 1.0 / self.n_classes_)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return self._mean({view: x.astype(np.float64) for view, x in rows.views.items()}, rows.observed)

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def parameter_count(self) -> int:
        return sum(coefficient_count(model) for model in self.models_.values())

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"strength": Float(1e-3, 1e3, log=True)}
