"""`pyg:<Conv>`: any convolution of `torch_geometric.nn` as the encoder of each view."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from mvgraph.errors import UserError
from mvgraph.fusion.base import NetworkMethod, Tags
from mvgraph.fusion.dropout import Dropout
from mvgraph.fusion.layers import FeatureAttention, check_choice, check_hidden, check_rate
from mvgraph.fusion.search import GCN_SPACE, Choice, Distribution
from mvgraph.graph.propagation import Propagation

#: Arguments without which a convolution of torch_geometric cannot be made; smallest sensible values.
REQUIRED_ARGUMENTS: dict[str, Any] = {"K": 2, "num_relations": 1, "heads": 1, "kernel_size": 3, "dim": 1}


class PyGFusion(NetworkMethod):
    r"""One stack of convolutions a view, fused by mean, concatenation or attention.

    .. math::

        H_v^{(t+1)} = \mathrm{ReLU}(\mathrm{Conv}_v^{(t)}(H_v^{(t)}, E_v)), \quad H_v^{(0)} = X_v

    Args:
        view_dims: view -> d_v.
        n_classes: C.
        conv: name of a class in `torch_geometric.nn`, e.g. "GATConv"; `pyg:GATConv` sets it in a suite.
        conv_options: further arguments of the convolution, e.g. {"K": 3} for ChebConv.
        fusion: how the views' features are joined: "mean", "concat" or "attention".
        hidden: output width of each convolution.
        dropout: rate on the output of each stack's first convolution.
        graph_views: names of the graph's views where they are not those of `view_dims` (a fused graph beside
            them); `fit` sets it.

    Raises:
        UserError: no such convolution, or it cannot be made from (in, out) and `conv_options`.

    Shapes:
        forward: `Propagation` over V views -> logits (rows, C).
    """

    name = "pyg"
    title = "PyG convolution per view"
    paper = "Fey & Lenssen 2019 (PyTorch Geometric); the convolution's own paper stands in its documentation"
    tags = Tags(mixes_views=False, full_graph=True)
    family_option = "conv"

    def __init__(
        self,
        view_dims: Mapping[str, int],
        n_classes: int,
        *,
        conv: str = "GCNConv",
        conv_options: Mapping[str, Any] | None = None,
        fusion: str = "mean",
        hidden: Sequence[int] = (256, 128),
        dropout: float = 0.5,
        graph_views: Sequence[str] | None = None,
    ) -> None:
        super().__init__(view_dims, n_classes, graph_views)
        check_choice("fusion", fusion, ("mean", "concat", "attention"))
        check_hidden(hidden)
        self.conv, self.fusion, self.hidden, self.dropout = conv, fusion, tuple(hidden), dropout
        self.conv_options = dict(conv_options) if conv_options else None
        cls = find_convolution(conv)
        self.stacks = nn.ModuleList(
            nn.ModuleList(
                make_convolution(cls, a, b, self.conv_options or {})
                for a, b in zip((width, *hidden[:-1]), hidden, strict=True)
            )
            for width in self.input_widths.values()
        )
        self.drop = Dropout(check_rate(dropout))
        self.attention = FeatureAttention(self.hidden[-1]) if fusion == "attention" else None
        n_joined = len(self.input_widths) if fusion == "concat" else 1
        self.classifier = nn.Linear(n_joined * self.hidden[-1], n_classes)
        self._weighted = "edge_weight" in inspect.signature(cls.forward).parameters

    @property
    def n_layers(self) -> int:
        return len(self.hidden)

    def forward(self, p: Propagation) -> Tensor:
        stacked = self.view_features(p)
        if self.fusion == "concat":
            return self.classifier(stacked.flatten(1))
        if self.attention is not None:
            return self.classifier((self.attention(stacked).unsqueeze(-1) * stacked).sum(dim=1))
        return self.classifier(stacked.mean(dim=1))

    def view_features(self, p: Propagation) -> Tensor:
        """Every view's features: (rows, V, d)."""
        features = []
        for view, stack in zip(self.input_widths, self.stacks, strict=True):
            h = p.features(view).value
            edges = p.graph.edge_index(view)
            weights = {"edge_weight": p.graph.edge_weight(view).to(h.dtype)} if self._weighted else {}
            for index, conv in enumerate(cast(nn.ModuleList, stack)):
                h = torch.relu(conv(h, edges, **weights))
                if index == 0:
                    h = self.drop(h)
            features.append(h)
        return torch.stack(features, dim=1)

    def diagnostics(self, p: Propagation) -> dict[str, Any]:
        if self.attention is None:
            return {}
        means = self.attention(self.view_features(p)).mean(dim=0).tolist()
        return {"attention": dict(zip(self.input_widths, means, strict=True))}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {**GCN_SPACE, "fusion": Choice(("mean", "concat", "attention"))}


def find_convolution(name: str) -> type[nn.Module]:
    """The class `torch_geometric.nn.<name>`.

    Raises:
        UserError: torch_geometric is not installed, or has no such convolution.
    """
    try:
        import torch_geometric.nn as pyg
    except ImportError as error:
        raise UserError(f"pyg:{name} needs torch-geometric: pip install 'mvgraph[bench]'.") from error
    cls = getattr(pyg, name, None)
    if not (inspect.isclass(cls) and issubclass(cls, nn.Module) and name.endswith("Conv")):
        known = [n for n in dir(pyg) if n.endswith("Conv")]
        near = difflib.get_close_matches(name, known, n=3) or known[:5]
        raise UserError(f"torch_geometric.nn has no convolution '{name}'; did you mean {', '.join(near)}?")
    return cls


def make_convolution(
    cls: type[nn.Module], width_in: int, width_out: int, options: Mapping[str, Any]
) -> nn.Module:
    """`cls(in, out, ...)`; a convolution that wraps a network (`nn`) gets a two-layer one.

    Raises:
        UserError: the convolution asks for arguments that neither we nor `options` give.
    """
    parameters = inspect.signature(cls.__init__).parameters
    required = [n for n, parameter in parameters.items() if parameter.default is inspect.Parameter.empty]
    given = {name: value for name, value in REQUIRED_ARGUMENTS.items() if name in required}
    given.update(options)
    try:
        if "nn" in parameters and "in_channels" not in parameters:
            network = nn.Sequential(
                nn.Linear(width_in, width_out), nn.ReLU(), nn.Linear(width_out, width_out)
            )
            return cls(network, **given)
        return cls(width_in, width_out, **given)
    except TypeError as error:
        raise UserError(
            f"{cls.__name__} cannot be made from an input and an output width: {error}; "
            "give what it needs through conv_options."
        ) from error
