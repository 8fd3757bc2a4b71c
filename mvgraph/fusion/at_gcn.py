"""AT-GCN: specific and common graph convolutions under attention (Section 2.3.2, Eq. 4-6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mvgraph.errors import UserError
from mvgraph.fusion.base import NetworkMethod, Tags
from mvgraph.fusion.layers import ConvolutionStack, FeatureAttention, check_hidden
from mvgraph.fusion.search import GCN_SPACE, Choice, Distribution
from mvgraph.graph.propagation import Propagation

#: Name of the common feature beside the views' names in the attention weights.
COMMON = "common"


class ATGCN(NetworkMethod):
    r"""Each view's own GCN, one GCN shared by all views on top of it, and an attention over the results.

    .. math::

        H_v^{(t+1)} = \mathrm{ReLU}(\tilde L_v H_v^{(t)} W_v^{(t)}), \; H_v^{(0)} = X_v \quad (4)

        Z_v^{(t+1)} = \mathrm{ReLU}(\tilde L_v Z_v^{(t)} W_c^{(t)}), \; Z_v^{(0)} = H_v^{(T_s)} \quad (5)

        Z_c = \frac1V \sum_v Z_v^{(T_c)} \quad (6)

    The attention scores the V specific features H_v^(T_s) and the common one Z_c of every node with one shared
    layer; their weighted sum goes into the classifier. Views may differ in width.

    Args:
        view_dims: view -> d_v.
        n_classes: C.
        hidden: units of the T_s specific layers (SpGC).
        common_hidden: units of the T_c common layers (CoGC); None takes `hidden`. Both stacks must end in the
            same width.
        attention_hidden: None for one shared Linear(d, 1), which fits the published 182k parameters;
            16 gives AM-GCN's two-layer scorer.
        dropout, bias, activate_last, dropout_layers: as in DM-GCN, in every stack.
        graph_views: names of the graph's views where they are not those of `view_dims` (a fused graph beside
            them); `fit` sets it.

    Raises:
        UserError: the two stacks end in different widths.

    Shapes:
        forward: `Propagation` over V views -> logits (rows, C).
    """

    name = "at-gcn"
    title = "AT-GCN"
    paper = "Lei & Chen, Audio-Visual Scene Classification Based on Multi-modal Graph Fusion, Eq. 4-6"
    tags = Tags(mixes_views=False)

    def __init__(
        self,
        view_dims: Mapping[str, int],
        n_classes: int,
        *,
        hidden: Sequence[int] = (256, 128),
        common_hidden: Sequence[int] | None = None,
        attention_hidden: int | None = None,
        dropout: float = 0.5,
        bias: bool = True,
        activate_last: bool = True,
        dropout_layers: str = "first",
        graph_views: Sequence[str] | None = None,
    ) -> None:
        super().__init__(view_dims, n_classes, graph_views)
        check_hidden(hidden)
        if common_hidden is not None:
            check_hidden(common_hidden, "common_hidden")
        self.hidden, self.dropout, self.bias = tuple(hidden), dropout, bias
        self.common_hidden = tuple(common_hidden) if common_hidden is not None else None
        self.attention_hidden = attention_hidden
        self.activate_last, self.dropout_layers = activate_last, dropout_layers
        common_widths = self.common_hidden or self.hidden
        if common_widths[-1] != self.hidden[-1]:
            raise UserError(
                f"at-gcn: hidden ends in {self.hidden[-1]} and common_hidden in {common_widths[-1]}; "
                "the attention needs the same width at the end of both."
            )
        options: dict[str, Any] = {
            "dropout": dropout,
            "bias": bias,
            "activate_last": activate_last,
            "dropout_layers": dropout_layers,
        }
        self.specific = nn.ModuleList(
            ConvolutionStack((width, *hidden), **options) for width in self.input_widths.values()
        )
        self.common = ConvolutionStack((self.hidden[-1], *common_widths), **options)
        self.attention = FeatureAttention(self.hidden[-1], attention_hidden)
        self.classifier = nn.Linear(self.hidden[-1], n_classes)

    @property
    def n_layers(self) -> int:
        return len(self.hidden) + len(self.common_hidden or self.hidden)

    def forward(self, p: Propagation) -> Tensor:
        stacked = self.stacked_features(p)
        weights = self.attention(stacked)
        return self.classifier((weights.unsqueeze(-1) * stacked).sum(dim=1))

    def stacked_features(self, p: Propagation) -> Tensor:
        """Specific features of every view, then the common one: (rows, V + 1, d)."""
        n_specific = len(self.hidden)
        specific, common = [], []
        for view, stack in zip(self.input_widths, self.specific, strict=True):
            h = stack(p, view, p.features(view))[-1]
            specific.append(p.select(h, n_specific, self.n_layers, view))
            common.append(self.common(p, view, h, first_layer=n_specific + 1)[-1])
        z = torch.stack(common).mean(dim=0)
        return torch.stack([*specific, z], dim=1)

    def diagnostics(self, p: Propagation) -> dict[str, Any]:
        means = self.attention(self.stacked_features(p)).mean(dim=0).tolist()
        return {"attention": dict(zip((*self.input_widths, COMMON), means, strict=True))}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {**GCN_SPACE, "attention_hidden": Choice((None, 16))}
