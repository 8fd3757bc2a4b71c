"""Late fusion of perceptrons: the equation in dense float64, weights, missing views."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from blobs import CLASSES, make_data, make_split

from mvgraph.errors import UserError
from mvgraph.fusion import create
from mvgraph.graph import build_graph
from mvgraph.graph.propagation import Propagation
from mvgraph.training import fit


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def dense_answer(model: Any, views: dict[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
    total = np.zeros((len(observed), CLASSES))
    weights = np.zeros((len(observed), 1))
    logits = model.weight_logits
    shares = np.ones(len(views)) if logits is None else softmax(logits.detach().numpy())
    for v, name in enumerate(sorted(views)):
        h = views[name].astype(np.float64)
        layers = [m for m in model.networks[v] if isinstance(m, torch.nn.Linear)]
        for i, layer in enumerate(layers):
            h = h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
            h = np.maximum(h, 0) if i < len(layers) - 1 else h
        w = shares[v] * observed[:, [v]]
        total, weights = total + w * softmax(h), weights + w
    return total / weights


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("weights", ["mean", "learned"])
def test_forward_is_the_equation(weights: str, missing: bool) -> None:
    data = make_data(missing=missing)
    model = create("mlp-late", data, weights=weights, hidden=(4, 3), seed=2).double().eval()
    if weights == "learned":
        model.weight_logits.data = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    features = {name: torch.tensor(data.views[name], dtype=torch.float64) for name in data.view_names}
    p = Propagation(build_graph(data, k=3).to(dtype=torch.float64), features)
    found = torch.softmax(model(p), dim=1).detach().numpy()
    expected = dense_answer(model, {n: data.views[n] for n in data.view_names}, data.observed)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    some = torch.tensor([3, 7, 20])
    part = torch.softmax(model(p.restricted(some, model.n_layers)), dim=1).detach().numpy()
    np.testing.assert_allclose(part, expected[some], rtol=1e-10)


def test_a_row_of_zeros_throughout_is_answered_by_all_views() -> None:
    model = create("mlp-late", view_dims={"a": 2, "b": 3}, n_classes=CLASSES, hidden=(3,)).double().eval()
    zeros = {"a": np.zeros((1, 2)), "b": np.zeros((1, 3))}
    p = Propagation(
        build_graph({n: np.eye(4, x.shape[1]) for n, x in zeros.items()}, k=1),
        {n: torch.tensor(x) for n, x in zeros.items()},
    )
    expected = dense_answer(model, zeros, np.ones((1, 2)))
    np.testing.assert_allclose(torch.softmax(model(p), dim=1).detach().numpy(), expected, rtol=1e-10)


def test_learned_weights_prefer_the_view_that_knows() -> None:
    data, split = make_data(), make_split()
    noise = np.random.default_rng(0).standard_normal(data.views["b"].shape).astype(np.float32)
    noisy = data.with_views({"a": data.views["a"], "b": noise})
    training = {"epochs": 150, "lr": 1e-2, "evaluate_every": 150}
    result = fit("mlp-late", noisy, split, options={"weights": "learned", "hidden": [8]}, training=training)
    shares = result.diagnostics["attention"]
    assert shares["a"] > 0.6
    assert sum(shares.values()) == pytest.approx(1.0)
    assert "attention" not in fit("mlp-late", data, split, training={"epochs": 1}).diagnostics


def test_parameter_counts_and_mistakes() -> None:
    widths = {"a": 3, "b": 5}
    per_view = sum(d * 4 + 4 + 4 * CLASSES + CLASSES for d in widths.values())
    assert create("mlp-late", view_dims=widths, n_classes=CLASSES, hidden=(4,)).parameter_count() == per_view
    learned = create("mlp-late", view_dims=widths, n_classes=CLASSES, hidden=(4,), weights="learned")
    assert learned.parameter_count() == per_view + 2
    assert [group["weight_decay"] for group in learned.parameter_groups(0.1)] == [0.1, 0.0]
    with pytest.raises(UserError, match="mlp-late: weights='max'; choose mean or learned"):
        create("mlp-late", view_dims=widths, n_classes=CLASSES, weights="max")
