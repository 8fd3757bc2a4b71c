"""What the support vector machines share: they differ in the columns that their kernel is made of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.fusion import Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.inner_cv import inner_folds
from mvgraph_baselines.radial import RadialKernel
from mvgraph_baselines.svm import Settings, fit_machine

Columns = tuple[list[np.ndarray], np.ndarray]


class KernelMachine(EstimatorMethod):
    """A support vector machine over a radial kernel; a subclass says of which columns.

    Shapes:
        predict_proba: (N, C).
    """

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

    @abstractmethod
    def _columns(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> Columns:
        """Blocks of columns, one kernel each, and which row has which block."""

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> Self:
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
