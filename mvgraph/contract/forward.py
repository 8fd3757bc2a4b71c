"""Checks of one pass through a method: shapes, gradients, receptive fields."""

from __future__ import annotations

import torch
from torch import Tensor

from mvgraph.contract.case import MethodCase
from mvgraph.contract.result import require
from mvgraph.contract.synthetic import N_CLASSES, WIDTHS, blobs, graph_of, split_of
from mvgraph.fusion import NetworkMethod

#: Largest difference, relative to the largest number, that float64 rounding may leave.
FLOAT64 = 1e-9


def shapes_for_any_number_of_views(case: MethodCase) -> None:
    """One to five views of different width give (N, C), finite."""
    for n_views in range(1, len(WIDTHS) + 1):
        data = blobs(n_views)
        expected = (data.n_samples, N_CLASSES)
        graph = graph_of(data)
        if case.is_network:
            answer = case.logits(case.create(data), data, graph)
            finite = bool(torch.isfinite(answer).all())
            what = "logits"
        else:
            probabilities = case.fit(data, graph=graph).model.predict_proba()  # type: ignore[attr-defined]
            answer, finite, what = probabilities, bool((probabilities >= 0).all()), "probabilities"
        found = tuple(answer.shape)
        require(
            found == expected, f"with {n_views} views the {what} have shape {found}; right is {expected}."
        )
        require(finite, f"with {n_views} views some {what} are not finite.")


def gradients_reach_every_parameter(case: MethodCase) -> None:
    """After one backward pass every parameter has a finite gradient, and none is zero throughout.

    A parameter of one number may have gradient 0: the bias of a scorer under a softmax is one. A control
    is left aside: without edges the view weights have no effect on purpose.
    """
    data = blobs()
    model = case.create(data).train()
    p = case.propagation(model, data, graph_of(data), control=False)
    _loss(model(p), torch.tensor(data.labels)).backward()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        require(parameter.grad is not None, f"no gradient reaches the parameter '{name}'; it is never used.")
        assert parameter.grad is not None
        require(torch.isfinite(parameter.grad).all(), f"the gradient of '{name}' is not finite.")
        require(
            parameter.numel() == 1 or bool(parameter.grad.abs().max() > 0),
            f"the gradient of '{name}' is zero throughout; it has no effect on the loss.",
        )


def receptive_field_is_exact(case: MethodCase) -> None:
    """The pass restricted to the training rows gives the logits and gradients of the pass over all nodes."""
    data = blobs(n_samples=120)
    graph = graph_of(data, k=2)
    model = case.create(data).double().eval()
    rows = torch.tensor(split_of(data).train[:8])
    targets = torch.tensor(data.labels)[rows]
    everything = case.propagation(model, data, graph)
    field = everything.restricted(rows, model.n_layers, joint=case.tags.mixes_views)
    whole, whole_gradients = _with_gradients(model, model(everything)[rows], targets)
    part, part_gradients = _with_gradients(model, model(field), targets)
    _require_close("logits", part, whole)
    for name, gradient in whole_gradients.items():
        _require_close(f"gradient of '{name}'", part_gradients[name], gradient)


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits, targets)


def _with_gradients(
    model: NetworkMethod, logits: Tensor, targets: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    model.zero_grad()
    _loss(logits, targets).backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return logits.detach(), gradients


def _require_close(what: str, found: Tensor, expected: Tensor) -> None:
    require(
        found.shape == expected.shape,
        f"the {what} on the receptive field has shape {tuple(found.shape)}; right is {tuple(expected.shape)}.",
    )
    difference = float((found - expected).abs().max())
    scale = max(1.0, float(expected.abs().max()))
    require(
        difference <= FLOAT64 * scale,
        f"the {what} on the receptive field of the training rows is off by {difference:.1e} (float64); if the "
        "method reads more than n_layers steps of the graph, say so in n_layers, or tag it full_graph.",
    )
