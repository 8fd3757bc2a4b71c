"""`pyg:<Conv>` against direct calls of torch_geometric, and against the dense Laplacian for GCNConv."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from fusion_dense import N_CLASSES, TOLERANCE, Problem, make_problem, propagation, randomise
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.fusion import create
from mvgraph.fusion.pyg_conv import PyGFusion

HIDDEN = (6, 4)


def by_hand(model: PyGFusion, problem: Problem) -> Tensor:
    """The same convolutions called one by one, the fusion written out."""
    features = []
    for stack, view in zip(model.stacks, sorted(problem.features), strict=True):
        target, source = problem.adjacency[view].nonzero(as_tuple=True)
        edges, weights = torch.stack([source, target]), problem.adjacency[view][target, source]
        h = problem.features[view]
        for conv in stack:
            h = conv(h, edges, weights) if isinstance(conv, pyg.GCNConv | pyg.ChebConv) else conv(h, edges)
            h = h.clamp(min=0)
        features.append(h)
    w = dict(model.named_parameters())
    if model.fusion == "concat":
        fused = torch.cat(features, dim=1)
    elif model.fusion == "mean":
        fused = sum(features) / len(features)  # type: ignore[assignment]
    else:
        scores = [f @ w["attention.score.weight"].T + w["attention.score.bias"] for f in features]
        total = sum(score.exp() for score in scores)
        fused = sum(s.exp() / total * f for s, f in zip(scores, features, strict=True))  # type: ignore[assignment]
    return fused @ w["classifier.weight"].T + w["classifier.bias"]


@pytest.mark.parametrize("directed", [False, True], ids=["symmetric", "directed"])
@pytest.mark.parametrize("fusion", ["mean", "concat", "attention"])
@pytest.mark.parametrize(
    ("conv", "conv_options"),
    [("GCNConv", None), ("SAGEConv", None), ("GATConv", None), ("ChebConv", {"K": 3}), ("GINConv", None)],
)
def test_fusion_of_direct_calls(
    conv: str, conv_options: dict[str, Any] | None, fusion: str, directed: bool
) -> None:
    if conv == "ChebConv" and directed:
        conv_options = {"K": 3, "normalization": "rw"}
    problem = make_problem(3, directed=directed)
    model = create(
        f"pyg:{conv}",
        view_dims=problem.dims,
        n_classes=N_CLASSES,
        fusion=fusion,
        hidden=HIDDEN,
        conv_options=conv_options,
    )
    randomise(model)
    other = copy.deepcopy(model)
    found, expected = model(propagation(model, problem)), by_hand(other, problem)
    torch.testing.assert_close(found, expected, rtol=TOLERANCE, atol=TOLERANCE)
    for logits in (found, expected):
        torch.nn.functional.cross_entropy(logits[problem.rows], problem.targets).backward()
    for (name, parameter), twin in zip(model.named_parameters(), other.parameters(), strict=True):
        assert parameter.grad is not None, name
        torch.testing.assert_close(parameter.grad, twin.grad, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("directed", [False, True], ids=["symmetric", "directed"])
def test_gcn_conv_is_our_laplacian(directed: bool) -> None:
    """PyG and we mean the same by an edge, a weight and a normalisation."""
    problem = make_problem(2, directed=directed)
    model = create("pyg:GCNConv", view_dims=problem.dims, n_classes=N_CLASSES, hidden=HIDDEN)
    randomise(model)
    features = []
    for stack, view, lap in zip(model.stacks, sorted(problem.features), problem.laplacians(), strict=True):
        h = problem.features[view]
        for conv in stack:
            h = (lap @ h @ conv.lin.weight.T + conv.bias).clamp(min=0)
        features.append(h)
    expected = (sum(features) / 2) @ model.classifier.weight.T + model.classifier.bias
    found = model(propagation(model, problem))
    torch.testing.assert_close(found, expected, rtol=TOLERANCE, atol=TOLERANCE)


def test_attention_diagnostics() -> None:
    problem = make_problem(3)
    options = {"view_dims": problem.dims, "n_classes": N_CLASSES, "hidden": HIDDEN}
    model = randomise(create("pyg:SAGEConv", fusion="attention", **options))
    weights = model.diagnostics(propagation(model, problem))["attention"]
    assert list(weights) == ["audio", "image", "text"]
    assert sum(weights.values()) == pytest.approx(1.0)
    plain = randomise(create("pyg:SAGEConv", **options))
    assert plain.diagnostics(propagation(plain, problem)) == {}


def test_users_mistakes_name_what_would_be_right() -> None:
    options = {"view_dims": {"a": 2}, "n_classes": 2}
    with pytest.raises(UserError, match=r"no convolution 'GATConvv'; did you mean .*GATConv"):
        create("pyg:GATConvv", **options)
    with pytest.raises(UserError, match="no convolution 'Linear'"):
        create("pyg:Linear", **options)
    with pytest.raises(UserError, match="no convolution ''"):
        create("pyg:", **options)
    with pytest.raises(UserError, match=r"GCNConv cannot be made.*conv_options"):
        create("pyg:GCNConv", conv_options={"colour": "red"}, **options)
    with pytest.raises(UserError, match="fusion='max': choose one of mean, concat, attention"):
        create("pyg", fusion="max", **options)
