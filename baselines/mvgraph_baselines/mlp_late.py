"""One multi-layer perceptron a view, their class probabilities averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mvgraph.errors import UserError
from mvgraph.fusion import Choice, Distribution, Float, Tags
from mvgraph.fusion.layers import check_hidden, check_rate
from mvgraph.graph.propagation import Propagation
from mvgraph_baselines.calibrated import CalibratedNetwork


class LateMLP(CalibratedNetwork):
    r"""Late fusion without any graph: every view answers on its own, the answers are averaged.

    .. math::

        p(c \mid x) = \frac{\sum_{v \in V(x)} w_v \, \mathrm{softmax}(\mathrm{MLP}_v(x_v))_c}{\sum_{v \in V(x)} w_v}

    V(x) are the views the row has: a view whose embedding is zero throughout, as that of a missing view is,
    says nothing and is left out. All perceptrons are trained together on the averaged answer.

    Args:
        view_dims: view -> d_v.
        n_classes: C.
        weights: "mean" takes every w_v = 1; "learned" takes a softmax of one logit a view, zero at first.
        hidden: units of the hidden layers of each perceptron.
        dropout: rate after each hidden layer.

    Raises:
        UserError: another word for `weights`.

    Shapes:
        forward: `Propagation` (its graph is not read) -> log-probabilities (N, C), which are logits too.
    """

    name = "mlp-late"
    title = "late fusion of per-view MLPs"
    paper = "Kittler et al. 1998, the sum rule; learned weights after Jordan & Jacobs 1994 (constant gates)"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(
        self,
        view_dims: Mapping[str, int],
        n_classes: int,
        *,
        weights: str = "mean",
        hidden: Sequence[int] = (256, 128),
        dropout: float = 0.5,
    ) -> None:
        super().__init__(view_dims, n_classes)
        if weights not in ("mean", "learned"):
            raise UserError(f"mlp-late: weights='{weights}'; choose mean or learned.")
        check_hidden(hidden)
        check_rate(dropout)
        self.weights, self.hidden, self.dropout = weights, tuple(hidden), dropout
        self.networks = nn.ModuleList(self._perceptron(width) for width in self.view_dims.values())
        learned = weights == "learned"
        self.weight_logits = nn.Parameter(torch.zeros(len(self.view_dims))) if learned else None

    def _perceptron(self, width: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for units in self.hidden:
            layers += [nn.Linear(width, units), nn.ReLU(), nn.Dropout(self.dropout)]
            width = units
        return nn.Sequential(*layers, nn.Linear(width, self.n_classes))

    def forward(self, p: Propagation) -> Tensor:
        inputs = [p.select(p.features(view), 0, 0) for view in self.view_names]
        answers = torch.stack(
            [network(x).log_softmax(dim=1) for network, x in zip(self.networks, inputs, strict=True)], dim=1
        )
        present = torch.stack([(x != 0).any(dim=1) for x in inputs], dim=1)
        present |= ~present.any(dim=1, keepdim=True)
        shares = self._log_weights(answers).masked_fill(~present, -torch.inf).log_softmax(dim=1)
        return self.tempered((answers + shares.unsqueeze(-1)).logsumexp(dim=1))

    def _log_weights(self, answers: Tensor) -> Tensor:
        """(rows, V), up to a constant."""
        if self.weight_logits is None:
            return answers.new_zeros(answers.shape[:2])
        return self.weight_logits.expand(len(answers), -1)

    def diagnostics(self, p: Propagation) -> dict[str, Any]:
        told = super().diagnostics(p)
        if self.weight_logits is None:
            return told
        shares = torch.softmax(self.weight_logits, dim=0).tolist()
        return {**told, "attention": dict(zip(self.view_names, shares, strict=True))}

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        others = [w for name, w in self.named_parameters() if name != "weight_logits"]
        groups: list[dict[str, Any]] = [{"params": others, "weight_decay": weight_decay}]
        if self.weight_logits is not None:
            groups.append({"params": [self.weight_logits], "weight_decay": 0.0})
        return groups

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {
            "lr": Float(1e-4, 3e-2, log=True),
            "weight_decay": Float(1e-6, 1e-2, log=True),
            "weights": Choice(("mean", "learned")),
            "hidden": Choice(((256, 128), (128, 64), (128,))),
            "dropout": Float(0.0, 0.8),
        }
