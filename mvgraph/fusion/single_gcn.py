"""The single-view GCN of Table 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from mvgraph.errors import UserError
from mvgraph.fusion.base import NetworkMethod, Tags
from mvgraph.fusion.layers import ConvolutionStack, check_hidden, concatenate_levels
from mvgraph.fusion.search import GCN_SPACE, Choice, Distribution
from mvgraph.graph import MultiViewGraph
from mvgraph.graph.propagation import Propagation


class SingleGCN(NetworkMethod):
    r"""A GCN on one view's graph and embeddings, the layers' outputs side by side into one classifier.

    .. math::

        H_v^{(t+1)} = \mathrm{ReLU}(\tilde D_v^{-1/2} \tilde A_v \tilde D_v^{-1/2} H_v^{(t)} W_v^{(t)} + b_v^{(t)}),
        \quad H_v^{(0)} = X_v

    Args:
        view_dims: view -> d_v.
        n_classes: C.
        view: the view to use; may be left out when there is only one. `single-gcn:audio` sets it in a suite.
        hidden: units of each layer; 128 and 128 in Section 3.3.1.
        dropout, bias, activate_last, dropout_layers: as in DM-GCN.
        graph_views: names of the graph's views where they are not those of `view_dims` (a fused graph beside
            them: `view` may name it); `fit` sets it.

    Raises:
        UserError: several views and none named, or an unknown view.

    Shapes:
        forward: `Propagation` -> logits (rows, C).
    """

    name = "single-gcn"
    title = "single-view GCN"
    paper = (
        "Lei & Chen, Audio-Visual Scene Classification Based on Multi-modal Graph Fusion, Section 3.3.1; "
        "Kipf & Welling 2017"
    )
    tags = Tags(mixes_views=False)
    family_option = "view"

    def __init__(
        self,
        view_dims: Mapping[str, int],
        n_classes: int,
        *,
        view: str | None = None,
        hidden: Sequence[int] = (128, 128),
        dropout: float = 0.5,
        bias: bool = True,
        activate_last: bool = True,
        dropout_layers: str = "first",
        graph_views: Sequence[str] | None = None,
    ) -> None:
        super().__init__(view_dims, n_classes, graph_views)
        names = ", ".join(self.input_widths)
        if view is None and len(self.view_dims) > 1:
            raise UserError(
                f"single-gcn uses one view: name one of {names}, e.g. single-gcn:{self.view_names[0]}."
            )
        self.view = view if view is not None else self.view_names[0]
        if self.view not in self.input_widths:
            raise UserError(f"single-gcn: there is no view '{self.view}'; the views are {names}.")
        check_hidden(hidden)
        self.hidden, self.dropout, self.bias = tuple(hidden), dropout, bias
        self.activate_last, self.dropout_layers = activate_last, dropout_layers
        self.stack = ConvolutionStack(
            (self.input_widths[self.view], *hidden),
            dropout=dropout,
            bias=bias,
            activate_last=activate_last,
            dropout_layers=dropout_layers,
        )
        self.classifier = nn.Linear(sum(hidden), n_classes)

    @classmethod
    def contract_options(cls, view_names: tuple[str, ...]) -> dict[str, Any]:
        return {"view": view_names[0]}

    @property
    def n_layers(self) -> int:
        return len(self.hidden)

    def prepare(self, graph: MultiViewGraph) -> MultiViewGraph:
        return graph.select([self.view])

    def forward(self, p: Propagation) -> Tensor:
        outputs = self.stack(p, self.view, p.features(self.view))
        return self.classifier(concatenate_levels(p, outputs, self.view))

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {**GCN_SPACE, "hidden": Choice(((128, 128), (64, 64), (256, 128)))}
