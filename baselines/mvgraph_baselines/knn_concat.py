"""The k nearest labelled rows on the concatenated views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Choice, Distribution, EstimatorMethod, Int, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.inner_cv import (
    InnerFolds,
    calibrate,
    check_temperature,
    inner_folds,
    log_loss,
    logits_of,
    tempered,
)

#: Distances held at a time.
BLOCK = 2**16
#: What is tried where nothing is given.
NEIGHBOURS = (1, 3, 5, 7, 10, 15, 20, 30)
WEIGHTS = ("uniform", "distance")


class ConcatNearestNeighbours(EstimatorMethod):
    r"""The nearest training rows vote; no model at all, the least that a graph of neighbours has to beat.

    .. math::

        d(x, y)^2 = \frac{\sum_v d_v}{\sum_{v \in V(x) \cap V(y)} d_v}
            \sum_{v \in V(x) \cap V(y)} \lVert x_v - y_v \rVert^2

    Rows are compared over the views that both have, scaled up to all columns; without a common view they are
    infinitely far apart. Of equally near rows the order is that of their content.

    With n_c of k votes the probability of class c is (n_c + m f_c) / (k + m), f_c its frequency among the training
    rows, raised to 1 / temperature: shares alone would call impossible what k rows happen not to show.

    Args:
        k: neighbours that vote, all training rows if there are fewer; None chooses k and the weights by
            cross-validation inside the training rows.
        weights: "uniform", or "distance" for votes of 1 / d (rows at distance 0 then vote alone); None chooses.
        prior: m, votes that the class frequencies are worth; 0 leaves the shares as they are.
        temperature: None fits it to out-of-fold answers.

    Raises:
        UserError: k below 1, a prior below 0, a temperature that is not positive, or another word for `weights`.

    Shapes:
        predict_proba: (N, C).
    """

    name = "knn-concat"
    title = "k nearest neighbours on concatenated views"
    paper = (
        "Cover & Hart 1967; distance weights by Dudani 1976; the prior is the m-estimate of Cestnik 1990, "
        "temperature after Guo et al. 2017"
    )
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(
        self,
        *,
        k: int | None = None,
        weights: str | None = None,
        prior: float = 1.0,
        temperature: float | None = None,
    ) -> None:
        if k is not None and k < 1:
            raise UserError(f"knn-concat: k={k}; give a whole number of at least 1.")
        if weights not in (None, "uniform", "distance"):
            raise UserError(f"knn-concat: weights='{weights}'; choose uniform or distance.")
        if prior < 0:
            raise UserError(f"knn-concat: prior={prior}; give 0 or more.")
        check_temperature(self.name, temperature)
        self.k, self.weights, self.prior, self.temperature = k, weights, prior, temperature

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> ConcatNearestNeighbours:
        folds = inner_folds(data, split)
        rows = folds.rows
        self.views_ = {view: data.views[view][rows].astype(np.float64) for view in data.view_names}
        self.observed_ = data.observed[rows]
        self.votes_ = np.eye(data.n_classes)[data.labels[rows]]
        self.seen_ = folds.seen
        self._choose(folds)
        self._probabilities = self._answer(data.views, data.observed)
        return self

    def _choose(self, folds: InnerFolds) -> None:
        ks = [k for k in NEIGHBOURS if k < len(folds.rows)] or [1]
        tried = [
            (k, weights)
            for k in (ks if self.k is None else [self.k])
            for weights in (WEIGHTS if self.weights is None else [self.weights])
        ]
        self.chosen_, self.temperature_ = tried[len(tried) // 2], self.temperature or 1.0
        near, nearest = self._out_of_fold(folds, max(k for k, _ in tried))
        best = np.inf
        for k, weights in tried:
            found = np.full((len(folds.rows), folds.n_classes), np.nan)
            judged = nearest[:, 0] >= 0
            found[judged] = self._shares(near[judged, :k], nearest[judged, :k], weights)
            heat = calibrate(found, folds, self.temperature)
            loss = log_loss(tempered(logits_of(found), heat, self.seen_), folds.labels)
            if loss < best:
                best, self.chosen_, self.temperature_ = loss, (k, weights), heat

    def _out_of_fold(self, folds: InnerFolds, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Distances and positions of the nearest rows of other folds, -1 in rows that no fold judges. (M, k)."""
        n = len(folds.rows)
        near, nearest = np.full((n, k), np.inf), np.full((n, k), -1)
        fold_of = {int(i): part for part, (_, judged) in enumerate(folds.parts) for i in judged}
        everyone = np.array(sorted(fold_of), dtype=np.int64)
        step = max(1, BLOCK // n)
        for start in range(0, len(everyone), step):
            asked = everyone[start : start + step]
            distances = self._distances({v: x[asked] for v, x in self.views_.items()}, self.observed_[asked])
            for i, row in zip(asked, distances, strict=True):
                fitted = folds.parts[fold_of[int(i)]][0]
                order = fitted[np.argsort(row[fitted], kind="stable")[:k]]
                near[i, : len(order)], nearest[i, : len(order)] = row[order], order
        return near, nearest

    def _answer(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
        step = max(1, BLOCK // len(self.votes_))
        found = []
        for start in range(0, len(observed), step):
            part = slice(start, start + step)
            distances = self._distances({n: x[part] for n, x in views.items()}, observed[part])
            shares = self._vote(distances)
            # Who shares no view with any training row knows the class frequencies: nothing to sharpen.
            known = np.isfinite(distances).any(axis=1, keepdims=True)
            found.append(np.where(known, tempered(logits_of(shares), self.temperature_, self.seen_), shares))
        return np.concatenate(found)

    def _distances(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
        """(M, training rows) float64."""
        total = np.zeros((len(observed), len(self.votes_)))
        width = np.zeros_like(total)
        for v, (view, trained) in enumerate(self.views_.items()):
            both = observed[:, [v]] & self.observed_[:, v]
            # Differences, not inner products: a vote must not depend on which rows are asked about together.
            total += np.where(both, cdist(views[view].astype(np.float64), trained, "sqeuclidean"), 0.0)
            width += both * trained.shape[1]
        everything = sum(x.shape[1] for x in self.views_.values())
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(width > 0, np.sqrt(total * everything / width), np.inf)

    def _vote(self, distances: np.ndarray) -> np.ndarray:
        k, weights = self.chosen_
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return self._shares(np.take_along_axis(distances, nearest, axis=1), nearest, weights)

    def _shares(self, near: np.ndarray, nearest: np.ndarray, weights: str) -> np.ndarray:
        """Shares of the votes with the prior. Shapes: near and nearest (N, k) -> (N, C)."""
        frequencies = self.votes_.mean(axis=0)
        votes = np.isfinite(near).astype(np.float64)
        if weights == "distance":
            same = near == 0
            votes = np.where(same.any(axis=1, keepdims=True), same, votes / np.where(near > 0, near, 1.0))
        total = votes.sum(axis=1, keepdims=True)
        # Weights are shares of as many votes as there are neighbours: the prior weighs the same near and far.
        votes *= np.isfinite(near).sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
        counts = np.einsum("mk,mkc->mc", votes, self.votes_[nearest]) + self.prior * frequencies
        # Who shares no view with any training row knows the training rows' class frequencies, no more.
        counts[total[:, 0] <= 0] = frequencies
        return counts / counts.sum(axis=1, keepdims=True)

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return self._answer(rows.views, rows.observed)

    def parameter_count(self) -> int:
        return 0

    def diagnostics(self) -> dict[str, Any]:
        k, weights = self.chosen_
        return {"k": k, "weights": weights, "temperature": self.temperature_}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"k": Int(1, 30, log=True), "weights": Choice(("uniform", "distance"))}
