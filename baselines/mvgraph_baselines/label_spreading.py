"""Label spreading on the mean of the views' graphs."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Choice, Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.spreading import as_probabilities, spread


class MeanGraphLabelSpreading(EstimatorMethod):
    r"""Graph without features or training: labels flow along the mean adjacency.

    .. math::

        F \leftarrow \alpha S F + (1 - \alpha) Y

    Args:
        alpha: share of a node's answer that comes from its neighbours, in (0, 1).
        average: "laplacian" takes S as the mean of the views' normalised Laplacians (self loops included), so
            that no view's larger weights outweigh the others; "adjacency" averages the unnormalised
            adjacencies and normalises the mean, the way Mean-GCN does.

    Raises:
        UserError: alpha outside (0, 1), or an unknown average.

    Shapes:
        predict_proba: (N, C), the rows of F scaled to sum to 1.
    """

    name = "label-spreading"
    title = "label spreading on the mean graph"
    paper = "Zhou et al. 2004, Learning with Local and Global Consistency"
    tags = Tags(uses_graph=True, transductive=True)

    def __init__(self, *, alpha: float = 0.9, average: str = "laplacian") -> None:
        if not 0.0 < alpha < 1.0:
            raise UserError(f"label-spreading: alpha={alpha}; give a number between 0 and 1, e.g. 0.9.")
        if average not in ("laplacian", "adjacency"):
            raise UserError(f"label-spreading: average='{average}'; choose laplacian or adjacency.")
        self.alpha, self.average = alpha, average

    def prepare(self, graph: MultiViewGraph) -> MultiViewGraph:
        return graph.mean() if self.average == "adjacency" else graph

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> MeanGraphLabelSpreading:
        if graph is None:
            raise UserError("label-spreading needs a graph.")
        self._flow = spread(_smoothing(graph), data.labels, split.train, data.n_classes, self.alpha)
        return self

    def predict_proba(self) -> np.ndarray:
        return as_probabilities(self._flow).astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        if rows.graph is None:
            raise UserError("label-spreading needs a graph.")
        n = len(self._flow)
        return as_probabilities(_smoothing(self.prepare(rows.graph))[n:, :n] @ self._flow)

    def parameter_count(self) -> int:
        return 0

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"alpha": Float(0.05, 0.99), "average": Choice(("laplacian", "adjacency"))}


def _smoothing(graph: MultiViewGraph) -> scipy.sparse.csr_array:
    """S: the mean of the views' normalised Laplacians."""
    total = sum(graph.laplacian(view).to_scipy().astype(np.float64) for view in graph.view_names)
    return scipy.sparse.csr_array(total / graph.n_views)
