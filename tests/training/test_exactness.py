"""Training in float32 over receptive fields stays with a dense float64 loop, for every method and 1 to 5 views."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import mvgraph as mv
from mvgraph.graph.propagation import Propagation
from mvgraph.training.batches import full_batch_epoch
from mvgraph.training.distributed import World
from mvgraph.training.step import make_optimiser

WIDTHS = (7, 3, 5, 4, 6)
EPOCHS = 50
METHODS = ["single-gcn:v0", "mean-gcn", "dm-gcn", "at-gcn", "concat-mlp"]


class DensePropagation(Propagation):
    """The same interface on dense matrices over all nodes: slow, readable, float64."""

    def __init__(self, graph: mv.MultiViewGraph, features: dict[str, torch.Tensor]) -> None:
        super().__init__(graph, features)
        self.matrices = {}
        for view in graph.view_names:
            a = graph[view].to_dense() + torch.eye(graph.n_nodes, dtype=torch.float64)
            scale = a.sum(1).rsqrt()
            self.matrices[view] = scale[:, None] * a * scale[None, :]

    def product(self, layer, view, h, weight):
        return self.matrices[view] @ getattr(h, "value", h) @ weight

    def mixture(self, layer, theta, h, weight):
        mixed = sum(t * self.matrices[v] for t, v in zip(theta, self.view_names, strict=True))
        return mixed @ getattr(h, "value", h) @ weight


def problem(n_views: int, mask_seed: int):
    rng = np.random.default_rng(mask_seed)
    labels = np.arange(80) % 4
    views = {
        f"v{i}": (rng.normal(size=(80, WIDTHS[i])) + rng.normal(size=(4, WIDTHS[i]))[labels]).astype(
            np.float32
        )
        for i in range(n_views)
    }
    rows = np.sort(rng.choice(80, size=int(rng.integers(4, 60)), replace=False))
    data = mv.MultiViewData.from_arrays(views, labels)
    return data, mv.build_graph(data, k=4), torch.as_tensor(rows), torch.as_tensor(labels)


def losses(model, everything, rows, labels, optimiser, restricted: bool) -> list[float]:
    if restricted:
        run = full_batch_epoch(model, everything, rows, labels, optimiser, World())
    else:

        def run(epoch: int) -> torch.Tensor:
            optimiser.zero_grad()
            logits = model(everything)
            loss = torch.nn.functional.cross_entropy(logits[rows], labels[rows])
            loss.backward()
            optimiser.step()
            return loss.detach()

    model.train()
    return [float(run(epoch)) for epoch in range(1, EPOCHS + 1)]


@pytest.mark.parametrize("n_views", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("method", METHODS)
def test_fifty_epochs_follow_the_dense_double_loop(method: str, n_views: int) -> None:
    data, graph, rows, labels = problem(n_views, mask_seed=n_views)
    model = mv.create(method, data, seed=1, hidden=(16, 8), dropout=0.0)
    reference = copy.deepcopy(model).double()
    fast = Propagation(model.prepare(graph), {v: torch.tensor(x) for v, x in data.views.items()})
    slow = DensePropagation(
        reference.prepare(graph.to(dtype=torch.float64)),
        {v: torch.tensor(x).double() for v, x in data.views.items()},
    )
    ours = losses(model, fast, rows, labels, make_optimiser(model, 5e-3, 1e-4), restricted=True)
    plain_adam = torch.optim.Adam(reference.parameter_groups(1e-4), lr=5e-3)
    dense = losses(reference, slow, rows, labels, plain_adam, restricted=False)
    np.testing.assert_allclose(ours, dense, rtol=1e-3)
    assert dense[-1] < 0.9 * dense[0]


@pytest.mark.parametrize("mask_seed", range(6))
@pytest.mark.parametrize("method", METHODS)
def test_double_gradients_are_those_of_dense_algebra(method: str, mask_seed: int) -> None:
    data, graph, rows, labels = problem(3, mask_seed)
    model = mv.create(method, data, seed=2, hidden=(6, 9, 5), dropout=0.0).double()
    graph = model.prepare(graph.to(dtype=torch.float64))
    features = {v: torch.tensor(x).double() for v, x in data.views.items()}
    fast = Propagation(graph, features).restricted(rows, model.n_layers, joint=model.tags.mixes_views)
    parameters = list(model.parameters())
    ours = torch.nn.functional.cross_entropy(model(fast), labels[rows])
    dense = torch.nn.functional.cross_entropy(model(DensePropagation(graph, features))[rows], labels[rows])
    assert abs(float((ours - dense).detach())) < 1e-9
    for got, want in zip(
        torch.autograd.grad(ours, parameters), torch.autograd.grad(dense, parameters), strict=True
    ):
        torch.testing.assert_close(got, want, rtol=0, atol=1e-9)
