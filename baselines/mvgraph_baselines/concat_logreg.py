"""Logistic regression on the concatenated views."""

from __future__ import annotations

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.fusion import Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.logistic import class_probabilities, coefficient_count, fit_logistic


class ConcatLogisticRegression(EstimatorMethod):
    """The simplest fusion there is; whatever does not beat it was not worth a graph.

    Args:
        strength: inverse of the L2 penalty (scikit-learn's C).

    Shapes:
        predict_proba: (N, C).
    """

    name = "concat-logreg"
    title = "logistic regression on concatenated views"
    paper = "Cox 1958; scikit-learn's LogisticRegression"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(self, *, strength: float = 1.0) -> None:
        self.strength = strength

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> ConcatLogisticRegression:
        x = np.concatenate([data.views[view] for view in data.view_names], axis=1)
        self.model_ = fit_logistic(x, data.labels, split.train, self.strength)
        self._probabilities = class_probabilities(self.model_, x, data.n_classes)
        return self

    def predict_new(self, rows: NewRows) -> np.ndarray:
        x = np.concatenate([rows.views[view] for view in sorted(rows.views)], axis=1)
        return class_probabilities(self.model_, x.astype(np.float64), self._probabilities.shape[1])

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def parameter_count(self) -> int:
        return coefficient_count(self.model_)

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"strength": Float(1e-3, 1e3, log=True)}
