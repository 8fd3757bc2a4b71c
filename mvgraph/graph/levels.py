"""Which nodes each layer needs: the receptive field of some rows, exact or sampled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mvgraph.graph.csr import CSR
from mvgraph.graph.multiview import MultiViewGraph
from mvgraph.graph.operator import restrict_rows_and_columns, sample_row_entries


def receptive_levels(
    graph: MultiViewGraph, rows: Tensor, n_layers: int, views: Sequence[str]
) -> list[Tensor]:
    """Nodes of levels 0..T: level T is `rows`, level t-1 is what the rows of level t read in any of `views`.

    Args:
        graph: one Laplacian per view.
        rows: ascending node numbers.
        n_layers: T.
        views: the views whose graphs a layer reads.

    Returns:
        T + 1 tensors of ascending node numbers, each holding the next one.
    """
    levels = [rows]
    for _ in range(n_layers):
        near = [restrict_rows_and_columns(graph.laplacian(view), levels[0], None) for view in views]
        levels.insert(0, _reached(graph.n_nodes, levels[0], near))
    return levels


def sampled_levels(
    graph: MultiViewGraph,
    rows: Tensor,
    fan_out: Sequence[int],
    views: Sequence[str],
    generator: torch.Generator,
) -> tuple[list[Tensor], dict[tuple[int, str], CSR]]:
    """Levels in which every row reads at most `fan_out[t]` neighbours a view, and the matrices that do.

    Args:
        graph: one Laplacian per view.
        rows: ascending node numbers of the last level.
        fan_out: one number a layer, first layer first.
        views: the views whose graphs a layer reads.
        generator: of the draws, on the CPU.

    Returns:
        The levels, and (layer, view) -> matrix (rows of level layer, rows of level layer-1).
    """
    levels = [rows]
    drawn: dict[tuple[int, str], CSR] = {}
    for layer in range(len(fan_out), 0, -1):
        for view in views:
            near = restrict_rows_and_columns(graph.laplacian(view), levels[0], None)
            drawn[layer, view] = sample_row_entries(near, fan_out[layer - 1], generator)
        near_views = [drawn[layer, view] for view in views]
        levels.insert(0, _reached(graph.n_nodes, levels[0], near_views))
    for (layer, view), csr in drawn.items():
        columns = levels[layer - 1]
        renumbered = torch.searchsorted(columns, csr.indices)
        drawn[layer, view] = CSR(csr.indptr, renumbered, csr.values, int(columns.numel()))
    return levels, drawn


def _reached(n_nodes: int, rows: Tensor, matrices: Sequence[CSR]) -> Tensor:
    reached = torch.zeros(n_nodes, dtype=torch.bool, device=rows.device)
    reached[rows] = True
    for matrix in matrices:
        reached[matrix.indices] = True
    return reached.nonzero().squeeze(1)
