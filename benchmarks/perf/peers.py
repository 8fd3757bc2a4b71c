"""The same mathematics as a user of PyTorch Geometric writes it, and as the public multi-view repositories do.

Full graph in every layer, `GCNConv` on an adjacency that is normalised beforehand, torch's dropout and Adam.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from mvgraph.graph import MultiViewGraph

#: How a graph is given to GCNConv: a sparse CSR tensor, or (edge_index, edge_weight).
Edges = Tensor | tuple[Tensor, Tensor]


def edges_of(graph: MultiViewGraph, form: str) -> list[Edges]:
    """Every view's normalised adjacency as "csr" or as "edge_index"."""
    laplacians = [graph.laplacian(view) for view in graph.view_names]
    if form == "csr":
        return [csr.to_torch() for csr in laplacians]
    return [(torch.stack([csr.indices, csr.rows()]), csr.values) for csr in laplacians]


def convolve(conv: GCNConv, h: Tensor, edges: Edges) -> Tensor:
    """One convolution on either form of a graph."""
    return conv(h, *edges) if isinstance(edges, tuple) else conv(h, edges)


class PyGDMGCN(nn.Module):
    """DM-GCN from GCNConv layers."""

    def __init__(self, width: int, hidden: tuple[int, int], n_classes: int, n_views: int) -> None:
        super().__init__()
        widths = (width, *hidden)
        self.convs = nn.ModuleList(GCNConv(a, b, normalize=False) for a, b in itertools.pairwise(widths))
        self.theta = nn.Parameter(torch.zeros(len(hidden), n_views))
        self.classifier = nn.Linear(sum(hidden), n_classes)

    def forward(self, x: Tensor, edges: list[Edges]) -> Tensor:
        outputs = []
        for layer, conv in enumerate(self.convs):
            theta = torch.softmax(self.theta[layer], dim=0)
            x = sum(weight * convolve(conv, x, e) for weight, e in zip(theta, edges, strict=True))
            x = torch.relu(x)
            if layer == 0:
                x = nn.functional.dropout(x, 0.5, self.training)
            outputs.append(x)
        return self.classifier(torch.cat(outputs, dim=1))


class PyGATGCN(nn.Module):
    """AT-GCN from GCNConv layers."""

    def __init__(self, widths: list[int], hidden: tuple[int, int], n_classes: int) -> None:
        super().__init__()
        a, b = hidden
        self.specific = nn.ModuleList(
            nn.ModuleList([GCNConv(w, a, normalize=False), GCNConv(a, b, normalize=False)]) for w in widths
        )
        self.common = nn.ModuleList([GCNConv(b, a, normalize=False), GCNConv(a, b, normalize=False)])
        self.score = nn.Linear(b, 1)
        self.classifier = nn.Linear(b, n_classes)

    def stack(self, convs: nn.ModuleList, h: Tensor, edges: Edges) -> Tensor:
        for layer, conv in enumerate(convs):
            h = torch.relu(convolve(conv, h, edges))
            if layer == 0:
                h = nn.functional.dropout(h, 0.5, self.training)
        return h

    def forward(self, views: list[Tensor], edges: list[Edges]) -> Tensor:
        specific = [self.stack(c, x, e) for c, x, e in zip(self.specific, views, edges, strict=True)]
        common = [self.stack(self.common, h, e) for h, e in zip(specific, edges, strict=True)]
        stacked = torch.stack([*specific, torch.stack(common).mean(0)], dim=1)
        weights = torch.softmax(self.score(stacked).squeeze(-1), dim=1)
        return self.classifier((weights.unsqueeze(-1) * stacked).sum(1))


def peer_epoch(
    model: nn.Module, forward: Callable[[], Tensor], rows: Tensor, targets: Tensor
) -> Callable[[], Tensor]:
    """One epoch as written everywhere: full forward, loss on the labelled rows, backward, Adam."""
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-4, weight_decay=1e-4)
    model.train()

    def epoch() -> Tensor:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(forward()[rows], targets)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return epoch


def dense_graph(x: Tensor, k: int) -> Tensor:
    """The peers' way to a graph: all N x N distances, all N x N weights, all but the k nearest set to zero."""
    distances = torch.cdist(x, x)
    n = len(x)
    mu = distances.sum() / (n * (n - 1))
    weights = torch.exp(-distances / mu).fill_diagonal_(0)
    threshold = weights.topk(k, dim=1).values[:, -1:]
    adjacency = torch.where(weights >= threshold, weights, torch.zeros(()))
    adjacency = torch.maximum(adjacency, adjacency.T) + torch.eye(n)
    scale = adjacency.sum(1).rsqrt()
    return scale[:, None] * adjacency * scale[None, :]
