"""What two methods share: a graph convolution's parameters, a stack of them, an attention over features."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from mvgraph.errors import UserError
from mvgraph.fusion.dropout import Dropout
from mvgraph.graph.propagation import Constant, Propagation


class GraphConvolution(nn.Module):
    """Weight and bias of one graph convolution `L H W + b` (Kipf & Welling 2017).

    Glorot-uniform weight, zero bias, as in the reference code of [16].

    Shapes:
        weight: (in, out); bias: (out,).
    """

    def __init__(self, width_in: int, width_out: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width_in, width_out))
        self.bias = nn.Parameter(torch.zeros(width_out)) if bias else None
        bound = math.sqrt(6.0 / (width_in + width_out))
        nn.init.uniform_(self.weight, -bound, bound)

    def shift(self, h: Tensor) -> Tensor:
        """`h + b`; `h` is overwritten."""
        return h if self.bias is None else h.add_(self.bias)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, bias={self.bias is not None}"


class ConvolutionStack(nn.Module):
    """Graph convolutions on one view, ReLU between them: Eq. 4 and Eq. 5.

    Args:
        widths: input width, then the width of each layer.
        dropout: rate on the output of the first layer (of every layer with `dropout_layers="all"`).
        bias: biases in the convolutions.
        activate_last: ReLU after the last layer too, as Eq. 3-5 have it.
        dropout_layers: "first" or "all" (all but the last).

    Shapes:
        forward: (rows of level `first_layer - 1`, widths[0]) -> (rows of the last level, widths[-1]).
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        dropout: float = 0.5,
        bias: bool = True,
        activate_last: bool = True,
        dropout_layers: str = "first",
    ) -> None:
        super().__init__()
        check_hidden(widths[1:])
        check_choice("dropout_layers", dropout_layers, ("first", "all"))
        self.layers = nn.ModuleList(GraphConvolution(a, b, bias) for a, b in itertools.pairwise(widths))
        self.dropout = Dropout(check_rate(dropout))
        self.activate_last = activate_last
        self.dropout_layers = dropout_layers

    @property
    def convolutions(self) -> list[GraphConvolution]:
        """The convolutions in order."""
        return cast(list[GraphConvolution], list(self.layers))

    def finish(self, index: int, h: Tensor) -> Tensor:
        """Activation and dropout after the convolution number `index` (from 0); `h` is overwritten."""
        if self._activates(index) and self._drops(index):
            return self.dropout.after_relu(h)
        return self.drop(index, self.activate(index, h))

    def activate(self, index: int, h: Tensor) -> Tensor:
        """Activation after the convolution number `index`; `h` is overwritten."""
        return torch.relu_(h) if self._activates(index) else h

    def drop(self, index: int, h: Tensor) -> Tensor:
        """Dropout after the convolution number `index`; `h` stays as it is."""
        return self.dropout(h) if self._drops(index) else h

    def _activates(self, index: int) -> bool:
        return index < len(self.layers) - 1 or self.activate_last

    def _drops(self, index: int) -> bool:
        return index == 0 or (self.dropout_layers == "all" and index < len(self.layers) - 1)

    def forward(self, p: Propagation, view: str, h: Tensor | Constant, first_layer: int = 1) -> list[Tensor]:
        """The output of every layer, each on the rows of its own level."""
        outputs: list[Tensor] = []
        for index, layer in enumerate(self.convolutions):
            convolved = layer.shift(p.product(first_layer + index, view, h, layer.weight))
            h = self.finish(index, convolved)
            outputs.append(h)
        return outputs


class FeatureAttention(nn.Module):
    """Importance of each of several features of a node: one shared scorer, softmax over the features.

    Args:
        width: d.
        hidden: None scores with Linear(d, 1), which is what the paper's 182k parameters imply; a number
            gives Linear(d, hidden) - tanh - Linear(hidden, 1, no bias) as in AM-GCN (16 there).

    Shapes:
        forward: (rows, M, d) -> weights (rows, M), which sum to 1 over M.
    """

    def __init__(self, width: int, hidden: int | None = None) -> None:
        super().__init__()
        self.score: nn.Module
        if hidden is None:
            self.score = nn.Linear(width, 1)
        else:
            self.score = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False))

    def forward(self, stacked: Tensor) -> Tensor:
        return torch.softmax(self.score(stacked).squeeze(-1), dim=1)


def concatenate_levels(p: Propagation, outputs: Sequence[Tensor], view: str | None = None) -> Tensor:
    """Outputs of layers 1..T side by side on the rows of level T."""
    last = len(outputs)
    return torch.cat([p.select(h, t, last, view) for t, h in enumerate(outputs, start=1)], dim=1)


def check_hidden(hidden: Sequence[int], option: str = "hidden") -> None:
    """Raises UserError unless `hidden` is one or more positive widths."""
    widths = list(hidden) if isinstance(hidden, Sequence) and not isinstance(hidden, str) else None
    if not widths or any(not isinstance(width, int) or width < 1 for width in widths):
        raise UserError(f"{option}={hidden!r}: give one or more positive layer widths, e.g. [256, 128].")


def check_rate(dropout: float) -> float:
    """Raises UserError unless 0 <= dropout < 1."""
    if not 0.0 <= dropout < 1.0:
        raise UserError(f"dropout={dropout}: give a rate in [0, 1).")
    return float(dropout)


def check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Raises UserError unless `value` is one of `choices`."""
    if value not in choices:
        raise UserError(f"{option}='{value}': choose one of {', '.join(choices)}.")
