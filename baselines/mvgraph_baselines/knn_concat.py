"""The k nearest labelled rows on the concatenated views."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial.distance import cdist

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Choice, Distribution, EstimatorMethod, Int, NewRows, Tags
from mvgraph.graph import MultiViewGraph

#: Distances held at a time.
BLOCK = 2**16


class ConcatNearestNeighbours(EstimatorMethod):
    r"""The nearest training rows vote; no model at all, the least that a graph of neighbours has to beat.

    .. math::

        d(x, y)^2 = \frac{\sum_v d_v}{\sum_{v \in V(x) \cap V(y)} d_v}
            \sum_{v \in V(x) \cap V(y)} \lVert x_v - y_v \rVert^2

    Rows are compared over the views that both have, scaled up to all columns; without a common view they are
    infinitely far apart. Of equally near rows the one with the smaller number comes first.

    Args:
        k: neighbours that vote; all training rows if there are fewer.
        weights: "uniform", or "distance" for votes of 1 / d (rows at distance 0 then vote alone).

    Raises:
        UserError: k below 1, or another word for `weights`.

    Shapes:
        predict_proba: (N, C), shares of the votes.
    """

    name = "knn-concat"
    title = "k nearest neighbours on concatenated views"
    paper = "Cover & Hart 1967; distance weights by Dudani 1976"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(self, *, k: int = 5, weights: str = "uniform") -> None:
        if k < 1:
            raise UserError(f"knn-concat: k={k}; give a whole number of at least 1.")
        if weights not in ("uniform", "distance"):
            raise UserError(f"knn-concat: weights='{weights}'; choose uniform or distance.")
        self.k, self.weights = k, weights

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> ConcatNearestNeighbours:
        rows = split.train
        self.views_ = {view: data.views[view][rows].astype(np.float64) for view in data.view_names}
        self.observed_ = data.observed[rows]
        self.votes_ = np.eye(data.n_classes)[data.labels[rows]]
        self._probabilities = self._answer(data.views, data.observed)
        return self

    def _answer(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
        step = max(1, BLOCK // len(self.votes_))
        blocks = [slice(start, start + step) for start in range(0, len(observed), step)]
        return np.concatenate(
            [self._vote(self._distances({n: x[b] for n, x in views.items()}, observed[b])) for b in blocks]
        )

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
        k = min(self.k, distances.shape[1])
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
        near = np.take_along_axis(distances, nearest, axis=1)
        votes = np.isfinite(near).astype(np.float64)
        if self.weights == "distance":
            same = near == 0
            votes = np.where(same.any(axis=1, keepdims=True), same, votes / np.where(near > 0, near, 1.0))
        # Who shares no view with any training row knows the training rows' class frequencies, no more.
        lost = ~(votes.sum(axis=1) > 0)
        counts = np.einsum("mk,mkc->mc", votes, self.votes_[nearest])
        counts[lost] = self.votes_.sum(axis=0)
        return counts / counts.sum(axis=1, keepdims=True)

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return self._answer(rows.views, rows.observed)

    def parameter_count(self) -> int:
        return 0

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"k": Int(1, 30, log=True), "weights": Choice(("uniform", "distance"))}
