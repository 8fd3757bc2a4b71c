"""More nodes at the end of a graph, without a change to what the present ones see."""

from __future__ import annotations

import torch

from mvgraph.errors import UserError
from mvgraph.graph.csr import CSR


def append_nodes(a: CSR, edges: CSR) -> CSR:
    """A graph of N nodes with M more, which have edges to the N and to nobody else.

    Rows of present nodes stay as they are, so their degrees, Laplacian rows and everything a method computes
    for them do too; what a new node gets depends on its own edges alone.

    Shapes:
        a: (N, N); edges: (M, N) -> (N + M, N + M)
    Raises:
        UserError: the edges lead to another number of nodes.
    """
    n, m = a.n_rows, edges.n_rows
    if edges.n_cols != n:
        raise UserError(f"the edges of new nodes lead to {edges.n_cols} nodes, but the graph has {n}")
    edges = edges.to(a.device, a.dtype)
    return CSR(
        torch.cat([a.indptr, a.nnz + edges.indptr[1:]]),
        torch.cat([a.indices, edges.indices]),
        torch.cat([a.values, edges.values]),
        n + m,
    )
