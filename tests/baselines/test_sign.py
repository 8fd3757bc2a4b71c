"""SIGN against its equation in dense float64, on all rows and on some, with and without a fused graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from blobs import CLASSES, make_data, make_split

from mvgraph.errors import UserError
from mvgraph.fusion import create
from mvgraph.graph import MultiViewGraph, build_graph
from mvgraph.graph.propagation import Propagation
from mvgraph.training import fit


def laplacian(a: np.ndarray) -> np.ndarray:
    looped = a + np.eye(len(a))
    scale = np.diag(looped.sum(axis=1) ** -0.5)
    return scale @ looped @ scale


def dense_logits(model: Any, graph: MultiViewGraph, views: dict[str, np.ndarray]) -> np.ndarray:
    everything = np.hstack([views[name] for name in sorted(views)]).astype(np.float64)
    parts = []
    transforms = iter(model.transforms)
    for view in graph.view_names:
        h = views[view].astype(np.float64) if view in views else everything
        for hop in range(model.hops + 1):
            h = laplacian(graph[view].to_dense().double().numpy()) @ h if hop else h
            theta = next(transforms)
            parts.append(h @ theta.weight.detach().numpy().T + theta.bias.detach().numpy())
    z = np.maximum(np.hstack(parts), 0)
    return z @ model.classifier.weight.detach().numpy().T + model.classifier.bias.detach().numpy()


@pytest.mark.parametrize("fused", [None, "snf"])
@pytest.mark.parametrize("hops", [0, 1, 3])
def test_forward_is_the_equation(hops: int, fused: Any) -> None:
    data = make_data()
    graph = build_graph(data, k=4, fused=fused).to(dtype=torch.float64)
    model = create("sign", data, hops=hops, hidden=4, graph_views=graph.view_names, seed=1).double().eval()
    p = Propagation(graph, {n: torch.tensor(data.views[n], dtype=torch.float64) for n in data.view_names})
    expected = dense_logits(model, graph, {n: data.views[n] for n in data.view_names})
    np.testing.assert_allclose(model(p).detach().numpy(), expected, rtol=1e-9, atol=1e-9)
    some = torch.tensor([0, 8, 30])
    part = model(p.restricted(some, model.n_layers))
    np.testing.assert_allclose(part.detach().numpy(), expected[some], rtol=1e-9, atol=1e-9)


def test_hops_are_computed_once() -> None:
    data = make_data()
    p = Propagation(build_graph(data, k=4), {n: torch.tensor(data.views[n]) for n in data.view_names})
    field = p.restricted(torch.tensor([1, 2]), 0)
    assert field.propagated("a", 2).value is p.propagated("a", 2).value
    assert p.propagated("a", 0).value is p.features("a").value


def test_one_more_graph_means_one_more_branch() -> None:
    data, split = make_data(), make_split()
    training = {"epochs": 3, "evaluate_every": 3}
    plain = fit("sign", data, split, build_graph(data, k=4), training=training)
    beside = fit("sign", data, split, build_graph(data, k=4, fused="snf"), training=training)
    assert plain.options["graph_views"] is None
    assert beside.options["graph_views"] == ("a", "b", "c", "snf")
    width = 3 + 5 + 2
    assert plain.parameters == (width + 3) * 3 * 64 + (3 * 3 * 64 + 1) * CLASSES
    assert beside.parameters - plain.parameters == (width + 1) * 3 * 64 + 3 * 64 * CLASSES


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="sign: hops=-1"):
        create("sign", make_data(), hops=-1)
    with pytest.raises(UserError, match="hidden"):
        create("sign", make_data(), hidden=0)
