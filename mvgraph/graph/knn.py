"""Exact k nearest neighbours and the exact mean distance, in one streaming pass over blocks of rows.

The matrix product that finds candidates rounds, so it only proposes. Distances in difference form decide, and
every row whose candidates could miss a neighbour within the rounding error is searched again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.graph.faiss_search import (
    approximate_candidates,
    exact_candidates,
    sample_rows,
    sampled_mean,
)
from mvgraph.graph.limits import MAX_SECONDS, check_affordable
from mvgraph.graph.parallel import map_blocks
from mvgraph.graph.rows import Rows, as_rows, full_precision, within_float32
from mvgraph.graph.settings import Approx
from mvgraph.graph.settle import settle, settle_doubtful
from mvgraph.graph.streaming import Pass

Backend = Literal["torch", "faiss"]

#: Candidates taken beyond k: rounding of the matrix product rarely swaps more than one or two.
SLACK = 8
#: Elements of a tile of float64 distances.
WIDE_TILE = 2**20


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The neighbour table of one view.

    Shapes:
        indices: (N, k) int64, nearest first, the row itself never among them
        distances: (N, k) float32, Euclidean, ascending; float64 where they are beyond float32
        mean_distance: mean over all ordered pairs i != j (mu of Eq. 1)
        recall: share of the true neighbours that were found, measured on a sample; 1 for exact search
        mean_error: standard error of `mean_distance`; 0 for exact search
    """

    indices: Tensor
    distances: Tensor
    mean_distance: float
    recall: float = 1.0
    mean_error: float = 0.0

    @property
    def k(self) -> int:
        return self.indices.shape[1]


def check_k(k: int, n: int, what: str = "the data") -> None:
    """Raise UserError unless every row can have k neighbours."""
    if isinstance(k, bool) or int(k) != k or k < 1:
        raise UserError(f"k must be a whole number of at least 1, not {k!r}")
    if k >= n:
        raise UserError(
            f"k = {k} neighbours need at least {k + 1} rows, but {what} has {n}; choose k below {n}"
        )


def knn(
    x: Tensor | np.ndarray,
    k: int,
    *,
    block_rows: int | None = None,
    device: torch.device | str | None = None,
    backend: Backend = "torch",
    approx: Approx | None = None,
    max_seconds: float | None = MAX_SECONDS,
) -> Neighbours:
    """The k nearest neighbours of every row among all other rows, and the mean pairwise distance.

    Never holds N x N: blocks of `block_rows` rows meet all N, tile by tile. Among equal distances the smaller
    index wins.

    Args:
        x: the rows.
        k: neighbours per row.
        block_rows: rows worked off at a time, at most; the result does not depend on it.
        device: where to compute (default: where x lies).
        backend: who proposes candidates; "faiss" gives the same neighbours as "torch" and needs faiss.
        approx: None for exact search. "ivf" or "hnsw" (faiss) for very many rows: `recall` is then measured on
            1024 rows, from which the mean distance is estimated too (`mean_error` is its standard error).
        max_seconds: refuse an exact search that is estimated to take longer; None allows any.

    Shapes:
        x: (N, d) -> indices (N, k), distances (N, k)
    Raises:
        UserError: k < 1, k >= N, x is not a finite two-dimensional table, or the search cannot be afforded.
    """
    rows, unit = within_float32(as_rows(x, device))
    check_k(k, rows.shape[0])
    if backend not in get_args(Backend):
        raise UserError(f"backend {backend!r} is unknown; choose 'torch' or 'faiss'")
    if block_rows is not None and block_rows < 1:
        raise UserError(f"block_rows must be at least 1, not {block_rows}")
    check_affordable(rows, k, "the data", exact=approx is None, max_seconds=max_seconds)
    with full_precision(), torch.no_grad():
        ready = Rows.of(rows)
        if approx is not None:
            found = _approximate(ready, k, approx)
        else:
            found = _from_faiss(ready, k) if backend == "faiss" else _stream(ready, k, block_rows)
    if unit == 1.0:
        return found
    return replace(
        found,
        distances=found.distances.double() * unit,
        mean_distance=found.mean_distance * unit,
        mean_error=found.mean_error * unit,
    )


def _stream(rows: Rows, k: int, block_rows: int | None) -> Neighbours:
    n = rows.n
    indices = torch.empty((n, k), dtype=torch.int64, device=rows.device)
    distances = torch.empty((n, k), dtype=torch.float32, device=rows.device)
    last = torch.empty(n, dtype=torch.float32, device=rows.device)
    sweep = Pass(rows, min(k + SLACK, n - 1), block_rows=block_rows)

    def work(start: int) -> Tensor:
        found = sweep.run(start)
        stop = start + found.values.shape[0]
        indices[start:stop], distances[start:stop] = settle(rows.given, start, found.columns, k)
        last[start:stop] = found.values.amax(1)
        return found.total

    totals = map_blocks(work, sweep.blocks(), rows.device)
    if sweep.width < n - 1:
        _search_doubtful(rows, indices, distances, last)
    return Neighbours(indices, distances, _mean(rows, distances, _sum(totals)))


def _from_faiss(rows: Rows, k: int) -> Neighbours:
    width = min(k + SLACK, rows.n - 1)
    values, columns = exact_candidates(rows, width)
    indices, distances = settle(rows.given, 0, columns, k)
    if width < rows.n - 1:
        _search_doubtful(rows, indices, distances, values.amax(1))
    sweep = Pass(rows, 0)
    totals = map_blocks(lambda start: sweep.run(start).total, sweep.blocks(), rows.device)
    return Neighbours(indices, distances, _mean(rows, distances, _sum(totals)))


def _approximate(rows: Rows, k: int, approx: Approx) -> Neighbours:
    columns, recall = approximate_candidates(rows, k, approx)
    indices, distances = settle(rows.given, 0, columns, k)
    mean, error = sampled_mean(rows, sample_rows(rows.n))
    return Neighbours(indices, distances, mean, recall, error)


def _search_doubtful(rows: Rows, indices: Tensor, distances: Tensor, last: Tensor) -> None:
    """Search rows again, in place, of which a neighbour may be among those left out.

    Shapes:
        indices, distances: (N, k); last: (N,) least computed squared distance of whoever was left out
    """
    bound = rows.bound(slice(None), distances[:, -1])
    doubtful = (last <= bound).nonzero().flatten()
    if doubtful.numel():
        indices[doubtful], distances[doubtful] = settle_doubtful(
            rows, doubtful, bound[doubtful], indices.shape[1]
        )


def _sum(totals: list[Tensor]) -> float:
    return float(torch.stack(totals).sum())


def _mean(rows: Rows, distances: Tensor, total: float) -> float:
    """Mean distance over all pairs, in the units of the data, from the sum over pairs i < j of centred rows."""
    if _sum_is_blurred(rows, distances, total):
        total = wide_sum(rows)
    return 2.0 * total / (rows.n * (rows.n - 1)) * rows.unit


def _sum_is_blurred(rows: Rows, distances: Tensor, total: float) -> bool:
    """Whether rounding of the matrix product may have moved the sum of distances by more than 1e-6.

    Rounding averages out of the sum, except for pairs so close that they lie within it: the square root turns
    an error e into sqrt(e), always upwards. The neighbour table says how many such pairs a row has; where all k
    neighbours are such there may be more, yet at most as many as there are rows like that.
    """
    noise = rows.rounding * 4 * rows.norms.double()
    within = ((distances.double() / rows.unit).square() < noise[:, None]).sum(1)
    full = within == distances.shape[1]
    pairs = torch.where(full, full.sum(), within)
    return float((pairs * noise.sqrt()).sum()) > 1e-6 * total


def wide_sum(rows: Rows) -> float:
    """The sum of the distances of all pairs i < j of `rows.centred`, in float64 throughout."""
    wide = rows.centred.double()
    norms = wide.square().sum(1)
    side = max(1, math.isqrt(WIDE_TILE))
    total = torch.zeros((), dtype=torch.float64, device=rows.device)
    for top in range(0, rows.n, side):
        for left in range(top, rows.n, side):
            part, other = slice(top, top + side), slice(left, left + side)
            squared = torch.addmm(norms[None, other], wide[part], wide[other].T, alpha=-2.0)
            distance = squared.add_(norms[part, None]).clamp_(min=0.0).sqrt_()
            total += (distance.triu_(1) if top == left else distance).sum()
    return float(total)
