"""Checks that the order of samples and of views means nothing."""

from __future__ import annotations

import numpy as np
import torch

from mvgraph.contract.case import MethodCase
from mvgraph.contract.forward import FLOAT64
from mvgraph.contract.result import require
from mvgraph.contract.synthetic import blobs, graph_of, split_of
from mvgraph.data import MultiViewData, Split
from mvgraph.fusion import create
from mvgraph.graph import CSR, MultiViewGraph
from mvgraph.graph.operations import permute

#: An estimator's own solver stops within its tolerance, and renumbered rows reach it by another path.
SOLVER = 5e-3


def sample_order(case: MethodCase) -> None:
    """Renumbering the samples renumbers the answers: networks in float64, estimators through a whole fit."""
    data = blobs()
    graph = graph_of(data)
    order = np.random.default_rng(1).permutation(data.n_samples)
    moved, moved_graph = data.subset(order), renumbered(graph, order)
    if case.is_network:
        model = case.create(data).double()
        expected = case.logits(model, data, graph)
        found = case.logits(model, moved, moved_graph)
        difference = float((found - expected[torch.tensor(order)]).abs().max())
        allowed = FLOAT64 * max(1.0, float(expected.abs().max()))
        what = "logits (float64, evaluation mode)"
    else:
        where = np.argsort(order)
        split = split_of(data)
        moved_split = Split(where[split.train], where[split.validation], where[split.test])
        before = case.fit(data, split, graph).probabilities()
        after = case.fit(moved, moved_split, moved_graph).probabilities()
        difference, allowed, what = float(np.abs(after - before[order]).max()), SOLVER, "probabilities"
    require(
        difference <= allowed,
        f"renumbering the samples changes {what} by up to {difference:.1e}; right is at most {allowed:.0e}.",
    )


def view_order(case: MethodCase) -> None:
    """Views given in another order give the same answer to the last bit."""
    data = blobs()
    turned = MultiViewData.from_arrays(
        {name: data.views[name] for name in reversed(data.view_names)},
        data.labels,
        groups=data.groups,
        classes=data.classes,
    )
    graph = graph_of(data)
    turned_graph = _like(graph, {name: graph[name] for name in reversed(graph.view_names)})
    first = case.fit(data, graph=graph).probabilities()
    second = case.fit(turned, graph=turned_graph).probabilities()
    require(
        np.array_equal(first, second),
        f"the views in reverse order change the probabilities by {float(np.abs(first - second).max()):.1e}; "
        "go through views in the order of their names.",
    )
    if not case.is_network:
        return
    widths = {name: data.view_dims[name] for name in reversed(data.view_names)}
    other = create(case.method, view_dims=widths, n_classes=data.n_classes, **case.options(data.view_names))
    difference = float(
        (case.logits(other, data, graph) - case.logits(case.create(data), data, graph)).abs().max()
    )
    require(
        difference == 0.0,
        f"view_dims in reverse order change the logits by {difference:.1e}; read self.view_dims, which is sorted.",
    )


def renumbered(graph: MultiViewGraph, order: np.ndarray) -> MultiViewGraph:
    """Node i of the result is node order[i]. Shapes: order (N,)."""
    moved = torch.as_tensor(order)
    return _like(graph, {name: permute(a, moved) for name, a in graph.adjacency.items()})


def _like(graph: MultiViewGraph, adjacency: dict[str, CSR]) -> MultiViewGraph:
    """Other adjacencies, the settings that `graph` was built with."""
    return MultiViewGraph(adjacency, graph.settings, graph.mean_distances)
