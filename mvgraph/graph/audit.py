"""What the neighbours of test rows are made of: siblings, duplicates, rows of the same class.

A graph over segments of clips, or sections of patients, joins rows that are near copies of each other. What a
method gains through such edges is smoothing over the clip, and not knowledge about the class. The figures here
say how many there are; `mvgraph.graph.edits` takes them away, so that the gain can be measured without them.

An entry A_ij makes j a neighbour of i. Everything is a pure function of graph, labels, groups and split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mvgraph.data import Split
from mvgraph.errors import UserError
from mvgraph.graph.csr import CSR
from mvgraph.graph.edits import filtered, group_codes
from mvgraph.graph.kernels import KERNELS
from mvgraph.graph.multiview import MultiViewGraph
from mvgraph.graph.operations import merge, row_chunks, rows_of

#: Rows nearer to each other than this part of the mean distance are near duplicates.
NEAR = 0.05
#: Near duplicates that are named.
NAMED = 20
_EDGES_AT_ONCE = 2**17


def own_group_shares(
    graph: MultiViewGraph, group: np.ndarray, rows: np.ndarray
) -> dict[str, NDArray[np.float64]]:
    """Share of each row's neighbours that belong to its own group, per view; NaN for rows without a neighbour.

    Shapes:
        group: (N,); rows: (n,) int64 -> view: (n,) float64
    """
    code = group_codes(group, graph.n_nodes)
    shares = {}
    for name, a in graph.adjacency.items():
        row = a.rows().cpu()
        same = torch.bincount(row[code[row] == code[a.indices.cpu()]], minlength=graph.n_nodes)
        degree = a.counts().cpu()
        # 0 / 0 is NaN, which says that there is no neighbour to be of any group.
        shares[name] = (same.double() / degree.double())[torch.from_numpy(rows.copy())].numpy()
    return shares


def chance_share(group: np.ndarray, rows: np.ndarray) -> float:
    """What `own_group_shares` would be on average if neighbours were drawn from all other rows."""
    _, code, sizes = np.unique(group, return_inverse=True, return_counts=True)
    return float(((sizes[code[rows]] - 1) / max(len(group) - 1, 1)).mean())


def crossing_pairs(graph: MultiViewGraph, group: np.ndarray, split: Split) -> dict[str, int]:
    """Pairs of a training and a test row of one group that an edge joins (in either direction), per view."""
    code = group_codes(group, graph.n_nodes)
    part = torch.from_numpy(split.assignment(graph.n_nodes))
    found = {}
    for name, a in graph.adjacency.items():
        row, column = a.rows().cpu(), a.indices.cpu()
        # Parts are 0 (train), 1 (validation) and 2 (test).
        crossing = ((part[row] == 0) & (part[column] == 2)) | ((part[row] == 2) & (part[column] == 0))
        crossing &= code[row] == code[column]
        low, high = torch.minimum(row, column)[crossing], torch.maximum(row, column)[crossing]
        found[name] = int(torch.unique(low * graph.n_nodes + high).numel())
    return found


@dataclass(frozen=True)
class NearRows:
    """Pairs of rows of one view that are nearer than `below`.

    Shapes: first, second: (P,) int64 row numbers, first < second; distance: (P,) float64, ascending.
    """

    below: float
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.float64]


def near_rows(
    graph: MultiViewGraph, views: Mapping[str, np.ndarray], fraction: float = NEAR
) -> dict[str, NearRows]:
    """Pairs of rows nearer than `fraction` of the mean distance mu, per view.

    Looked for among the edges: the nearest neighbour of a row is always one, so a row that has a near duplicate
    is always found, though perhaps not every pair of a large heap of duplicates. Views whose mu is not known
    (fused ones, graphs from elsewhere) are left out.

    Args:
        views: the rows that the graph was built from, scaled as they were then.

    Raises:
        UserError: a fraction that is not above 0, or a view that is missing.
    """
    if not fraction > 0:
        raise UserError(f"The fraction of the mean distance must be above 0, not {fraction}.")
    found = {}
    for name, a in graph.adjacency.items():
        if name not in graph.mean_distances:
            continue
        if name not in views:
            raise UserError(
                f"Near duplicates are looked for in every view of the graph; '{name}' is missing."
            )
        rows = torch.from_numpy(np.array(views[name]))
        if graph.settings is not None:
            rows = KERNELS[graph.settings.kernel].space(rows)
        symmetric = graph.settings is not None and graph.settings.symmetrise != "directed"
        found[name] = _near(a, rows, fraction * graph.mean_distances[name], symmetric)
    return found


def _near(a: CSR, rows: torch.Tensor, below: float, symmetric: bool) -> NearRows:
    pairs: list[torch.Tensor] = []
    distances: list[torch.Tensor] = []
    for low, high in row_chunks(a):
        row, column, _ = (part.cpu() for part in rows_of(a, low, high))
        if symmetric:
            row, column = row[row < column], column[row < column]
        for start in range(0, row.numel(), _EDGES_AT_ONCE):
            i, j = row[start : start + _EDGES_AT_ONCE], column[start : start + _EDGES_AT_ONCE]
            # In single precision first, with a margin for its rounding: few edges are anywhere near.
            likely = (rows[i] - rows[j]).square_().sum(dim=1) < (1.01 * below) ** 2
            i, j = i[likely], j[likely]
            distance = (rows[i].double() - rows[j].double()).square_().sum(dim=1).sqrt_()
            near = distance < below
            pairs.append(torch.stack([torch.minimum(i, j), torch.maximum(i, j)], dim=1)[near])
            distances.append(distance[near])
    if not pairs:
        return NearRows(below, np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    both, lengths = torch.cat(pairs).numpy(), torch.cat(distances).numpy()
    _, once = np.unique(both[:, 0] * a.n_rows + both[:, 1], return_index=True)
    order = once[np.lexsort((both[once, 1], both[once, 0], lengths[once]))]
    return NearRows(below, both[order, 0], both[order, 1], lengths[order])


def homophily(a: CSR, labels: np.ndarray) -> dict[str, float | None]:
    """Share of the edges, and of their weight, that join rows of one class; edges of unlabelled rows do not count.

    Returns:
        `edges` and `weight`, None where there is nothing to take a share of.
    """
    label = torch.from_numpy(np.array(labels))
    row, column, value = a.rows().cpu(), a.indices.cpu(), a.values.cpu().double()
    known = (label[row] >= 0) & (label[column] >= 0)
    same = known & (label[row] == label[column])
    total, weight = int(known.sum()), float(value[known].sum())
    return {
        "edges": int(same.sum()) / total if total else None,
        "weight": float(value[same].sum()) / weight if weight else None,
    }


def fused(graph: MultiViewGraph, theta: Mapping[str, float]) -> CSR:
    """Neighbours as a weighted sum of Laplacians sees them (Eq. 2): sum_v theta_v L_v without its diagonal.

    Raises:
        UserError: theta names no view, or one that the graph does not have.
    """
    total: CSR | None = None
    for name, weight in theta.items():
        whole = graph.laplacian(name)
        part = filtered(whole, whole.rows() != whole.indices)
        part = part.with_values(part.values * float(weight))
        total = part if total is None else merge(total, part, "sum")
    if total is None:
        raise UserError("theta weighs no view.")
    return total


def graph_figures(
    graph: MultiViewGraph,
    views: Mapping[str, np.ndarray],
    labels: np.ndarray,
    groups: Mapping[str, np.ndarray],
    split: Split,
    *,
    ids: Sequence[str] | np.ndarray | None = None,
    theta: Sequence[Mapping[str, float]] = (),
    near: float = NEAR,
) -> dict[str, Any]:
    """All figures of one graph, as JSON values.

    Args:
        views: the rows that the graph was built from.
        groups: kind of group -> the group of each row.
        ids: names of the rows, by default their numbers.
        theta: view weights, one mapping a layer.
        near: near duplicates are nearer than this part of mu.

    Returns:
        `neighbours` (kind of group -> view -> `own`, mean share over test rows, and `chance`), `crossing`
        (kind of group -> view -> pairs), `near_duplicates`, `homophily` (`views`, `mean`, `theta` per layer).
    """
    names = np.arange(graph.n_nodes).astype(str) if ids is None else np.asarray(ids)
    part = split.assignment(graph.n_nodes)
    neighbours: dict[str, Any] = {}
    crossing: dict[str, Any] = {}
    for kind, group in groups.items():
        chance = chance_share(group, split.test)
        shares = own_group_shares(graph, group, split.test)
        neighbours[kind] = {view: {"own": _mean(share), "chance": chance} for view, share in shares.items()}
        crossing[kind] = crossing_pairs(graph, group, split)
    return {
        "test_rows": len(split.test),
        "edges": graph.n_edges,
        "neighbours": neighbours,
        "crossing": crossing,
        "near_duplicates": {
            "fraction": near,
            "views": {
                view: _told(found, names, part) for view, found in near_rows(graph, views, near).items()
            },
        },
        "homophily": {
            "views": {view: homophily(a, labels) for view, a in graph.adjacency.items()},
            "mean": homophily(graph.mean()["mean"], labels),
            "theta": [homophily(fused(graph, layer), labels) for layer in theta],
        },
    }


def _told(found: NearRows, names: np.ndarray, part: np.ndarray) -> dict[str, Any]:
    ends = np.stack([part[found.first], part[found.second]], axis=1)
    crossing = ((ends == 0).any(axis=1)) & ((ends == 2).any(axis=1))
    return {
        "below": found.below,
        "pairs": len(found.first),
        "rows": len(np.unique(np.concatenate([found.first, found.second]))),
        "train_test_pairs": int(crossing.sum()),
        # Pairs across the split first: those are the ones that flatter.
        "nearest": [
            {
                "rows": [str(names[found.first[i]]), str(names[found.second[i]])],
                "distance": float(found.distance[i]),
                "train_test": bool(crossing[i]),
            }
            for i in np.lexsort((found.distance, ~crossing))[:NAMED]
        ],
    }


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None
