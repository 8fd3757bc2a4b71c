"""Exact kNN graphs, one per view, over the same samples."""

from mvgraph.graph.build import build_graph
from mvgraph.graph.csr import CSR
from mvgraph.graph.extend import append_nodes
from mvgraph.graph.interchange import from_pyg, to_pyg
from mvgraph.graph.knn import Neighbours, knn
from mvgraph.graph.multiview import MultiViewGraph
from mvgraph.graph.settings import GraphSettings
from mvgraph.graph.snf import extend_fused, fuse_snf

__all__ = [
    "CSR",
    "GraphSettings",
    "MultiViewGraph",
    "Neighbours",
    "append_nodes",
    "build_graph",
    "extend_fused",
    "from_pyg",
    "fuse_snf",
    "knn",
    "to_pyg",
]
