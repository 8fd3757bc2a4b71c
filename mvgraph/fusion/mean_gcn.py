"""Mean-GCN: a GCN on the mean of the views' adjacencies (Section 3.3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mvgraph.fusion.base import NetworkMethod
from mvgraph.fusion.layers import ConvolutionStack, check_choice, check_hidden, concatenate_levels
from mvgraph.fusion.search import GCN_SPACE, Distribution
from mvgraph.graph import MultiViewGraph
from mvgraph.graph.propagation import Constant, Propagation


class MeanGCN(NetworkMethod):
    r"""DM-GCN's control: the same network on a fixed mean instead of learned weights.

    .. math::

        A = \frac1V \sum_v A_v, \qquad
        H^{(t+1)} = \mathrm{ReLU}(\tilde D^{-1/2} \tilde A \tilde D^{-1/2} H^{(t)} W^{(t)} + b^{(t)})

    Args:
        view_dims: view -> d_v.
        n_classes: C.
        hidden, dropout, bias, activate_last, dropout_layers: as in DM-GCN.
        average: "adjacency" averages the unnormalised adjacencies and normalises the mean, as published;
            "laplacian" averages the views' normalised Laplacians, which is DM-GCN with theta = 1/V.

    Shapes:
        forward: `Propagation` over V views (or over the mean) -> logits (rows, C).
    """

    name = "mean-gcn"
    title = "Mean-GCN"
    paper = "Lei & Chen, Audio-Visual Scene Classification Based on Multi-modal Graph Fusion, Section 3.3.2"

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
        average: str = "adjacency",
    ) -> None:
        super().__init__(view_dims, n_classes)
        check_choice("average", average, ("adjacency", "laplacian"))
        check_hidden(hidden)
        self.hidden, self.dropout, self.bias = tuple(hidden), dropout, bias
        self.activate_last, self.dropout_layers, self.average = activate_last, dropout_layers, average
        self.stack = ConvolutionStack(
            (sum(self.view_dims.values()), *hidden),
            dropout=dropout,
            bias=bias,
            activate_last=activate_last,
            dropout_layers=dropout_layers,
        )
        self.classifier = nn.Linear(sum(hidden), n_classes)

    @property
    def n_layers(self) -> int:
        return len(self.hidden)

    def prepare(self, graph: MultiViewGraph) -> MultiViewGraph:
        return graph.mean() if self.average == "adjacency" else graph

    def forward(self, p: Propagation) -> Tensor:
        uniform = torch.full(
            (len(p.view_names),), 1.0 / len(p.view_names), dtype=self.classifier.weight.dtype
        ).to(self.classifier.weight.device)
        h: Tensor | Constant = p.concatenated()
        outputs: list[Tensor] = []
        for index, layer in enumerate(self.stack.convolutions):
            if len(p.view_names) == 1:
                convolved = p.product(index + 1, p.view_names[0], h, layer.weight)
            else:
                convolved = p.mixture(index + 1, uniform, h, layer.weight)
            h = self.stack.finish(index, layer.shift(convolved))
            outputs.append(h)
        return self.classifier(concatenate_levels(p, outputs))

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return dict(GCN_SPACE)
