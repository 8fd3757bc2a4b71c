"""Gradient-boosted trees on the concatenated views."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Distribution, EstimatorMethod, Float, Int, NewRows, Tags
from mvgraph.graph import MultiViewGraph


class HistGradientBoosting(EstimatorMethod):
    """What people use on tables: boosted trees over all columns; entries of a missing view count as missing.

    Args:
        learning_rate: shrinkage of every tree.
        max_iter: boosting rounds; C trees each when C > 2.
        max_leaf_nodes: leaves of a tree at most.
        min_samples_leaf: rows in a leaf at least; scikit-learn's 20 leaves nothing to split at small label rates.
        l2: penalty on leaf values.

    Raises:
        UserError: an option outside its range, or training rows of one class only.

    Shapes:
        predict_proba: (N, C).
    """

    name = "hist-gradient-boosting"
    title = "gradient boosting on concatenated views"
    paper = "Friedman 2001; histograms after Ke et al. 2017 (LightGBM), scikit-learn's implementation"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(
        self,
        *,
        learning_rate: float = 0.1,
        max_iter: int = 100,
        max_leaf_nodes: int = 31,
        min_samples_leaf: int = 5,
        l2: float = 0.0,
    ) -> None:
        for name, value, least in (
            ("max_iter", max_iter, 1),
            ("max_leaf_nodes", max_leaf_nodes, 2),
            ("min_samples_leaf", min_samples_leaf, 1),
        ):
            if value < least:
                raise UserError(f"hist-gradient-boosting: {name}={value}; give at least {least}.")
        if not learning_rate > 0 or l2 < 0:
            raise UserError(
                f"hist-gradient-boosting: learning_rate={learning_rate} and l2={l2}; give a positive rate and a "
                "penalty of at least 0."
            )
        self.learning_rate, self.max_iter, self.max_leaf_nodes = learning_rate, max_iter, max_leaf_nodes
        self.min_samples_leaf, self.l2 = min_samples_leaf, l2

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> HistGradientBoosting:
        self.n_classes_ = data.n_classes
        if len(np.unique(data.labels[split.train])) < 2:
            raise UserError("hist-gradient-boosting needs training rows of at least two classes.")
        x = side_by_side(data.views, data.observed)
        self.model_ = HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.max_iter,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2,
            early_stopping=False,
            random_state=seed,
        ).fit(x[split.train], data.labels[split.train])
        self._probabilities = self._answer(x)
        return self

    def _answer(self, x: np.ndarray) -> np.ndarray:
        probabilities = np.zeros((len(x), self.n_classes_))
        probabilities[:, self.model_.classes_] = self.model_.predict_proba(x)
        return probabilities

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return self._answer(side_by_side(rows.views, rows.observed))

    def parameter_count(self) -> int:
        """Thresholds and leaf values: one for every node of every tree."""
        return sum(len(tree.nodes) for round_ in self.model_._predictors for tree in round_)

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {
            "learning_rate": Float(0.02, 0.3, log=True),
            "max_leaf_nodes": Int(4, 63, log=True),
            "min_samples_leaf": Int(1, 20),
            "l2": Float(1e-6, 10.0, log=True),
        }


def side_by_side(views: Mapping[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
    """All views in the order of their names, NaN where a row lacks one.

    Shapes:
        views[v]: (N, d_v); observed: (N, V) -> (N, sum d_v) float32, or float64 where a view is
    """
    parts = [np.where(observed[:, [v]], views[name], np.nan) for v, name in enumerate(sorted(views))]
    return np.concatenate(parts, axis=1)
