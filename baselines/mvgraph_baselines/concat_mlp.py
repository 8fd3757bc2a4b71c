"""Multi-layer perceptron on the concatenated views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from mvgraph.fusion import Choice, Distribution, Float, NetworkMethod, Tags
from mvgraph.fusion.layers import check_hidden, check_rate
from mvgraph.graph.propagation import Propagation


class ConcatMLP(NetworkMethod):
    """Early fusion without any graph: all embeddings side by side into a perceptron.

    Args:
        view_dims: view -> d_v.
        n_classes: C.
        hidden: units of the hidden layers.
        dropout: rate after each hidden layer.

    Shapes:
        forward: `Propagation` (its graph is not read) -> logits (N, C).
    """

    name = "concat-mlp"
    title = "MLP on concatenated views"
    paper = "Rumelhart, Hinton & Williams 1986; the early fusion of Wang et al. 2021 without its fixed widths"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(
        self,
        view_dims: Mapping[str, int],
        n_classes: int,
        *,
        hidden: Sequence[int] = (256, 128),
        dropout: float = 0.5,
    ) -> None:
        super().__init__(view_dims, n_classes)
        check_hidden(hidden)
        check_rate(dropout)
        self.hidden, self.dropout = tuple(hidden), dropout
        layers: list[nn.Module] = []
        width = sum(self.view_dims.values())
        for units in self.hidden:
            layers += [nn.Linear(width, units), nn.ReLU(), nn.Dropout(dropout)]
            width = units
        self.network = nn.Sequential(*layers, nn.Linear(width, n_classes))

    def forward(self, p: Propagation) -> Tensor:
        return self.network(p.inputs())

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {
            "lr": Float(1e-4, 3e-2, log=True),
            "weight_decay": Float(1e-6, 1e-2, log=True),
            "hidden": Choice(((256, 128), (128, 64), (512, 256))),
            "dropout": Float(0.0, 0.8),
        }
