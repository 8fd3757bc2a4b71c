"""A support vector machine on the sum of the views' kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.fusion import Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.inner_cv import inner_folds
from mvgraph_baselines.radial import RadialKernel
from mvgraph_baselines.svm import Settings, fit_machine

Columns = tuple[list[np.ndarray], np.ndarray]


class AverageKernelSVM(EstimatorMethod):
    r"""Intermediate fusion without a graph: a support vector machine over the mean of per-view Gaussian kernels.

    .. math::

        K(x, y) = \frac{\sum_{v \in V(x) \cap V(y)} \exp(-\gamma \lVert x_v - y_v \rVert^2 / s_v)}
                       {\sqrt{|V(x)| \, |V(y)|}}

    s_v is the mean squared distance between training rows in view v, so that no view outweighs another by its
    number of columns. V(x) are the views a row has.

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

    name = "average-kernel-svm"
    title = "support vector machine on the sum of per-view RBF kernels"
    paper = (
        "Pavlidis et al. 2001 and Gonen & Alpaydin 2011, the unweighted sum of kernels; "
        "temperature after Guo et al. 2017"
    )
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
        return [views[name] for name in sorted(views)], observed

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> AverageKernelSVM:
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
