"""The best single view, chosen on the validation rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.inner_cv import inner_folds, log_loss
from mvgraph_baselines.logistic import check_strength, fit_logistic


class BestView(EstimatorMethod):
    """No fusion at all: one logistic regression a view, the one with the lowest validation log-loss answers.

    Without validation rows the training rows choose, each judged by a model fitted without it. A row that lacks
    the chosen view is answered from the class frequencies of the training rows.

    Args:
        strength: inverse of the L2 penalty (scikit-learn's C) of every view; None chooses one a view by
            cross-validation inside the training rows.

    Raises:
        UserError: no view that both training and validation rows have, or a strength that is not positive.

    Shapes:
        predict_proba: (N, C).
    """

    name = "best-view"
    title = "best single view (validation)"
    paper = "the control that every fusion has to beat"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(self, *, strength: float | None = None) -> None:
        check_strength(strength)
        self.strength = strength

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> BestView:
        folds = inner_folds(data, split)
        self.frequencies_ = folds.frequencies
        self.losses_: dict[str, float] = {}
        best = np.inf
        for v, view in enumerate(data.view_names):
            seen = data.observed[folds.rows, v]
            part = folds.restricted(seen)
            if len(part.seen) < 2:
                continue
            model = fit_logistic(data.views[view][part.rows], part, self.strength)
            answers = model.answer(data.views[view])
            probabilities = np.where(data.observed[:, [v]], answers, self.frequencies_)
            if len(split.validation):
                loss = log_loss(probabilities[split.validation], data.labels[split.validation])
            else:
                inside = np.tile(self.frequencies_, (len(folds.rows), 1))
                inside[seen] = model.out_of_fold
                loss = log_loss(inside, folds.labels)
            self.losses_[view] = loss
            if loss < best or len(self.losses_) == 1:
                best, self.view_, self.model_, self._probabilities = loss, view, model, probabilities
                self._column = v
        if not self.losses_:
            raise UserError("best-view: no view has training rows of two classes.")
        return self

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        answers = self.model_.answer(rows.views[self.view_])
        return np.where(rows.observed[:, [self._column]], answers, self.frequencies_)

    def parameter_count(self) -> int:
        return self.model_.parameters

    def diagnostics(self) -> dict[str, Any]:
        finite = {view: loss for view, loss in self.losses_.items() if np.isfinite(loss)}
        return {
            "chosen_view": self.view_,
            "validation_log_loss": finite,
            "strength": self.model_.strength,
        }

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"strength": Float(1e-3, 1e3, log=True)}
