"""To and from `torch_geometric.data.HeteroData`, which is imported only when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.graph.csr import CSR
from mvgraph.graph.multiview import MultiViewGraph
from mvgraph.graph.settings import GraphSettings

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

NODE_TYPE = "sample"
_FEATURES = "x_"


def to_pyg(graph: MultiViewGraph, data: Any = None) -> HeteroData:
    """The graph, and the data if given, as a PyG `HeteroData`.

    One node type "sample"; one edge type ("sample", view, "sample") per view with

    - `edge_index` (2, E): source j above target i, sorted by target and then source;
    - `edge_weight` (E,): the unnormalised A_ij, without self loops, as `GCNConv` expects it.

    From `data` the node store gets `x_<view>` (N, d_v) for every view, of its type (views differ in width, so
    there is no single `x`), `y` (N,) int64 with -1 for unlabelled, and `observed_<view>` (N,) bool where rows
    of a view are missing. `graph_settings` and `mean_distances` keep what the graph was built with.

    Raises:
        UserError: torch_geometric is not installed, or the data has another number of samples.
    """
    hetero = _pyg().HeteroData()
    hetero[NODE_TYPE].num_nodes = graph.n_nodes
    for view in graph.view_names:
        store = hetero[NODE_TYPE, view, NODE_TYPE]
        store.edge_index, store.edge_weight = graph.edge_index(view), graph.edge_weight(view)
    hetero.graph_settings = None if graph.settings is None else graph.settings.to_json()
    hetero.mean_distances = dict(graph.mean_distances)
    if data is not None:
        _add_data(hetero, graph, data)
    return hetero


def from_pyg(hetero: HeteroData) -> tuple[MultiViewGraph, dict[str, Tensor] | None]:
    """The graph of a `HeteroData` with one node type, and its features per view where it has any.

    Every edge type becomes the view of its relation's name; edges come in any order, weights from
    `edge_weight`, or from an `edge_attr` of one column, or are 1. Features are read from `x_<view>`; a lone
    `x` becomes the view of the only edge type, or "x". Undoes `to_pyg` exactly.

    Raises:
        UserError: several node types, no edge type, an edge given twice, a self loop, or weights of another
            shape than the edges.
    """
    if len(hetero.node_types) != 1:
        named = ", ".join(f"'{name}'" for name in hetero.node_types) or "none"
        raise UserError(f"a multi-view graph has one node type, but this HeteroData has {named}")
    if not hetero.edge_types:
        raise UserError("this HeteroData has no edge type; give one per view")
    nodes = hetero[hetero.node_types[0]]
    n = int(nodes.num_nodes)
    adjacency: dict[str, CSR] = {}
    for edge_type in hetero.edge_types:
        view = edge_type[1]
        if view in adjacency:
            raise UserError(f"relation '{view}' occurs in two edge types; give each view a name of its own")
        adjacency[view] = _adjacency(view, hetero[edge_type], n)
    features = {
        key.removeprefix(_FEATURES): value
        for key, value in nodes.items()
        if key.startswith(_FEATURES) and isinstance(value, Tensor)
    }
    if not features and isinstance(nodes.get("x"), Tensor):
        features = {next(iter(adjacency)) if len(adjacency) == 1 else "x": nodes["x"]}
    settings = hetero.to_dict().get("_global_store", {}).get("graph_settings")
    mean_distances = hetero.to_dict().get("_global_store", {}).get("mean_distances") or {}
    graph = MultiViewGraph(adjacency, settings and GraphSettings.from_json(settings), mean_distances)
    return graph, {name: features[name] for name in sorted(features)} or None


def _adjacency(view: str, store: Any, n: int) -> CSR:
    source, target = store.edge_index
    if (source == target).any():
        raise UserError(
            f"edge type '{view}' holds self loops; remove them (torch_geometric.utils.remove_self_loops), "
            "since the Laplacian adds its own"
        )
    weight = store.get("edge_weight")
    if weight is None:
        weight = store.get("edge_attr")
    if weight is None:
        weight = torch.ones(source.numel(), device=source.device)
    if weight.numel() != source.numel():
        raise UserError(
            f"edge type '{view}' has {source.numel()} edges, but weights of shape {tuple(weight.shape)}; "
            "give one number per edge"
        )
    return CSR.from_edges(target, source, weight.reshape(-1), (n, n))


def _add_data(hetero: HeteroData, graph: MultiViewGraph, data: Any) -> None:
    nodes = hetero[NODE_TYPE]
    labels = torch.from_numpy(np.array(data.labels, dtype=np.int64))
    if labels.numel() != graph.n_nodes:
        raise UserError(f"the data has {labels.numel()} samples, but the graph has {graph.n_nodes} nodes")
    nodes["y"] = labels.to(graph.device)
    observed = np.asarray(data.observed)
    for column, view in enumerate(data.views):
        nodes[_FEATURES + view] = torch.from_numpy(np.array(data.views[view])).to(graph.device)
        if not observed[:, column].all():
            nodes[f"observed_{view}"] = torch.from_numpy(observed[:, column].copy()).to(graph.device)


def _pyg() -> Any:
    try:
        import torch_geometric.data
    except ImportError:
        raise UserError(
            "to_pyg needs torch_geometric, which is not installed; install mvgraph[bench] or torch-geometric"
        ) from None
    return torch_geometric.data
