"""Who the k nearest are, beyond doubt: distances in difference form among candidates.

The order of neighbours is defined independently of block sizes, machine and library: by the Euclidean distance
rounded to float32, and among equal distances by the smaller row index.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mvgraph.graph.rows import Rows

#: Elements of gathered rows at a time: small, so that they stay in the cache of a CPU.
GATHERED = {"cpu": 2**18, "cuda": 2**25}
#: Elements of computed distances at a time while doubtful rows are settled.
SEARCHED = 2**22


def settle(rows: Tensor, start: int, candidate: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest among candidates, by (distance rounded to float32, index).

    Shapes:
        rows: (N, d)
        candidate: (B, c) int64, candidates of rows start .. start + B - 1, none of them the row itself
        -> indices (B, k), distances (B, k) float32
    """
    return settle_table(rows, slice(start, start + candidate.shape[0]), candidate, k)


def settle_table(rows: Tensor, which: slice | Tensor, candidate: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`settle` for any rows.

    Shapes:
        which: (B,) int64 or a slice of B rows; candidate: (B, c) -> indices (B, k), distances (B, k) float32
    """
    candidate = candidate.sort(dim=1).values
    distance = torch.empty(candidate.shape, dtype=torch.float32, device=rows.device)
    step = max(1, _gathered(rows) // (candidate.shape[1] * rows.shape[1]))
    asking = rows[which]
    for low in range(0, candidate.shape[0], step):
        part = candidate[low : low + step]
        own = asking[low : low + step, None].double()
        others = rows.index_select(0, part.flatten()).view(*part.shape, -1).double()
        distance[low : low + step] = torch.linalg.vector_norm(others.sub_(own), dim=2)
    # Candidates ascend by index and the sort is stable: equal distances keep the smaller index first.
    order = torch.sort(distance, dim=1, stable=True).indices[:, :k]
    return candidate.gather(1, order), distance.gather(1, order)


def settle_doubtful(rows: Rows, which: Tensor, bound: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest of some rows among everybody whose computed squared distance is within a bound.

    Of many equal rows only the first k + 1 can be neighbours of anybody, itself one of them perhaps: the others
    are left out beforehand, or thousands of rows of zeros would all have to be compared with each other.

    Shapes:
        which: (M,) int64; bound: (M,) -> indices (M, k), distances (M, k)
    """
    indices = torch.empty((which.numel(), k), dtype=torch.int64, device=rows.device)
    distances = torch.empty((which.numel(), k), dtype=torch.float32, device=rows.device)
    able = _first_of_equals(rows.given, k + 1)
    centred, norms = rows.centred[able], rows.norms[able]
    step = max(1, SEARCHED // able.numel())
    for low in range(0, which.numel(), step):
        part = which[low : low + step]
        squared = torch.addmm(norms[None], rows.centred[part], centred.T, alpha=-2.0)
        squared += rows.norms[part, None]
        squared[part[:, None] == able] = torch.inf
        row, column = (squared <= bound[low : low + step, None]).nonzero().unbind(1)
        column = able[column]
        distance = pair_distances(rows.given, part[row], column)
        # Pairs stand by row and column; two stable sorts make it row, distance, column.
        order = torch.argsort(distance, stable=True)
        order = order[torch.argsort(row[order], stable=True)]
        first = torch.searchsorted(row, torch.arange(part.numel(), device=rows.device))
        taken = order[first[:, None] + torch.arange(k, device=rows.device)]
        indices[low : low + step], distances[low : low + step] = column[taken], distance[taken]
    return indices, distances


def _first_of_equals(rows: Tensor, count: int) -> Tensor:
    """Rows that are among the first `count` of those equal to them, (M,) int64, ascending."""
    n = rows.shape[0]
    group = torch.unique(rows, dim=0, return_inverse=True)[1]
    order = torch.argsort(group, stable=True)
    first = torch.searchsorted(group[order], group[order])
    rank = torch.arange(n, device=rows.device) - first
    return order[rank < count].sort().values


def pair_distances(rows: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Distances of pairs of rows in difference form, in float64, rounded to float32.

    Shapes:
        rows: (N, d); i, j: (M,) int64 -> (M,) float32
    """
    distance = torch.empty(i.numel(), dtype=torch.float32, device=rows.device)
    step = max(1, _gathered(rows) // rows.shape[1])
    for low in range(0, i.numel(), step):
        left, right = rows[i[low : low + step]].double(), rows[j[low : low + step]].double()
        distance[low : low + step] = torch.linalg.vector_norm(left.sub_(right), dim=1)
    return distance


def _gathered(rows: Tensor) -> int:
    return GATHERED.get(rows.device.type, GATHERED["cpu"])
