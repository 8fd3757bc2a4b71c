"""Full-batch training against a plain loop: dense matrices, float64, Adam written out, one label at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mvgraph.data import MultiViewData, Split
from mvgraph.fusion import create
from mvgraph.graph import MultiViewGraph, build_graph
from mvgraph.training import fit

EPOCHS, LR, DECAY = 12, 0.02, 0.3
N, CLASSES = 40, 3
Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def data() -> MultiViewData:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(N) % CLASSES)
    views = {
        name: rng.standard_normal((N, d)) + labels[:, None] for name, d in (("a", 4), ("b", 6), ("c", 3))
    }
    return MultiViewData.from_arrays(views, labels)


@pytest.fixture(scope="module")
def graph(data: MultiViewData) -> MultiViewGraph:
    return build_graph(data, k=2)


@pytest.fixture(scope="module")
def split() -> Split:
    order = np.random.default_rng(1).permutation(N)
    return Split(order[:9], order[9:15], order[15:35])


def laplacian(a: Tensor) -> Tensor:
    looped = a.double() + torch.eye(N, dtype=torch.float64)
    scale = looped.sum(dim=1).rsqrt().diag()
    return scale @ looped @ scale


def dense(graph: MultiViewGraph) -> dict[str, Tensor]:
    return {view: graph[view].to_dense().double() for view in graph.view_names}


def classify(w: Weights, h: Tensor) -> Tensor:
    return h @ w["classifier.weight"].T + w["classifier.bias"]


def stack(w: Weights, prefix: str, laps: list[Tensor], h: Tensor) -> list[Tensor]:
    outputs = []
    for t, lap in enumerate(laps):
        h = torch.relu(lap @ h @ w[f"{prefix}.layers.{t}.weight"] + w[f"{prefix}.layers.{t}.bias"])
        outputs.append(h)
    return outputs


def dm_gcn(w: Weights, x: dict[str, Tensor], a: dict[str, Tensor]) -> Tensor:
    theta = torch.softmax(w["theta_logits"], dim=1)
    laps = [sum(theta[t, v] * laplacian(m) for v, m in enumerate(a.values())) for t in range(2)]
    return classify(w, torch.cat(stack(w, "stack", laps, torch.cat(list(x.values()), 1)), 1))  # type: ignore[arg-type]


def mean_gcn(w: Weights, x: dict[str, Tensor], a: dict[str, Tensor]) -> Tensor:
    mean = laplacian(sum(a.values()) / len(a))  # type: ignore[arg-type]
    return classify(w, torch.cat(stack(w, "stack", [mean] * 2, torch.cat(list(x.values()), 1)), 1))


def single_gcn(w: Weights, x: dict[str, Tensor], a: dict[str, Tensor]) -> Tensor:
    return classify(w, torch.cat(stack(w, "stack", [laplacian(a["b"])] * 2, x["b"]), 1))


def at_gcn(w: Weights, x: dict[str, Tensor], a: dict[str, Tensor]) -> Tensor:
    features, common = [], []
    for v, view in enumerate(x):
        laps = [laplacian(a[view])] * 2
        features.append(stack(w, f"specific.{v}", laps, x[view])[-1])
        common.append(stack(w, "common", laps, features[-1])[-1])
    stacked = torch.stack([*features, sum(common) / len(common)], dim=1)  # type: ignore[list-item]
    scores = stacked @ w["attention.score.weight"].T + w["attention.score.bias"]
    return classify(w, (torch.softmax(scores, dim=1) * stacked).sum(dim=1))


def concat_mlp(w: Weights, x: dict[str, Tensor], a: dict[str, Tensor]) -> Tensor:
    h = torch.cat(list(x.values()), 1)
    for layer in (0, 3):
        h = torch.relu(h @ w[f"network.{layer}.weight"].T + w[f"network.{layer}.bias"])
    return h @ w["network.6.weight"].T + w["network.6.bias"]


def plain_adam(w: Weights, loss_of: Callable[[Weights], Tensor], decay_of: Callable[[str], float]) -> Any:
    """Kingma & Ba 2015, Algorithm 1, the L2 term in the gradient; yields the weights after each step."""
    m = {name: torch.zeros_like(value) for name, value in w.items()}
    v = {name: torch.zeros_like(value) for name, value in w.items()}
    for step in range(1, EPOCHS + 1):
        leaves = {name: value.clone().requires_grad_() for name, value in w.items()}
        loss = loss_of(leaves)
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        for (name, value), gradient in zip(w.items(), gradients, strict=True):
            g = gradient + decay_of(name) * value
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g * g
            unbiased = m[name] / (1 - 0.9**step)
            scale = (v[name] / (1 - 0.999**step)).sqrt() + 1e-8
            w[name] = value - LR * unbiased / scale
        yield float(loss.detach()), w


@pytest.mark.parametrize(
    ("method", "forward", "theta_weight_decay"),
    [
        ("dm-gcn", dm_gcn, False),
        ("dm-gcn", dm_gcn, True),
        ("mean-gcn", mean_gcn, False),
        ("at-gcn", at_gcn, False),
        ("single-gcn:b", single_gcn, False),
        ("concat-mlp", concat_mlp, False),
    ],
)
def test_losses_theta_and_probabilities_equal_the_plain_loop(
    method: str,
    forward: Callable[..., Tensor],
    theta_weight_decay: bool,
    data: MultiViewData,
    graph: MultiViewGraph,
    split: Split,
) -> None:
    options: dict[str, Any] = {"hidden": (7, 5), "dropout": 0.0}
    if method == "dm-gcn":
        options["theta_weight_decay"] = theta_weight_decay
    training = {"epochs": EPOCHS, "lr": LR, "weight_decay": DECAY, "evaluate_every": 1}
    result = fit(method, data, split, graph, options=options, training=training, seed=4)

    x = {view: torch.tensor(data.views[view], dtype=torch.float64) for view in data.view_names}
    a, labels = dense(graph), torch.tensor(data.labels)
    start = create(method, data, seed=4, **options).double().state_dict()

    def log_loss(w: Weights, rows: np.ndarray) -> Tensor:
        p = torch.softmax(forward(w, x, a), dim=1)
        return -sum(torch.log(p[i, labels[i]]) for i in rows.tolist()) / len(rows)  # type: ignore[return-value]

    def decay_of(name: str) -> float:
        return 0.0 if name == "theta_logits" and not theta_weight_decay else DECAY

    expected: dict[str, list[float]] = {name: [] for name in result.curves}
    for epoch, (loss, w) in enumerate(
        plain_adam(dict(start), lambda w: log_loss(w, split.train), decay_of), start=1
    ):
        expected["epoch"].append(epoch)
        expected["train_log_loss"].append(loss)
        answers = forward(w, x, a).detach()
        for part in ("validation", "test"):
            rows = np.array(getattr(split, part))
            expected[f"{part}_log_loss"].append(float(log_loss(w, rows)))
            right = answers.argmax(1)[rows] == labels[rows]
            expected[f"{part}_accuracy"].append(float(right.double().mean()))
        if method == "dm-gcn":
            theta = torch.softmax(w["theta_logits"], dim=1)
            for layer in range(2):
                for v, view in enumerate("abc"):
                    expected[f"theta/{layer + 1}/{view}"].append(float(theta[layer, v]))
    assert set(result.curves) == set(expected)
    for name, curve in expected.items():
        np.testing.assert_allclose(result.curves[name], curve, rtol=2e-4, atol=2e-5, err_msg=name)
    final = torch.softmax(forward(w, x, a), dim=1)
    np.testing.assert_allclose(result.probabilities("last"), final, rtol=2e-3, atol=2e-5)


def test_the_exemption_of_theta_shows(data: MultiViewData, graph: MultiViewGraph, split: Split) -> None:
    """With a strong decay theta stays nearer to uniform, so the two reference runs above are not one."""
    spread = []
    for decayed in (False, True):
        result = fit(
            "dm-gcn",
            data,
            split,
            graph,
            options={"hidden": (7, 5), "dropout": 0.0, "theta_weight_decay": decayed},
            training={"epochs": 40, "lr": LR, "weight_decay": 3.0, "evaluate_every": 40},
        )
        theta = [list(layer.values()) for layer in result.diagnostics["theta"]]
        spread.append(max(max(row) - min(row) for row in theta))
    assert spread[0] > 1.2 * spread[1]
