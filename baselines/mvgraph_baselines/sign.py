"""SIGN: propagated features of several hops, computed once, into a perceptron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mvgraph.errors import UserError
from mvgraph.fusion import Choice, Distribution, Float, Int, NetworkMethod
from mvgraph.fusion.layers import check_hidden, check_rate
from mvgraph.graph.propagation import Propagation


class SIGN(NetworkMethod):
    r"""Every view's embeddings after 0, 1, ..., r steps of propagation, side by side into one perceptron.

    .. math::

        Z = \sigma\big([\, X_v \Theta_{v,0}, \; L_v X_v \Theta_{v,1}, \; \dots, \; L_v^r X_v \Theta_{v,r} \,]_v\big),
        \qquad Y = \mathrm{softmax}(Z \Omega)

    L_v is the normalised Laplacian of Eq. 2 of view v. The propagated features are constant, so that training
    is that of a perceptron and needs no neighbours: SIGN(r, 0, 0) of the paper, one set of operators a view.

    Args:
        view_dims: view -> d_v.
        n_classes: C.
        hops: r; 0 reads no graph.
        hidden: units of each Theta.
        dropout: rate on Z.
        graph_views: names of the graph's views where they are not those of `view_dims` (a fused graph beside
            them); `fit` sets it.

    Raises:
        UserError: hops below 0.

    Shapes:
        forward: `Propagation` over V views -> logits (rows, C).
    """

    name = "sign"
    title = "SIGN per view"
    paper = "Frasca et al. 2020, SIGN: Scalable Inception Graph Neural Networks, Eq. 4"

    def __init__(
        self,
        view_dims: Mapping[str, int],
        n_classes: int,
        *,
        hops: int = 2,
        hidden: int = 64,
        dropout: float = 0.5,
        graph_views: Sequence[str] | None = None,
    ) -> None:
        super().__init__(view_dims, n_classes, graph_views)
        if hops < 0 or int(hops) != hops:
            raise UserError(f"sign: hops={hops}; give a whole number of at least 0.")
        check_hidden((hidden,))
        check_rate(dropout)
        self.hops, self.hidden, self.dropout = int(hops), hidden, dropout
        self.transforms = nn.ModuleList(
            nn.Linear(width, hidden) for width in self.input_widths.values() for _ in range(hops + 1)
        )
        self.drop = nn.Dropout(dropout)
        self.classifier = nn.Linear(len(self.transforms) * hidden, n_classes)

    def forward(self, p: Propagation) -> Tensor:
        steps = [(view, hop) for view in self.input_widths for hop in range(self.hops + 1)]
        branches = [
            transform(p.select(p.propagated(view, hop), 0, 0))
            for (view, hop), transform in zip(steps, self.transforms, strict=True)
        ]
        return self.classifier(self.drop(torch.relu(torch.cat(branches, dim=1))))

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {
            "lr": Float(1e-4, 3e-2, log=True),
            "weight_decay": Float(1e-6, 1e-2, log=True),
            "hops": Int(1, 4),
            "hidden": Choice((32, 64, 128)),
            "dropout": Float(0.0, 0.8),
        }
