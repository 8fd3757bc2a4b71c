"""Logistic regression on the concatenated views."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.fusion import Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.columns import side_by_side
from mvgraph_baselines.inner_cv import inner_folds
from mvgraph_baselines.logistic import fit_logistic


class ConcatLogisticRegression(EstimatorMethod):
    """The simplest fusion there is; whatever does not beat it was not worth a graph.

    Args:
        strength: inverse of the L2 penalty (scikit-learn's C); None chooses it by cross-validation inside the
            training rows.

    Raises:
        UserError: a strength that is not positive, or training rows of one class only.

    Shapes:
        predict_proba: (N, C).
    """

    name = "concat-logreg"
    title = "logistic regression on concatenated views"
    paper = "Cox 1958; scikit-learn's LogisticRegression"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(self, *, strength: float | None = None) -> None:
        self.strength = strength

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> ConcatLogisticRegression:
        folds = inner_folds(data, split)
        self.model_ = fit_logistic(side_by_side(data.views, folds.rows), folds, self.strength)
        self._probabilities = self.model_.answer(side_by_side(data.views))
        return self

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return self.model_.answer(side_by_side(rows.views))

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def parameter_count(self) -> int:
        return self.model_.parameters

    def diagnostics(self) -> dict[str, Any]:
        return {"strength": self.model_.strength}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"strength": Float(1e-3, 1e3, log=True)}
