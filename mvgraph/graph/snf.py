"""Similarity network fusion: the graphs of all views become one graph.

Wang et al., "Similarity network fusion for aggregating data types on a genomic scale", Nature Methods 11,
2014. The affinities are the weights of the views' kNN graphs: the dense ones of the paper lead to the same
result, because after a few steps nothing is left of where the iteration started.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.graph.csr import CSR
from mvgraph.graph.multiview import MultiViewGraph

#: Dense N x N tables held at once beside one per view.
SCRATCH_TABLES = 5


def fuse_snf(
    graph: MultiViewGraph,
    k: int = 20,
    *,
    local: int | None = None,
    steps: int = 20,
    tolerance: float = 1e-4,
    memory_mib: float = 4096,
) -> CSR:
    r"""One adjacency that holds what the graphs of the views agree on.

    .. math::

        P_v \leftarrow S_v \Big(\tfrac1{V-1} \sum_{w \ne v} P_w\Big) S_v^\top

    S_v holds each row's strongest edges, scaled to sum 1; P_v starts as the normalised adjacency, and after
    every step its diagonal is set to 1/2, the rest of each row scaled to 1/2, and the whole symmetrised. A
    node without edges in a view passes on what the other views say; one view alone is smoothed by itself.

    Of the mean F of all P_v the k largest entries of a row stay, as `F_ij / sqrt(m_i m_j)` with m_i the
    largest entry of row i: weights in [0, 1] like those of a kernel, beside self loops of weight 1.

    Memory grows with N^2 (nothing of F is negligible before it is complete), so N is limited.

    Args:
        graph: V views; a locally scaled kernel ("self-tuning") is nearest to the paper's.
        k: neighbours per row in the result; symmetrised by max.
        local: strongest edges of a row in S_v; None takes the fewest that any connected node of the view has,
            which in a kNN graph is the number of neighbours it was built with.
        steps: at most so many; the paper takes 20.
        tolerance: the iteration ends when the mean F changes by less than this share of itself.
        memory_mib: refuse what would take more.
    Shapes:
        V adjacencies (N, N) -> (N, N)
    Raises:
        UserError: k or local below 1, or more memory than allowed.
    """
    n, n_views = graph.n_nodes, graph.n_views
    _check_count("k", k)
    needed = (n_views + SCRATCH_TABLES) * n**2 * 4 / 2**20
    if needed > memory_mib:
        raise UserError(
            f"similarity network fusion of {n_views} views over {n} nodes takes dense N x N tables, about "
            f"{needed:.0f} MiB, and {memory_mib:.0f} MiB are allowed; use fewer rows, raise memory_mib, or do without"
        )
    if local is not None:
        _check_count("local", local)
    locals_ = [_local(a, local or _fewest(a)).to_torch() for a in graph.adjacency.values()]
    states = [_normalised(graph[view].to(dtype=torch.float32).to_dense()) for view in graph.view_names]
    total = _sum(states)
    for _ in range(steps):
        for v, s in enumerate(locals_):
            # `total` is of the step before, so that every view sees the same others.
            mean = (total - states[v]).div_(n_views - 1) if n_views > 1 else total
            states[v] = _normalised(s @ (s @ mean).T.contiguous())
        following = _sum(states)
        change = float((following - total).abs_().sum() / total.sum())
        total = following
        if change < tolerance:
            break
    return _strongest(total.div_(n_views), k)


def extend_fused(fused: CSR, attached: Sequence[CSR], k: int = 20) -> CSR:
    r"""Edges of M new rows to the N nodes of a fused graph, which stays as it is.

    .. math::

        b \propto \Big(\frac1{|V_i|} \sum_{v \in V_i} s_v\Big) (W + I)

    A new row is as near to a node as its neighbours are: s_v are its edges in view v scaled to sum 1, V_i the
    views in which it has any, W the fused adjacency. The k largest entries stay, divided by the largest.

    Args:
        fused: W.
        attached: per view, the edges of the new rows to the N nodes.
        k: edges per new row.
    Shapes:
        fused: (N, N); attached: (M, N) each -> (M, N)
    """
    edges = [csr.to_scipy().astype(np.float64) for csr in attached]
    mean = scipy.sparse.csr_array(edges[0].shape)
    for matrix in edges:
        sums = matrix.sum(axis=1)
        mean = (
            mean
            + scipy.sparse.diags_array(np.where(sums > 0, 1.0 / np.where(sums > 0, sums, 1.0), 0.0)) @ matrix
        )
    reached = mean @ (fused.to_scipy().astype(np.float64) + scipy.sparse.eye_array(fused.n_rows))
    kept = strongest_entries(CSR.from_scipy(reached), k)
    highest = torch.zeros(kept.n_rows, dtype=kept.dtype)
    highest = highest.scatter_reduce_(0, kept.rows(), kept.values, "amax")
    return kept.with_values(kept.values / highest[kept.rows()]).to(fused.device, fused.dtype)


def strongest_entries(a: CSR, k: int) -> CSR:
    """The k largest entries of every row; of equal ones those with the smaller column."""
    rows = a.rows()
    order = torch.argsort(a.values, descending=True, stable=True)
    order = order[torch.argsort(rows[order], stable=True)]
    rank = torch.arange(a.nnz, device=a.device) - a.indptr[rows[order]]
    kept = order[rank < k].sort().values
    indptr = torch.zeros_like(a.indptr)
    torch.cumsum(a.counts().clamp(max=k), 0, out=indptr[1:])
    return CSR(indptr, a.indices[kept], a.values[kept], a.n_cols)


def _local(a: CSR, k: int) -> CSR:
    """S_v: the k strongest edges of every node scaled to sum 1; a node without edges keeps itself."""
    strongest = strongest_entries(a.to(dtype=torch.float32), k)
    sums = strongest.row_sums()
    values = strongest.values / sums[strongest.rows()]
    alone = (sums == 0).nonzero().flatten()
    if alone.numel() == 0:
        return strongest.with_values(values)
    edged = sums[strongest.rows()] > 0
    rows = torch.cat([strongest.rows()[edged], alone])
    cols = torch.cat([strongest.indices[edged], alone])
    return CSR.from_edges(rows, cols, torch.cat([values[edged], torch.ones_like(sums[alone])]), a.shape)


def _fewest(a: CSR) -> int:
    counts = a.counts()
    return int(counts[counts > 0].min()) if a.nnz else 1


def _normalised(p: Tensor) -> Tensor:
    """Diagonal 1/2, the rest of each row scaled to sum 1/2, then symmetrised. Works in place on p."""
    p.fill_diagonal_(0.0)
    sums = p.sum(1, keepdim=True).mul_(2.0)
    p.div_(torch.where(sums > 0, sums, 1.0)).fill_diagonal_(0.5)
    return p.add_(p.T.clone()).div_(2.0)


def _strongest(f: Tensor, k: int) -> CSR:
    """The k nearest of every node under F, symmetrised; works in place on f."""
    n = f.shape[0]
    f.fill_diagonal_(0.0)
    highest = f.amax(1).sqrt_()
    scale = torch.where(highest > 0, 1.0 / highest, 0.0)
    f.mul_(scale[:, None]).mul_(scale)
    values, columns = torch.topk(f, min(k, n - 1), dim=1)
    rows = torch.arange(n, device=f.device)[:, None].expand_as(columns)
    edge = values > 0
    row, column, value = rows[edge], columns[edge], values[edge].clamp_(max=1.0)
    both = torch.cat([row, column]), torch.cat([column, row])
    return CSR.from_edges(*both, torch.cat([value, value]), (n, n), duplicates="max")


def _sum(states: Sequence[Tensor]) -> Tensor:
    total = states[0].clone()
    for state in states[1:]:
        total.add_(state)
    return total


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise UserError(
            f"similarity network fusion: {name} must be a whole number of at least 1, not {value!r}"
        )
