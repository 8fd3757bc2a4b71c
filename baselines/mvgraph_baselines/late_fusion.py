"""Late fusion: the mean of per-view class probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.inner_cv import calibrate, check_temperature, inner_folds, logits_of, tempered
from mvgraph_baselines.logistic import Logistic, fit_logistic


class LateFusion(EstimatorMethod):
    r"""One logistic regression a view, their probabilities averaged over the views that a row has.

    .. math::

        p(c \mid x) \propto \Big(\tfrac{1}{|V(x)|} \sum_{v \in V(x)} p_v(c \mid x_v)\Big)^{1/\tau}

    A mean of probabilities is less certain than it should be; the temperature \tau puts that right.

    Args:
        strength: inverse of the L2 penalty (scikit-learn's C) of every view; None chooses one a view by
            cross-validation inside the training rows.
        temperature: of the mean; 1 leaves it as it is, None fits it to the mean of out-of-fold answers.

    Raises:
        UserError: a view whose training rows are of fewer than two classes, or an option that is not positive.

    Shapes:
        predict_proba: (N, C).
    """

    name = "late-fusion"
    title = "mean of per-view logistic regressions"
    paper = "Kittler et al. 1998, the sum rule; temperature after Guo et al. 2017"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(self, *, strength: float | None = None, temperature: float | None = None) -> None:
        check_temperature(self.name, temperature)
        self.strength, self.temperature = strength, temperature

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> LateFusion:
        folds = inner_folds(data, split)
        self.seen_, self.n_classes_ = folds.seen, data.n_classes
        self.models_: dict[str, Logistic] = {}
        observed = data.observed[folds.rows]
        inside = {}
        for v, view in enumerate(data.view_names):
            part = folds.restricted(observed[:, v])
            if len(part.seen) < 2:
                raise UserError(
                    f"late-fusion: the training rows that have view '{view}' are not of two classes; "
                    "leave that view out."
                )
            self.models_[view] = fit_logistic(data.views[view][part.rows], part, self.strength)
            inside[view] = np.zeros((len(folds.rows), data.n_classes))
            inside[view][observed[:, v]] = self.models_[view].out_of_fold
        self.temperature_ = calibrate(self._mean(inside, observed), folds, self.temperature)
        self._probabilities = self._answer(data.views, data.observed)
        return self

    def _mean(self, answers: Mapping[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
        """Mean over the views a row has; a row without any keeps a uniform guess."""
        total = sum(np.where(observed[:, [v]], answers[view], 0.0) for v, view in enumerate(self.models_))
        counts = observed.sum(axis=1, keepdims=True)
        return np.where(counts > 0, total / np.maximum(counts, 1), 1.0 / self.n_classes_)

    def _answer(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
        answers = {view: model.answer(views[view]) for view, model in self.models_.items()}
        mean = self._mean(answers, observed)
        return tempered(logits_of(mean), self.temperature_, self.seen_)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return self._answer(rows.views, rows.observed)

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def parameter_count(self) -> int:
        return sum(model.parameters for model in self.models_.values())

    def diagnostics(self) -> dict[str, Any]:
        strengths = {view: model.strength for view, model in self.models_.items()}
        return {"strength": strengths, "temperature": self.temperature_}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"strength": Float(1e-3, 1e3, log=True)}
