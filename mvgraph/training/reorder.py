"""Node numbers that bring neighbours close together in memory.

A sparse product reads the rows of a node's neighbours; numbered by reverse Cuthill-McKee they lie in nearby
cache lines. It is the same graph: results are put back into the order of the data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse
import torch
from scipy.sparse.csgraph import reverse_cuthill_mckee

from mvgraph.data import MultiViewData, Split
from mvgraph.graph import MultiViewGraph
from mvgraph.graph.operations import permute
from mvgraph.training.result import FitResult, Selection


@dataclass(frozen=True)
class Reordering:
    """A renumbering of the samples: new row i is old row `order[i]`."""

    order: np.ndarray

    @property
    def inverse(self) -> np.ndarray:
        """Old row i is new row `inverse[i]`."""
        inverse = np.empty_like(self.order)
        inverse[self.order] = np.arange(len(self.order))
        return inverse

    def data(self, data: MultiViewData) -> MultiViewData:
        """The samples in the new order."""
        return data.subset(self.order)

    def graph(self, graph: MultiViewGraph) -> MultiViewGraph:
        """The graph over the renumbered nodes."""
        order = torch.as_tensor(self.order)
        adjacency = {view: permute(a, order.to(a.device)) for view, a in graph.adjacency.items()}
        return MultiViewGraph(adjacency, graph.settings, graph.mean_distances)

    def split(self, split: Split) -> Split:
        """The same samples in each part, by their new numbers."""
        inverse = self.inverse
        parts = {part: np.sort(inverse[getattr(split, part)]) for part in ("train", "validation", "test")}
        # The split's own class: one inside a search has no test part, which a plain one must have.
        return type(split)(**parts, scheme=split.scheme, seed=split.seed, parameters=split.parameters)

    def undo(self, result: FitResult) -> FitResult:
        """The result with its probabilities in the order of the data."""
        inverse = self.inverse
        selections = {
            rule: Selection(chosen.epoch, chosen.probabilities[inverse], chosen.state)
            for rule, chosen in result.selections.items()
        }
        return replace(result, selections=selections)


def by_locality(graph: MultiViewGraph) -> Reordering:
    """Reverse Cuthill-McKee over the edges of all views together."""
    union = scipy.sparse.csr_array((graph.n_nodes, graph.n_nodes), dtype=np.float32)
    for view in graph.view_names:
        pattern = graph[view].to_scipy()
        union = union + abs(pattern)
    return Reordering(
        reverse_cuthill_mckee(scipy.sparse.csr_matrix(union), symmetric_mode=False).astype(np.int64)
    )
