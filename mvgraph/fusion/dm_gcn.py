"""DM-GCN: dynamic weighting of the views' Laplacians (Section 2.3.1, Eq. 2 and 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mvgraph.fusion.base import NetworkMethod
from mvgraph.fusion.layers import ConvolutionStack, check_choice, check_hidden, concatenate_levels
from mvgraph.fusion.search import GCN_SPACE, Distribution
from mvgraph.graph.propagation import Constant, Propagation


class DMGCN(NetworkMethod):
    r"""Every layer propagates over its own learned mixture of the views' Laplacians.

    .. math::

        L^{(t)} = \sum_v \theta_v^{(t)} \tilde D_v^{-1/2} \tilde A_v \tilde D_v^{-1/2},
        \qquad \sum_v \theta_v^{(t)} = 1 \quad (2)

        H^{(t+1)} = \mathrm{ReLU}(L^{(t)} H^{(t)} W^{(t)} + b^{(t)}) \quad (3)

    H^(0) holds the embeddings of all views side by side; the outputs of all layers, side by side, go into one
    fully connected layer. theta is a softmax of logits that start at zero, so training starts from the mean.

    Args:
        view_dims: view -> d_v.
        n_classes: C.
        hidden: units of each layer.
        dropout: rate on the output of the first layer.
        bias: biases in the convolutions (the published 86k parameters imply them).
        activate_last: ReLU after the last layer too, as Eq. 3 has it.
        dropout_layers: "first" as published, or "all" (all but the last).
        theta_per_layer: one theta a layer as in Eq. 2, or one for all layers.
        theta_weight_decay: whether weight decay pulls the logits, that is theta, towards uniform.
        concatenate: "after-dropout" feeds the classifier the first layer's output after dropout,
            "before-dropout" the one before.
        graph_views: names of the graph's views where they are not those of `view_dims` (a fused graph beside
            them); `fit` sets it.

    Shapes:
        forward: `Propagation` over V views -> logits (rows, C).
    """

    name = "dm-gcn"
    title = "DM-GCN"
    paper = (
        "Lei & Chen, Audio-Visual Scene Classification Based on Multi-modal Graph Fusion, Eq. 2-3; "
        "theta after Co-GCN (Li et al. 2020)"
    )

    def __init__(
        self,
        view_dims: Mapping[str, int],
        n_classes: int,
        *,
        hidden: Sequence[int] = (256, 128),
        dropout: float = 0.5,
        bias: bool = True,
        activate_last: bool = True,
        dropout_layers: str = "first",
        theta_per_layer: bool = True,
        theta_weight_decay: bool = False,
        concatenate: str = "after-dropout",
        graph_views: Sequence[str] | None = None,
    ) -> None:
        super().__init__(view_dims, n_classes, graph_views)
        check_choice("concatenate", concatenate, ("after-dropout", "before-dropout"))
        check_hidden(hidden)
        self.hidden, self.dropout, self.bias = tuple(hidden), dropout, bias
        self.activate_last, self.dropout_layers = activate_last, dropout_layers
        self.theta_per_layer, self.theta_weight_decay = theta_per_layer, theta_weight_decay
        self.concatenate = concatenate
        self.stack = ConvolutionStack(
            (sum(self.view_dims.values()), *hidden),
            dropout=dropout,
            bias=bias,
            activate_last=activate_last,
            dropout_layers=dropout_layers,
        )
        n_thetas = len(hidden) if theta_per_layer else 1
        self.theta_logits = nn.Parameter(torch.zeros(n_thetas, len(self.input_widths)))
        self.classifier = nn.Linear(sum(hidden), n_classes)

    @property
    def n_layers(self) -> int:
        return len(self.hidden)

    def forward(self, p: Propagation) -> Tensor:
        theta = torch.softmax(self.theta_logits, dim=1).expand(self.n_layers, -1)
        h: Tensor | Constant = p.concatenated()
        outputs: list[Tensor] = []
        for index, layer in enumerate(self.stack.convolutions):
            convolved = layer.shift(p.mixture(index + 1, theta[index], h, layer.weight))
            if self.concatenate == "before-dropout":
                activated = self.stack.activate(index, convolved)
                outputs.append(activated)
                h = self.stack.drop(index, activated)
            else:
                h = self.stack.finish(index, convolved)
                outputs.append(h)
        return self.classifier(concatenate_levels(p, outputs))

    def theta(self) -> list[dict[str, float]]:
        weights = torch.softmax(self.theta_logits.detach(), dim=1).expand(self.n_layers, -1).tolist()
        return [dict(zip(self.input_widths, row, strict=True)) for row in weights]

    def diagnostics(self, p: Propagation) -> dict[str, Any]:
        return {"theta": self.theta()}

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        others = [w for name, w in self.named_parameters() if name != "theta_logits"]
        theta_decay = weight_decay if self.theta_weight_decay else 0.0
        return [
            {"params": others, "weight_decay": weight_decay},
            {"params": [self.theta_logits], "weight_decay": theta_decay},
        ]

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return dict(GCN_SPACE)
