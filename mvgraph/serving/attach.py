"""New rows attached to the graph of a fit, in the plain way.

In every view a new row gets directed edges to its k nearest among the rows of the fit, weighted as the graph's
kernel weighs (Eq. 1 with the mu of the fit). The rows of the fit keep their edges and get none to the new ones.
So nothing changes for them, and what a new row gets depends on itself alone: a batch and one row at a time give
the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.graph import CSR, GraphSettings, MultiViewGraph, Neighbours, extend_fused, knn
from mvgraph.graph.extend import append_nodes
from mvgraph.graph.kernels import KERNELS
from mvgraph.graph.rows import within_float32
from mvgraph.graph.settle import settle_table

#: Candidates beyond k that a matrix product proposes.
SLACK = 8
#: Distances held at a time.
BLOCK = 2**22


@dataclass
class AttachableGraph:
    """The graph of a fit and what attaching rows to it takes.

    Args:
        graph: the graph, its settings and mean distances with it.
        rows: view -> scaled rows of the fit.
        observed: which row has which view, views in the order of their names.
        scales: for the "self-tuning" kernel: view -> each row's distance to its scale neighbour.

    Shapes:
        rows[v]: (N, d_v) float32 or float64; observed: (N, V) bool; scales[v]: (rows that have v,) float32.
    """

    graph: MultiViewGraph
    rows: Mapping[str, np.ndarray]
    observed: np.ndarray
    scales: dict[str, Tensor] = field(default_factory=dict)

    @property
    def settings(self) -> GraphSettings:
        """How the graph was built."""
        assert self.graph.settings is not None
        return self.graph.settings

    def measure(self) -> AttachableGraph:
        """Fill in `scales`, where the kernel asks for them."""
        if self.settings.kernel == "self-tuning":
            for view in self.rows:
                k = self.settings.k_of(view)
                at = self.settings.scale_neighbour or k
                found = knn(self._space(self._kept(view)[0]), k, max_seconds=None)
                self.scales[view] = found.distances[:, at - 1].clone()
        return self

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The graph as tensors and JSON values, without the rows."""
        tensors: dict[str, Tensor] = {f"scale/{view}": scale for view, scale in self.scales.items()}
        for view, a in self.graph.adjacency.items():
            parts = {"indptr": a.indptr, "indices": a.indices, "values": a.values}
            tensors |= {f"adjacency/{view}/{name}": part for name, part in parts.items()}
        described = {
            "settings": self.settings.to_json(),
            "mean_distances": dict(self.graph.mean_distances),
            "recall": dict(self.graph.recall),
        }
        return tensors, described

    @classmethod
    def from_state(
        cls,
        tensors: Mapping[str, Tensor],
        described: Mapping[str, Any],
        rows: Mapping[str, np.ndarray],
        observed: np.ndarray,
    ) -> AttachableGraph:
        """The graph that `state` described.

        Raises:
            UserError: parts that make no graph over these rows.
        """
        views = {name.split("/")[1] for name in tensors if name.startswith("adjacency/")}
        adjacency = {}
        for view in views:
            part = {name: tensors[f"adjacency/{view}/{name}"] for name in ("indptr", "indices", "values")}
            check_pattern(part["indptr"], part["indices"], len(observed))
            adjacency[view] = CSR(part["indptr"], part["indices"], part["values"], len(observed))
        settings = GraphSettings.from_json(described["settings"])
        graph = MultiViewGraph(adjacency, settings, described["mean_distances"], described["recall"])
        scales = {view: tensors[f"scale/{view}"] for view in rows if f"scale/{view}" in tensors}
        return cls(graph, rows, observed, scales)

    def __getstate__(self) -> dict[str, Any]:
        tensors, described = self.state()
        return {"tensors": tensors, "described": described, "rows": self.rows, "observed": self.observed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(AttachableGraph.from_state(**state).__dict__)

    def extended(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> MultiViewGraph:
        """The graph with new rows at its end.

        Shapes:
            views[v]: (M, d_v) of the type of the rows of the fit, scaled; observed: (M, V) bool.
        """
        edges = {
            view: self.edges(view, views[view], observed[:, v]) for v, view in enumerate(sorted(self.rows))
        }
        for view in self.graph.view_names:
            if view not in edges:
                edges[view] = extend_fused(self.graph[view], [edges[name] for name in sorted(self.rows)])
        grown = {view: append_nodes(self.graph[view], edges[view]) for view in self.graph.view_names}
        return MultiViewGraph(grown, self.settings, self.graph.mean_distances)

    def edges(self, view: str, new: np.ndarray, present: np.ndarray) -> CSR:
        """Edges of new rows to the rows of the fit in one view; a row that lacks the view has none.

        Shapes:
            new: (M, d_v); present: (M,) bool -> (M, N) CSR
        """
        reference, kept = self._kept(view)
        n, m = len(self.observed), len(new)
        asking = torch.from_numpy(np.flatnonzero(present))
        if asking.numel() == 0:
            return CSR.empty(m, n)
        # Of the rows of the fit alone: what a new row gets must not depend on those beside it.
        points, unit = within_float32(self._space(reference))
        queries = self._space(torch.tensor(new[present])) / unit
        k = min(self.settings.k_of(view), reference.shape[0])
        indices, distances = nearest(points, queries, k)
        weights = self._weigh(view, indices, distances, unit)
        columns, order = (indices if kept is None else kept[indices]).sort(dim=1)
        counts = torch.zeros(m, dtype=torch.int64).index_fill_(0, asking, k)
        indptr = torch.zeros(m + 1, dtype=torch.int64)
        torch.cumsum(counts, 0, out=indptr[1:])
        return CSR(indptr, columns.flatten(), weights.gather(1, order).flatten(), n)

    def _kept(self, view: str) -> tuple[Tensor, Tensor | None]:
        """Rows of the fit that have the view, and their numbers (None: all)."""
        has = self.observed[:, sorted(self.rows).index(view)]
        if has.all():
            return torch.tensor(self.rows[view]), None
        return torch.tensor(self.rows[view][has]), torch.from_numpy(np.flatnonzero(has))

    def _space(self, rows: Tensor) -> Tensor:
        return KERNELS[self.settings.kernel].space(rows)

    def _weigh(self, view: str, indices: Tensor, distances: Tensor, unit: float) -> Tensor:
        if self.settings.kernel != "self-tuning":
            found = Neighbours(indices, distances, self.graph.mean_distances[view] / unit)
            return KERNELS[self.settings.kernel].weigh(found, None)
        at = min(self.settings.scale_neighbour or indices.shape[1], indices.shape[1])
        wide = distances.double()
        product = wide[:, at - 1, None] * (self.scales[view].double()[indices] / unit)
        weights = torch.exp(-wide.square() / product)
        return torch.where(product > 0, weights, (wide == 0).double()).to(torch.float32)


def check_pattern(indptr: Tensor, indices: Tensor, n: int) -> None:
    """Raise UserError unless these are the rows and columns of a CSR over n nodes, in canonical order."""
    sound = (
        indptr.shape == (n + 1,)
        and indptr.dtype == indices.dtype == torch.int64
        and int(indptr[0]) == 0
        and int(indptr[-1]) == indices.numel()
        and bool((indptr.diff() >= 0).all())
        and (indices.numel() == 0 or (int(indices.min()) >= 0 and int(indices.max()) < n))
    )
    if not sound:
        raise UserError(f"the stored graph does not describe edges between {n} nodes")


def nearest(reference: Tensor, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest reference rows of each query, by (distance rounded to float32, index), beyond doubt.

    A float64 matrix product proposes candidates, distances in difference form decide; where the candidates
    could miss somebody, all reference rows are compared. So the answer to a query depends on nothing else.

    Shapes:
        reference: (N, d) and queries: (M, d), both float32 or both float64 -> indices (M, k), distances (M, k) float32
    """
    n, m = reference.shape[0], queries.shape[0]
    wide = reference.double()
    centre = wide.mean(0)
    wide = wide - centre
    norms = wide.square().sum(1)
    width = min(k + SLACK, n)
    indices = torch.empty((m, k), dtype=torch.int64)
    distances = torch.empty((m, k), dtype=torch.float32)
    step = max(1, BLOCK // n)
    for start in range(0, m, step):
        part = queries[start : start + step]
        asked = part.double() - centre
        own = asked.square().sum(1)
        squared = torch.addmm(norms[None], asked, wide.T, alpha=-2.0).add_(own[:, None])
        values, candidates = torch.topk(squared, width, dim=1, largest=False)
        both = torch.cat([reference, part])
        which = slice(n, n + part.shape[0])
        found, distance = settle_table(both, which, candidates, k)
        if width < n:
            # A float32 distance stands for all within half a unit in its last place.
            limit = (distance[:, -1].double() * (1 + 2**-22)).square() + 1e-12 * (own + norms.max())
            for i in (values[:, -1] <= limit).nonzero().flatten().tolist():
                everybody = torch.arange(n)[None]
                found[i], distance[i] = (
                    x[0] for x in settle_table(both, slice(n + i, n + i + 1), everybody, k)
                )
        indices[start : start + step], distances[start : start + step] = found, distance
    return indices, distances
