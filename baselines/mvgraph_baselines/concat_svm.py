"""A support vector machine on the concatenated views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.fusion import Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.columns import side_by_side
from mvgraph_baselines.inner_cv import inner_folds
from mvgraph_baselines.radial import RadialKernel
from mvgraph_baselines.svm import Settings, fit_machine

Columns = tuple[list[np.ndarray], np.ndarray]


class ConcatSVM(EstimatorMethod):
    """A support vector machine with a Gaussian kernel on all columns; what a row lacks holds zeros.

    Cost and gamma are those with the lowest log-loss in cross-validation inside the training rows; probabilities
    are the softmax of the summed one-against-one scores, their temperature fitted to out-of-fold scores.

    Args:
        cost: penalty of a row on the wrong side (scikit-learn's C); None chooses among 1, 10 and 100.
        gamma: in units of 1 / mean squared distance between training rows; None chooses among 0.3, 1 and 3.
        temperature: divides the scores; None fits it.
        memory_mib: refuse kernels over the training rows that take more.

    Raises:
        UserError: an option that is not positive, training rows of one class only, or too many of them.

    Shapes:
        predict_proba: (N, C).
    """

    name = "concat-svm"
    title = "RBF support vector machine on concatenated views"
    paper = "Boser, Guyon & Vapnik 1992; temperature after Guo et al. 2017; libsvm through scikit-learn"
    tags = Tags(uses_graph=False, transductive=False, inductive=True, quadratic=True)

    def __init__(
        self,
        *,
        cost: float | None = None,
        gamma: float | None = None,
        temperature: float | None = None,
        memory_mib: float = 4096,
    ) -> None:
        self.cost, self.gamma, self.temperature, self.memory_mib = cost, gamma, temperature, memory_mib
        self._settings = Settings(cost, gamma, temperature, memory_mib)
        self._settings.check(self.name)

    def _columns(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> Columns:
        return [side_by_side(views)], np.ones((len(observed), 1), dtype=bool)

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> ConcatSVM:
        folds = inner_folds(data, split)
        train = {view: data.views[view][folds.rows] for view in data.view_names}
        kernel = RadialKernel(*self._columns(train, data.observed[folds.rows]))
        self.model_ = fit_machine(self.name, kernel, folds, self._settings)
        self._probabilities = self.model_.answer(*self._columns(data.views, data.observed))
        return self

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return self.model_.answer(*self._columns(rows.views, rows.observed))

    def parameter_count(self) -> int:
        return self.model_.parameters

    def diagnostics(self) -> dict[str, Any]:
        return dict(self.model_.chosen)

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"cost": Float(0.1, 1000.0, log=True), "gamma": Float(0.03, 10.0, log=True)}
