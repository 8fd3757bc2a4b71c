"""Graphs with some edges taken away: those inside a group, and those that training would not have had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mvgraph.data import Split
from mvgraph.errors import UserError
from mvgraph.graph.csr import CSR
from mvgraph.graph.multiview import MultiViewGraph


def without_group_edges(graph: MultiViewGraph, group: np.ndarray) -> MultiViewGraph:
    """The graph without edges between rows of one group: a segment no longer sees the other segments of its clip.

    Edges taken away are not replaced by the next nearest neighbours, so degrees fall.

    Args:
        group: the group of each row, e.g. `data.groups["clip"]`.

    Shapes:
        group: (N,)
    Raises:
        UserError: another number of rows than the graph has.
    """
    code = group_codes(group, graph.n_nodes)
    return _edited(graph, lambda row, column: code[row] != code[column])


def inductive(graph: MultiViewGraph, split: Split) -> MultiViewGraph:
    """The graph as if the test rows came one by one after training.

    Rows outside the test part keep their edges among themselves and lose those to test rows; test rows keep
    their edges to the others, in that direction alone, and lose those to test rows. So no row learns from a
    test row, and what is predicted for one does not depend on which others there are.

    Raises:
        UserError: the split names a row that the graph does not have.
    """
    if (
        max(int(rows[-1]) for rows in (split.train, split.validation, split.test) if len(rows))
        >= graph.n_nodes
    ):
        raise UserError(f"The split names rows that the graph of {graph.n_nodes} nodes does not have.")
    test = torch.zeros(graph.n_nodes, dtype=torch.bool)
    test[torch.from_numpy(split.test.copy())] = True
    made = _edited(graph, lambda row, column: ~test[column])
    if made.settings is None:
        return made
    # It says of itself that it is directed, whatever it was built as.
    settings = replace(made.settings, symmetrise="directed")
    return MultiViewGraph(made.adjacency, settings, made.mean_distances, made.recall)


def group_codes(group: np.ndarray, n_nodes: int) -> Tensor:
    """Groups as numbers 0..G-1. Shapes: (N,) -> (N,) int64."""
    group = np.asarray(group)
    if group.shape != (n_nodes,):
        raise UserError(
            f"Groups must name one group for each of the {n_nodes} nodes of the graph, not have shape {group.shape}."
        )
    return torch.from_numpy(np.unique(group, return_inverse=True)[1].astype(np.int64))


def finest_group(groups: Mapping[str, np.ndarray]) -> str:
    """The kind with the most groups, of those that put rows together: clips before places, places before cities.

    A kind counts where a tenth of the rows at least share their group with another row.

    Raises:
        UserError: no kind of group does.
    """
    sizes = {name: np.unique(values, return_counts=True)[1] for name, values in groups.items()}
    shared = {name: each for name, each in sizes.items() if each[each > 1].sum() >= 0.1 * each.sum()}
    if not shared:
        raise UserError("The data has no groups of several rows; name a group column when it is imported.")
    return max(shared, key=lambda name: (len(shared[name]), name))


def filtered(a: CSR, keep: Tensor) -> CSR:
    """Some entries of a matrix. Shapes: keep (E,) bool."""
    counts = torch.bincount(a.rows()[keep], minlength=a.n_rows)
    indptr = torch.zeros_like(a.indptr)
    torch.cumsum(counts, 0, out=indptr[1:])
    return CSR(indptr, a.indices[keep], a.values[keep], a.n_cols)


def _edited(graph: MultiViewGraph, kept: Callable[[Tensor, Tensor], Tensor]) -> MultiViewGraph:
    views = {}
    for name, a in graph.adjacency.items():
        row, column = a.rows().cpu(), a.indices.cpu()
        views[name] = filtered(a, kept(row, column).to(a.device))
    return MultiViewGraph(views, graph.settings, graph.mean_distances, graph.recall)
