"""The best single view, chosen on the validation rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import log_loss

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.logistic import class_probabilities, coefficient_count, fit_logistic


class BestView(EstimatorMethod):
    """No fusion at all: one logistic regression a view, the one with the lowest validation log-loss answers.

    Without validation rows the training rows choose. A row that lacks the chosen view is answered from the
    class frequencies of the training rows.

    Args:
        strength: inverse of the L2 penalty (scikit-learn's C).

    Raises:
        UserError: no view that both training and validation rows have.

    Shapes:
        predict_proba: (N, C).
    """

    name = "best-view"
    title = "best single view (validation)"
    paper = "the control that every fusion has to beat"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(self, *, strength: float = 1.0) -> None:
        self.strength = strength

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> BestView:
        judges = split.validation if len(split.validation) else split.train
        classes = np.arange(data.n_classes)
        frequencies = np.bincount(data.labels[split.train], minlength=data.n_classes) / len(split.train)
        self.losses_: dict[str, float] = {}
        best = np.inf
        for v, view in enumerate(data.view_names):
            rows = split.train[data.observed[split.train, v]]
            if len(np.unique(data.labels[rows])) < 2:
                continue
            model = fit_logistic(data.views[view], data.labels, rows, self.strength)
            answers = class_probabilities(model, data.views[view], data.n_classes)
            probabilities = np.where(data.observed[:, [v]], answers, frequencies)
            loss = log_loss(data.labels[judges], _renormalise(probabilities[judges]), labels=classes)
            self.losses_[view] = float(loss)
            if loss < best:
                best, self.view_, self.model_, self._probabilities = loss, view, model, probabilities
                self._column, self._frequencies = v, frequencies
        if not self.losses_:
            raise UserError("best-view: no view has training rows of two classes.")
        return self

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        answers = class_probabilities(
            self.model_, rows.views[self.view_].astype(np.float64), len(self._frequencies)
        )
        return np.where(rows.observed[:, [self._column]], answers, self._frequencies)

    def parameter_count(self) -> int:
        return coefficient_count(self.model_)

    def diagnostics(self) -> dict[str, Any]:
        return {"chosen_view": self.view_, "validation_log_loss": self.losses_}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"strength": Float(1e-3, 1e3, log=True)}


def _renormalise(probabilities: np.ndarray) -> np.ndarray:
    clipped = np.maximum(probabilities, 1e-12)
    return clipped / clipped.sum(axis=1, keepdims=True)
