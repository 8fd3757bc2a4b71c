"""Extremely randomised trees on the concatenated views."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Distribution, EstimatorMethod, Int, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.columns import with_gaps
from mvgraph_baselines.inner_cv import check_temperature, inner_folds
from mvgraph_baselines.trees import fit_forest


class ExtraTrees(EstimatorMethod):
    """Many trees with random thresholds over all columns, averaged; entries of a missing view count as missing.

    How many columns a split chooses from is decided, and the mean of the trees calibrated, by cross-validation
    inside the training rows.

    Args:
        trees: of the forest.
        min_samples_leaf: rows in a leaf at least.
        max_features: columns that a split chooses from; None takes sqrt(d) or 0.3 d, whichever has the lower
            out-of-fold log-loss.
        temperature: of the mean of the trees' answers; None fits it to out-of-fold answers.

    Raises:
        UserError: an option outside its range, or training rows of one class only.

    Shapes:
        predict_proba: (N, C).
    """

    name = "extra-trees"
    title = "extremely randomised trees on concatenated views"
    paper = "Geurts, Ernst & Wehenkel 2006; scikit-learn's implementation; temperature after Guo et al. 2017"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(
        self,
        *,
        trees: int = 300,
        min_samples_leaf: int = 1,
        max_features: int | None = None,
        temperature: float | None = None,
    ) -> None:
        for name, value in (
            ("trees", trees),
            ("min_samples_leaf", min_samples_leaf),
            ("max_features", max_features),
        ):
            if value is not None and value < 1:
                raise UserError(f"extra-trees: {name}={value}; give a whole number of at least 1.")
        check_temperature(self.name, temperature)
        self.trees, self.min_samples_leaf = trees, min_samples_leaf
        self.max_features, self.temperature = max_features, temperature

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> ExtraTrees:
        folds = inner_folds(data, split)
        x = with_gaps(data.views, data.observed)
        self.model_ = fit_forest(
            self.name,
            x[folds.rows],
            folds,
            seed,
            trees=self.trees,
            fold_trees=max(1, self.trees // 5),
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            temperature=self.temperature,
        )
        self._probabilities = self.model_.answer(x)
        return self

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return self.model_.answer(with_gaps(rows.views, rows.observed))

    def parameter_count(self) -> int:
        return self.model_.parameters

    def diagnostics(self) -> dict[str, Any]:
        return {"max_features": self.model_.max_features, "temperature": self.model_.temperature}

    @classmethod
    def contract_options(cls, view_names: tuple[str, ...]) -> dict[str, Any]:
        return {"trees": 10}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"min_samples_leaf": Int(1, 10)}
