"""Graphs that come with the data (citation, interaction, ...): a view that has one gets no kNN graph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from mvgraph.data.door import row_place
from mvgraph.data.frozen import FrozenMapping, read_only
from mvgraph.errors import UserError


def checked_graphs(
    graphs: Mapping[str, Any], views: Sequence[str], ids: np.ndarray
) -> Mapping[str, sparse.csr_array]:
    """Given graphs by the name of their view, as read-only float32 CSR without diagonal and stored zeros.

    Duplicates are summed, as scipy means them; the diagonal is left out, for self loops are a setting of a graph.

    Shapes: graphs[v] (N, N), dense or sparse; ids (N,).

    Raises:
        UserError: a graph of no view, one that is not N x N, or a weight that is negative or not finite.
    """
    if not isinstance(graphs, Mapping):
        raise UserError("Given graphs must be a mapping from the name of a view to a square matrix.")
    for name in graphs:
        if name not in views:
            raise UserError(f"There is a graph for view {name!r}, but the views are {', '.join(views)}.")
    return FrozenMapping((name, checked_graph(name, graphs[name], ids)) for name in sorted(graphs))


def checked_graph(name: str, given: Any, ids: np.ndarray) -> sparse.csr_array:
    """One given graph; see `checked_graphs`. Shapes: given (N, N), ids (N,) -> (N, N)."""
    n = int(ids.shape[0])
    matrix = given if sparse.issparse(given) else np.asarray(given)
    if matrix.dtype.kind not in "fiub":
        raise UserError(f"Graph {name!r} must hold numbers as weights, not {matrix.dtype}.")
    if matrix.shape != (n, n):
        size = " x ".join(str(length) for length in matrix.shape) or "one number"
        raise UserError(f"Graph {name!r} is {size}, but must be {n} x {n}, one row and column a sample.")
    entries = sparse.coo_array(matrix)
    weights = entries.data.astype(np.float64)
    with np.errstate(over="ignore"):
        held = np.isfinite(weights) & (weights >= 0) & np.isfinite(weights.astype(np.float32))
    wrong = np.flatnonzero(~held)
    if wrong.size:
        source, target = int(entries.row[wrong[0]]), int(entries.col[wrong[0]])
        raise UserError(
            f"Graph {name!r}: the edge from {row_place(source, ids)} to {row_place(target, ids)} has weight "
            f"{weights[wrong[0]]:g}; weights must be finite, at least 0, and within float32."
        )
    kept = (entries.row != entries.col) & (weights > 0)
    csr = sparse.csr_array((weights[kept], (entries.row[kept], entries.col[kept])), shape=(n, n))
    csr.sum_duplicates()
    return _frozen(sparse.csr_array((csr.data.astype(np.float32), csr.indices, csr.indptr), shape=(n, n)))


def subset_graphs(graphs: Mapping[str, sparse.csr_array], rows: np.ndarray) -> dict[str, sparse.csr_array]:
    """The graphs among some of the samples. Shapes: rows (M,) int64 -> (M, M)."""
    return {name: sparse.csr_array(graph[rows][:, rows]) for name, graph in graphs.items()}


def graph_hash(graph: sparse.csr_array) -> str:
    """SHA-256 of edges and weights, little-endian; free of the machine and of the width of the indices."""
    digest = hashlib.sha256(f"mvgraph-given-graph {graph.shape[0]}\n".encode())
    for part, kind in ((graph.indptr, "<i8"), (graph.indices, "<i8"), (graph.data, "<f4")):
        digest.update(np.ascontiguousarray(part, dtype=kind).data)
    return digest.hexdigest()


def _frozen(graph: sparse.csr_array) -> sparse.csr_array:
    graph.sort_indices()
    for part in (graph.data, graph.indices, graph.indptr):
        read_only(part)
    return graph
