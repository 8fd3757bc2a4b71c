"""Similarity network fusion, then label spreading on the fused graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Distribution, EstimatorMethod, Float, Int, NewRows, Tags
from mvgraph.graph import CSR, MultiViewGraph, append_nodes, extend_fused, fuse_snf
from mvgraph_baselines.inner_cv import check_temperature, inner_folds
from mvgraph_baselines.spreading import fit_spreading

#: Name of the one view of the fused graph.
FUSED = "snf"


class SimilarityNetworkFusion(EstimatorMethod):
    r"""The views' graphs diffuse through each other until one graph is left; labels spread over it.

    .. math::

        P_v \leftarrow S_v \Big(\tfrac1{V-1} \sum_{w \ne v} P_w\Big) S_v^\top, \qquad
        F \leftarrow \alpha L F + (1 - \alpha) Y

    S_v, P_v and what is kept of the mean of all P_v stand at `mvgraph.graph.fuse_snf`; L is the Laplacian of
    Eq. 2 of the kept graph. The affinities are those of the graph it is given: the paper's, which are scaled by
    the distances to a row's own neighbours, come nearest with `graph: {kernel: self-tuning, k: 20}`.

    Memory grows with N^2, because the fused similarities are N x N; `memory_mib` says when to refuse.

    Args:
        alpha: share of a node's answer that comes from its neighbours, in (0, 1); None takes, of 0.5, 0.8, 0.9 and
            0.97, the one with the lowest log-loss in cross-validation inside the training rows.
        k: neighbours per row in the fused graph.
        steps: at most so many fusion steps; 20 in the paper.
        memory_mib: refuse to fuse what takes more.
        temperature: of the rows of F scaled to sum to 1, which stay as they are with 1; None fits it to out-of-fold
            answers.

    Raises:
        UserError: alpha outside (0, 1), a temperature that is not positive, or more rows than memory allows.

    Shapes:
        predict_proba: (N, C).
    """

    name = "snf"
    title = "label spreading on the fused graph (SNF)"
    paper = (
        "Wang et al. 2014, Similarity network fusion for aggregating data types on a genomic scale; "
        "spreading by Zhou et al. 2004; temperature after Guo et al. 2017"
    )
    tags = Tags(uses_graph=True, transductive=True, quadratic=True)

    def __init__(
        self,
        *,
        alpha: float | None = None,
        k: int = 20,
        steps: int = 20,
        memory_mib: float = 4096,
        temperature: float | None = None,
    ) -> None:
        if alpha is not None and not 0.0 < alpha < 1.0:
            raise UserError(f"snf: alpha={alpha}; give a number between 0 and 1, e.g. 0.9.")
        if steps < 1:
            raise UserError(f"snf: steps={steps}; give a whole number of at least 1.")
        check_temperature(self.name, temperature)
        self.alpha, self.k, self.steps, self.memory_mib = alpha, k, steps, memory_mib
        self.temperature = temperature

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> SimilarityNetworkFusion:
        if graph is None:
            raise UserError("snf needs a graph.")
        self.views_ = data.view_names
        self.fused_: CSR = fuse_snf(
            graph.select(self.views_), self.k, steps=self.steps, memory_mib=self.memory_mib
        )
        smoothing = MultiViewGraph({FUSED: self.fused_}, graph.settings).laplacian(FUSED).to_scipy()
        self.spread_ = fit_spreading(smoothing, inner_folds(data, split), self.alpha, self.temperature)
        return self

    def predict_proba(self) -> np.ndarray:
        return self.spread_.answer(self.spread_.flow).astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        if rows.graph is None:
            raise UserError("snf needs a graph.")
        n = len(self.spread_.flow)
        attached = [
            CSR.from_scipy(rows.graph[view].to_scipy()[n:, :n].astype(np.float64)) for view in self.views_
        ]
        extended = append_nodes(self.fused_, extend_fused(self.fused_, attached, self.k))
        laplacian = MultiViewGraph({FUSED: extended}, rows.graph.settings).laplacian(FUSED).to_scipy()
        return self.spread_.answer(laplacian[n:, :n].astype(np.float64) @ self.spread_.flow)

    def parameter_count(self) -> int:
        return 0

    def diagnostics(self) -> dict[str, Any]:
        return {"alpha": self.spread_.alpha, "temperature": self.spread_.temperature}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"alpha": Float(0.05, 0.99), "k": Int(5, 60, log=True)}
