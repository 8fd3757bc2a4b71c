"""What every method is: its name, source, capabilities, options and search space.

Two kinds exist. A `NetworkMethod` is a torch module whose forward reads like the method's equations; the
training room fits it. An `EstimatorMethod` fits itself (logistic regression, label spreading).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from torch import Tensor, nn

from mvgraph.errors import UserError
from mvgraph.fusion.search import Distribution
from mvgraph.graph import MultiViewGraph

if TYPE_CHECKING:
    from mvgraph.data import MultiViewData, Split
    from mvgraph.graph.propagation import Propagation


@dataclass(frozen=True)
class Tags:
    """Capabilities of a method; they decide which checks of the contract it gets.

    Args:
        uses_graph: reads the similarity graphs.
        transductive: needs the rows to be predicted at training time.
        inductive: can answer rows that were not there at training time.
        missing_views: takes data in which some rows lack some views.
        permutation_equivariant: renumbering the samples renumbers the output and changes nothing else.
        mixes_views: one propagation step reads several views' graphs, so that receptive fields are joint.
        full_graph: its propagation cannot be restricted to a receptive field.
        quadratic: holds tables of N x N, because what it computes is one; it refuses more rows than fit.
        informed: reads the rows it answers; a rate without information answers all alike.
    """

    uses_graph: bool = True
    transductive: bool = True
    inductive: bool = False
    missing_views: bool = True
    permutation_equivariant: bool = True
    mixes_views: bool = True
    full_graph: bool = False
    quadratic: bool = False
    informed: bool = True


@dataclass(frozen=True)
class NewRows:
    """Rows that were not there when a method was fitted, prepared like those that were.

    Args:
        views: view -> rows; what a row does not have holds zeros.
        observed: which row has which view, views in the order of their names.
        graph: the graph the method was fitted on with these rows attached: N + M nodes, the new ones last. Edges
            run from new rows to old ones only, so no old row's answer changes. None if the method uses none.

    Shapes:
        views[v]: (M, d_v) of the type of the rows of the fit; observed: (M, V) bool.
    """

    views: Mapping[str, np.ndarray]
    observed: np.ndarray
    graph: MultiViewGraph | None = None

    @property
    def n_rows(self) -> int:
        """M."""
        return len(self.observed)


class Method:
    """Base of all methods; not used directly."""

    #: Registered name.
    name: ClassVar[str] = ""
    #: A few words for tables.
    title: ClassVar[str] = ""
    #: Where it comes from: paper and equations.
    paper: ClassVar[str] = ""
    tags: ClassVar[Tags] = Tags()
    #: For families such as `pyg:<Conv>`: the option that the text after the colon sets.
    family_option: ClassVar[str | None] = None

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Options and their default values, JSON-able."""
        parameters = inspect.signature(cls.__init__).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}

    def get_options(self) -> dict[str, Any]:
        """The options this method was made with."""
        return {name: getattr(self, name) for name in self.defaults()}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        """Hyper-parameters worth searching; names are options of the method or of training."""
        return {}

    @classmethod
    def contract_options(cls, view_names: tuple[str, ...]) -> dict[str, Any]:
        """Options for checks that know nothing of the method: those without which it cannot be made, and those that
        make it small enough to be fitted dozens of times."""
        return {}

    def prepare(self, graph: MultiViewGraph) -> MultiViewGraph:
        """What the method does to the graph once, before any training."""
        return graph


class NetworkMethod(Method, nn.Module):
    """A method trained by gradient descent.

    Args:
        view_dims: view -> d_v, in the order of the views' names.
        n_classes: C.
        graph_views: names of the graph's views where they differ from the data's, such as when a fused graph
            stands beside them; None takes the data's. A method whose parameters depend on the number of
            graphs has an option of this name, which the training room fills in.

    Shapes:
        forward: a `Propagation` -> logits (rows of its last level, C).
    """

    def __init__(
        self, view_dims: Mapping[str, int], n_classes: int, graph_views: Sequence[str] | None = None
    ) -> None:
        nn.Module.__init__(self)
        self.view_dims = dict(sorted(view_dims.items()))
        self.n_classes = int(n_classes)
        self.graph_views = tuple(sorted(graph_views)) if graph_views is not None else None

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the views, sorted."""
        return tuple(self.view_dims)

    @property
    def input_widths(self) -> dict[str, int]:
        """Width of what enters the graph of each view: d_v, or the sum of all d_v for a graph that has no
        embeddings of its own (see `Propagation.features`)."""
        everything = sum(self.view_dims.values())
        return {view: self.view_dims.get(view, everything) for view in self.graph_views or self.view_dims}

    @property
    def n_layers(self) -> int:
        """Number of propagation steps between the input and the logits."""
        return 0

    def forward(self, p: Propagation) -> Tensor:
        """Logits (rows, C) on the last level of `p`."""
        raise NotImplementedError

    def calibrate(self, logits: Tensor, labels: Tensor) -> None:
        """Set what maps logits to probabilities, once training has ended; by default nothing is changed.

        Args:
            logits, labels: of the validation rows.

        Shapes:
            logits: (rows, C); labels: (rows,) int64.
        """

    def diagnostics(self, p: Propagation) -> dict[str, Any]:
        """What the fitted method can tell about itself, JSON-able: `theta`, `attention`."""
        return {}

    def theta(self) -> list[dict[str, float]]:
        """Learned view weights, one mapping per layer; empty when the method has none."""
        return []

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Parameter groups for the optimiser."""
        return [{"params": list(self.parameters()), "weight_decay": weight_decay}]

    def parameter_count(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


class EstimatorMethod(Method):
    """A method that fits itself and then knows the class probabilities of every row."""

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> EstimatorMethod:
        """Fit on the training rows of `split`; validation labels may choose, test labels are never read."""
        raise NotImplementedError

    def predict_proba(self) -> np.ndarray:
        """Class probabilities of all rows, (N, C) float32."""
        raise NotImplementedError

    def predict_new(self, rows: NewRows) -> np.ndarray:
        """Class probabilities of rows that were not there at the fit, (M, C); each row's depend on itself alone.

        Optional; a method tagged inductive has it. Best computed in float64, where it does not show how many
        rows a matrix product had.

        Raises:
            UserError: the method answers only for rows that it was fitted with.
        """
        raise UserError(
            f"'{self.name}' answers only for rows that were there when it was fitted; fit it on all rows, with "
            "the unknown ones unlabelled."
        )

    def parameter_count(self) -> int:
        """Number of fitted parameters; 0 when there are none."""
        raise NotImplementedError

    def diagnostics(self) -> dict[str, Any]:
        """What the fitted method can tell about itself, JSON-able."""
        return {}
