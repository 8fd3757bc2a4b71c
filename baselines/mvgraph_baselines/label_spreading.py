"""Label spreading on the mean of the views' graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Choice, Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.inner_cv import check_temperature, inner_folds
from mvgraph_baselines.spreading import fit_spreading


class MeanGraphLabelSpreading(EstimatorMethod):
    r"""Graph without features or training: labels flow along the mean adjacency.

    .. math::

        F \leftarrow \alpha S F + (1 - \alpha) Y

    The rows of F, scaled to sum to 1, are nearly uniform where labels are few: they tell which class, not how
    certainly, so that a temperature is fitted to them.

    Args:
        alpha: share of a node's answer that comes from its neighbours, in (0, 1); None takes, of 0.5, 0.8, 0.9 and
            0.97, the one with the lowest log-loss in cross-validation inside the training rows.
        temperature: of the scaled rows of F; 1 leaves them, None fits it to out-of-fold answers.
        average: "laplacian" takes S as the mean of the views' normalised Laplacians (self loops included), so
            that no view's larger weights outweigh the others; "adjacency" averages the unnormalised
            adjacencies and normalises the mean, the way Mean-GCN does.

    Raises:
        UserError: alpha outside (0, 1), an unknown average, or a temperature that is not positive.

    Shapes:
        predict_proba: (N, C).
    """

    name = "label-spreading"
    title = "label spreading on the mean graph"
    paper = "Zhou et al. 2004, Learning with Local and Global Consistency; temperature after Guo et al. 2017"
    tags = Tags(uses_graph=True, transductive=True)

    def __init__(
        self,
        *,
        alpha: float | None = None,
        average: str = "laplacian",
        temperature: float | None = None,
    ) -> None:
        if alpha is not None and not 0.0 < alpha < 1.0:
            raise UserError(f"label-spreading: alpha={alpha}; give a number between 0 and 1, e.g. 0.9.")
        if average not in ("laplacian", "adjacency"):
            raise UserError(f"label-spreading: average='{average}'; choose laplacian or adjacency.")
        check_temperature(self.name, temperature)
        self.alpha, self.average, self.temperature = alpha, average, temperature

    def prepare(self, graph: MultiViewGraph) -> MultiViewGraph:
        return graph.mean() if self.average == "adjacency" else graph

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> MeanGraphLabelSpreading:
        if graph is None:
            raise UserError("label-spreading needs a graph.")
        folds = inner_folds(data, split)
        self.spread_ = fit_spreading(_smoothing(graph), folds, self.alpha, self.temperature)
        return self

    def predict_proba(self) -> np.ndarray:
        return self.spread_.answer(self.spread_.flow).astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        if rows.graph is None:
            raise UserError("label-spreading needs a graph.")
        n = len(self.spread_.flow)
        return self.spread_.answer(_smoothing(self.prepare(rows.graph))[n:, :n] @ self.spread_.flow)

    def parameter_count(self) -> int:
        return 0

    def diagnostics(self) -> dict[str, Any]:
        return {"alpha": self.spread_.alpha, "temperature": self.spread_.temperature}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"alpha": Float(0.05, 0.99), "average": Choice(("laplacian", "adjacency"))}


def _smoothing(graph: MultiViewGraph) -> scipy.sparse.csr_array:
    """S: the mean of the views' normalised Laplacians."""
    total = sum(graph.laplacian(view).to_scipy().astype(np.float64) for view in graph.view_names)
    return scipy.sparse.csr_array(total / graph.n_views)
