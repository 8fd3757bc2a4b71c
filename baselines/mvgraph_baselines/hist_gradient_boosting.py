"""Gradient-boosted trees on the concatenated views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Distribution, EstimatorMethod, Float, Int, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.columns import with_gaps
from mvgraph_baselines.inner_cv import (
    InnerFolds,
    calibrate,
    check_temperature,
    inner_folds,
    log_loss,
    logits_of,
    tempered,
)

#: Folds in which settings are chosen: boosting costs more than the other baselines.
FOLDS = 3
#: Rounds are tried by so many, until so many in turn were no better, and up to the last number.
STRIDE, PATIENCE, ROUNDS = 10, 20, 200
#: Strides after which the settings with the lowest log-loss go on alone.
RACE = 3
#: Up to so many columns half of them are tried too; beyond it costs much and trees are no better.
NARROW = 200


@dataclass(frozen=True)
class Trees:
    """Settings of the trees.

    Args:
        max_leaf_nodes: leaves of a tree at most.
        min_samples_leaf: rows in a leaf at least.
        max_features: share of the columns that a split chooses from; None takes 2 sqrt(d) / d.
    """

    max_leaf_nodes: int
    min_samples_leaf: int
    max_features: float | None


#: Tried where nothing is given. Few labelled rows and many columns want small trees over part of the columns.
TREES = (Trees(4, 5, None), Trees(8, 2, None), Trees(4, 5, 0.5))


class HistGradientBoosting(EstimatorMethod):
    """What people use on tables: boosted trees over all columns; entries of a missing view count as missing.

    The size of the trees, the share of the columns each split sees and the number of rounds are those with the
    lowest log-loss in cross-validation inside the training rows, with early stopping.

    Args:
        learning_rate: shrinkage of every tree.
        max_iter: boosting rounds, C trees each when C > 2; None stops where the out-of-fold log-loss is lowest, after
            200 at most.
        max_leaf_nodes: leaves of a tree at most; None takes 4 or 8.
        min_samples_leaf: rows in a leaf at least; None takes 5 or 2.
        max_features: share of the columns that a split chooses from; None takes 2 sqrt(d) / d or 0.5.
        l2: penalty on leaf values.
        temperature: of the probabilities; None fits it to out-of-fold answers.

    Raises:
        UserError: an option outside its range, or training rows of one class only.

    Shapes:
        predict_proba: (N, C).
    """

    name = "hist-gradient-boosting"
    title = "gradient boosting on concatenated views"
    paper = (
        "Friedman 2001; histograms after Ke et al. 2017 (LightGBM), scikit-learn's implementation; "
        "temperature after Guo et al. 2017"
    )
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(
        self,
        *,
        learning_rate: float = 0.1,
        max_iter: int | None = None,
        max_leaf_nodes: int | None = None,
        min_samples_leaf: int | None = None,
        max_features: float | None = None,
        l2: float = 0.0,
        temperature: float | None = None,
    ) -> None:
        for name, value, least in (
            ("max_iter", max_iter, 1),
            ("max_leaf_nodes", max_leaf_nodes, 2),
            ("min_samples_leaf", min_samples_leaf, 1),
        ):
            if value is not None and value < least:
                raise UserError(f"hist-gradient-boosting: {name}={value}; give at least {least}.")
        if not learning_rate > 0 or l2 < 0:
            raise UserError(
                f"hist-gradient-boosting: learning_rate={learning_rate} and l2={l2}; give a positive rate and a "
                "penalty of at least 0."
            )
        if max_features is not None and not 0 < max_features <= 1:
            raise UserError(
                f"hist-gradient-boosting: max_features={max_features}; give a share above 0 and up to 1."
            )
        check_temperature(self.name, temperature)
        self.learning_rate, self.max_iter, self.max_leaf_nodes = learning_rate, max_iter, max_leaf_nodes
        self.min_samples_leaf, self.max_features, self.l2 = min_samples_leaf, max_features, l2
        self.temperature = temperature

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> HistGradientBoosting:
        if len(np.unique(data.labels[split.train])) < 2:
            raise UserError("hist-gradient-boosting needs training rows of at least two classes.")
        folds = inner_folds(data, split, FOLDS)
        x = with_gaps(data.views, data.observed)
        self.seen_, self.n_classes_ = folds.seen, data.n_classes
        self._choose(x[folds.rows], folds, seed)
        self.model_ = self._booster(self.trees_, self.rounds_, seed).fit(x[folds.rows], folds.labels)
        self._probabilities = self._answer(x)
        return self

    def _choose(self, x: np.ndarray, folds: InnerFolds, seed: int) -> None:
        width = x.shape[1]
        settings = [trees for trees in TREES if trees.max_features is None or width <= NARROW]
        tried = dict.fromkeys(self._given(trees, width) for trees in settings)
        self.trees_, self.rounds_ = next(iter(tried)), self.max_iter or ROUNDS // 2
        self.temperature_ = self.temperature or 1.0
        if len(tried) == 1 and self.max_iter is not None and self.temperature is not None:
            return
        runs = {trees: self._out_of_fold(trees, x, folds, seed) for trees in tried}
        best = np.inf

        def judge(trees: Trees, steps: Iterable[tuple[int, np.ndarray]]) -> None:
            nonlocal best
            for rounds, found in steps:
                heat = calibrate(found, folds, self.temperature)
                loss = log_loss(tempered(logits_of(found), heat, folds.seen), folds.labels)
                if loss < best:
                    best, self.trees_, self.rounds_, self.temperature_ = loss, trees, rounds, heat

        for trees, run in runs.items():
            judge(trees, islice(run, RACE))
        judge(self.trees_, runs[self.trees_])

    def _given(self, trees: Trees, width: int) -> Trees:
        """Settings with what the options say in their place."""
        share = trees.max_features or min(1.0, 2.0 / float(np.sqrt(width)))
        return Trees(
            self.max_leaf_nodes or trees.max_leaf_nodes,
            self.min_samples_leaf or trees.min_samples_leaf,
            self.max_features or share,
        )

    def _out_of_fold(
        self, trees: Trees, x: np.ndarray, folds: InnerFolds, seed: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Rounds and answers (M, C), until the log-loss has not fallen for PATIENCE rounds."""
        models = [self._booster(trees, 0, seed) for _ in folds.parts]
        rounds = [self.max_iter] if self.max_iter else range(STRIDE, ROUNDS + 1, STRIDE)
        lowest, since = np.inf, 0
        for count in rounds if models else ():
            found = np.full((len(x), folds.n_classes), np.nan)
            for model, (fitted, judged) in zip(models, folds.parts, strict=True):
                model.set_params(max_iter=count).fit(x[fitted], folds.labels[fitted])
                found[judged] = _place(model, x[judged], folds.n_classes)
            yield count, found
            loss = log_loss(found, folds.labels)
            since = 0 if loss < lowest else since + STRIDE
            lowest = min(loss, lowest)
            if since >= PATIENCE:
                return

    def _booster(self, trees: Trees, rounds: int, seed: int) -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=rounds,
            max_leaf_nodes=trees.max_leaf_nodes,
            min_samples_leaf=trees.min_samples_leaf,
            max_features=trees.max_features,
            l2_regularization=self.l2,
            early_stopping=False,
            warm_start=True,
            random_state=seed,
        )

    def _answer(self, x: np.ndarray) -> np.ndarray:
        found = _place(self.model_, x, self.n_classes_)
        return tempered(logits_of(found), self.temperature_, self.seen_)

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return self._answer(with_gaps(rows.views, rows.observed))

    def parameter_count(self) -> int:
        """Thresholds and leaf values: one for every node of every tree."""
        return sum(len(tree.nodes) for round_ in self.model_._predictors for tree in round_)

    def diagnostics(self) -> dict[str, Any]:
        return {
            "max_iter": self.rounds_,
            "max_leaf_nodes": self.trees_.max_leaf_nodes,
            "min_samples_leaf": self.trees_.min_samples_leaf,
            "max_features": self.trees_.max_features,
            "temperature": self.temperature_,
        }

    @classmethod
    def contract_options(cls, view_names: tuple[str, ...]) -> dict[str, Any]:
        return {"max_iter": 10}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {
            "learning_rate": Float(0.02, 0.3, log=True),
            "max_leaf_nodes": Int(4, 63, log=True),
            "min_samples_leaf": Int(1, 20),
            "max_features": Float(0.05, 1.0, log=True),
            "l2": Float(1e-6, 10.0, log=True),
        }


def _place(model: HistGradientBoostingClassifier, x: np.ndarray, n_classes: int) -> np.ndarray:
    found = np.zeros((len(x), n_classes))
    found[:, model.classes_] = model.predict_proba(x)
    return found
