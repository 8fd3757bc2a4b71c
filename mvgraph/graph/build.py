"""From views to a `MultiViewGraph`: kNN, kernel, symmetrisation, view by view."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.graph.cache import GraphCache, ViewGraph, cache_key
from mvgraph.graph.csr import CSR
from mvgraph.graph.kernels import KERNELS
from mvgraph.graph.knn import Backend, check_k, knn
from mvgraph.graph.limits import MAX_SECONDS, check_affordable
from mvgraph.graph.multiview import MultiViewGraph
from mvgraph.graph.operations import symmetrise as symmetrised
from mvgraph.graph.rows import as_rows, within_float32
from mvgraph.graph.settings import Approx, Fused, GraphSettings, KernelName, MeanDistance, Symmetrise
from mvgraph.graph.snf import fuse_snf


def build_graph(
    data_or_views: Any,
    k: int | Mapping[str, int] = 10,
    kernel: KernelName = "exp",
    symmetrise: Symmetrise = "max",
    *,
    scale_neighbour: int | None = None,
    approx: Approx | None = None,
    fused: Fused | None = None,
    mean_distance: MeanDistance = "pairs",
    self_loops: float = 1.0,
    device: torch.device | str | None = None,
    backend: Backend = "torch",
    cache: str | Path | None = None,
    max_seconds: float | None = MAX_SECONDS,
) -> MultiViewGraph:
    """One kNN graph per view over the same samples, exact unless `approx` says otherwise.

    Rows that a view has not observed take no part in its graph: they are neither queries nor candidates nor
    in mu, and end as nodes without edges (A + I gives them their self loop).

    A view whose graph came with the data keeps that graph and its weights, symmetrised as the others; `k`, `kernel`
    and `approx` do not concern it.

    Args:
        data_or_views: a `MultiViewData`, or a mapping of view name -> (N, d_v) rows.
        k, kernel, symmetrise, scale_neighbour, approx, fused, mean_distance, self_loops: see `GraphSettings`; the
            graph says its `recall`.
        device: where to compute; the graph is left there (default: where each view lies).
        backend, max_seconds: see `knn`.
        cache: folder in which graphs are kept, view by view, under a hash of their data and settings; a graph
            from there is mapped from the file, not read.
    Raises:
        UserError: an unknown view in `k`, k >= rows of a view, an unknown kernel or symmetrisation, or a search
            or fusion that cannot be afforded.
    """
    settings = GraphSettings(k, kernel, symmetrise, scale_neighbour, approx, fused, mean_distance, self_loops)
    views, observed = _views_of(data_or_views)
    given: Mapping[str, Any] = getattr(data_or_views, "graphs", {})
    settings.check_views(views, given)
    store = None if cache is None else GraphCache(cache)
    built: dict[str, ViewGraph] = {}
    n: int | None = None
    for name in sorted(views):
        rows = as_rows(views[name], device, observed.get(name))
        n = rows.shape[0] if n is None else n
        if rows.shape[0] != n:
            raise UserError(f"view '{name}' has {rows.shape[0]} rows, but '{next(iter(built))}' has {n}")
        if name in given:
            built[name] = _given_graph(given[name], settings, observed.get(name), rows.device)
            continue
        build = partial(
            view_graph, rows, settings, name, observed.get(name), backend=backend, max_seconds=max_seconds
        )
        if store is None:
            built[name] = build()
        else:
            found = store.get_or_build(cache_key(rows, settings, name, observed.get(name)), build)
            built[name] = replace(found, adjacency=found.adjacency.to(rows.device))
    graph = MultiViewGraph(
        {name: graph.adjacency for name, graph in built.items()},
        settings,
        {name: graph.mean_distance for name, graph in built.items() if name not in given},
        {
            name: graph.recall
            for name, graph in built.items()
            if settings.approx is not None and name not in given
        },
        {name: graph.seconds for name, graph in built.items()},
    )
    if fused is None:
        return graph
    begun = time.perf_counter()
    whole = graph.add_view(fused, fuse_snf(graph))
    return replace(whole, build_seconds={**graph.build_seconds, fused: time.perf_counter() - begun})


def view_graph(
    rows: Tensor,
    settings: GraphSettings,
    view: str,
    observed: Tensor | None = None,
    *,
    backend: Backend = "torch",
    max_seconds: float | None = MAX_SECONDS,
) -> ViewGraph:
    """The adjacency of one view and its mean distance mu.

    Shapes:
        rows: (N, d_v) float32 or float64; observed: (N,) bool or None -> (N, N) CSR
    """
    begun = time.perf_counter()
    n = rows.shape[0]
    kept = None if observed is None or bool(observed.all()) else observed.to(rows.device).nonzero().flatten()
    if kept is not None:
        rows = rows[kept]
    rows, unit = within_float32(rows)
    k = settings.k_of(view)
    check_k(k, rows.shape[0], f"view '{view}'")
    check_affordable(rows, k, f"view '{view}'", exact=settings.approx is None, max_seconds=max_seconds)
    way = KERNELS[settings.kernel]
    neighbours = knn(way.space(rows), k, backend=backend, approx=settings.approx, max_seconds=None)
    if settings.mean_distance == "neighbours":
        neighbours = replace(neighbours, mean_distance=float(neighbours.distances.double().mean()))
    weights = way.weigh(neighbours, settings.scale_neighbour)
    directed = table_to_csr(neighbours.indices, weights, n, kept)
    adjacency = symmetrised(directed, settings.symmetrise)
    mean = neighbours.mean_distance * (unit if way.in_units else 1.0)
    return ViewGraph(adjacency, mean, neighbours.recall, seconds=time.perf_counter() - begun)


def _given_graph(
    matrix: Any, settings: GraphSettings, observed: Tensor | None, device: torch.device
) -> ViewGraph:
    """A graph that came with the data; rows that the view has not observed lose their edges. Shapes: (N, N)."""
    begun = time.perf_counter()
    if observed is not None and not bool(observed.all()):
        kept = scipy.sparse.diags_array(observed.cpu().numpy().astype(np.float32))
        matrix = kept @ matrix @ kept
        matrix.eliminate_zeros()
    adjacency = symmetrised(CSR.from_scipy(matrix), settings.symmetrise).to(device)
    return ViewGraph(adjacency, float("nan"), seconds=time.perf_counter() - begun)


def table_to_csr(indices: Tensor, weights: Tensor, n: int, kept: Tensor | None = None) -> CSR:
    """A neighbour table as a CSR of n nodes.

    Shapes:
        indices, weights: (M, k); kept: (M,) int64 ascending, the node of each row, None when M = n
    """
    k = indices.shape[1]
    indices, order = indices.sort(dim=1)
    values = weights.gather(1, order).flatten()
    counts = torch.full((indices.shape[0],), k, dtype=torch.int64, device=indices.device)
    if kept is not None:
        # `kept` ascends, so columns stay in ascending order under the renaming.
        indices = kept[indices]
        counts = torch.zeros(n, dtype=torch.int64, device=indices.device).index_fill_(0, kept, k)
    indptr = torch.zeros(n + 1, dtype=torch.int64, device=indices.device)
    torch.cumsum(counts, 0, out=indptr[1:])
    return CSR(indptr, indices.flatten(), values, n)


def _views_of(data_or_views: Any) -> tuple[Mapping[str, Any], Mapping[str, Tensor]]:
    """Views by name, and for those with missing rows which rows are observed."""
    if isinstance(data_or_views, Mapping):
        views, observed = data_or_views, {}
    elif hasattr(data_or_views, "views"):
        views = data_or_views.views
        observed = _observed_of(data_or_views, list(views))
    else:
        kind = type(data_or_views).__name__
        raise UserError(f"a graph is built from a MultiViewData or a mapping of views, not from {kind}")
    if not views:
        raise UserError("a graph needs at least one view")
    return views, observed


def _observed_of(data: Any, names: list[str]) -> dict[str, Tensor]:
    mask = getattr(data, "observed", None)
    if mask is None:
        return {}
    table = np.asarray(mask, dtype=bool)
    return {name: torch.from_numpy(table[:, column].copy()) for column, name in enumerate(names)}
