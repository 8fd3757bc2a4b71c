"""A method under test, together with everything a check does with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mvgraph.contract.synthetic import graph_of, split_of, tensors
from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import EstimatorMethod, Method, NetworkMethod, Tags, create
from mvgraph.graph import MultiViewGraph
from mvgraph.graph.propagation import Propagation
from mvgraph.registry import MethodSpec, apply_control, resolve_method
from mvgraph.training import FitResult, fit


@dataclass(frozen=True)
class MethodCase:
    """One method under test.

    Args:
        method: as a user would write it: registered name, `family:argument`, `name@control`, `module:Class`,
            or a class.

    Raises:
        UserError: unknown method, or an object that is no method at all.
    """

    method: str | type[Method]

    def __post_init__(self) -> None:
        cls = self.spec.cls
        if not (isinstance(cls, type) and issubclass(cls, NetworkMethod | EstimatorMethod)):
            raise UserError(
                f"'{self.spec.name}' is neither a NetworkMethod nor an EstimatorMethod of mvgraph.fusion."
            )

    @cached_property
    def spec(self) -> MethodSpec:
        return resolve_method(self.method)

    @property
    def cls(self) -> type[Method]:
        return self.spec.cls

    @property
    def tags(self) -> Tags:
        return self.cls.tags

    @property
    def is_network(self) -> bool:
        return issubclass(self.cls, NetworkMethod)

    @property
    def controlled(self) -> bool:
        """Whether a control stands between the data and the graph."""
        return self.spec.control is not None

    def options(self, view_names: tuple[str, ...], **more: Any) -> dict[str, Any]:
        """What the method needs to be made at all, and `more`."""
        needed = self.cls.contract_options(view_names)
        return {**{k: v for k, v in needed.items() if k not in self.spec.options}, **more}

    def create(self, data: MultiViewData, seed: int = 0, **options: Any) -> Any:
        """The method, not fitted."""
        return create(self.method, data, seed=seed, **self.options(data.view_names, **options))

    def fit(
        self,
        data: MultiViewData,
        split: Split | None = None,
        graph: MultiViewGraph | None = None,
        *,
        seed: int = 0,
        training: dict[str, Any] | None = None,
        **options: Any,
    ) -> FitResult:
        """The method fitted for four epochs (or as `training` says)."""
        return fit(
            self.method,
            data,
            split if split is not None else split_of(data),
            graph if graph is not None else graph_of(data),
            options=self.options(data.view_names, **options),
            training={"epochs": 4, "evaluate_every": 2, "lr": 5e-3, **(training or {})},
            seed=seed,
        )

    def propagation(
        self, model: NetworkMethod, data: MultiViewData, graph: MultiViewGraph, *, control: bool = True
    ) -> Propagation:
        """What the forward of `model` sees, in the precision of its weights.

        Args:
            control: whether the case's control changes the graph first.
        """
        dtype = next((p.dtype for p in model.parameters()), torch.float32)
        if control and self.spec.control is not None:
            graph = apply_control(self.spec.control, graph, 0, data=data, split=split_of(data))
        return Propagation(model.prepare(graph.to(dtype=dtype)), tensors(data, dtype))

    def logits(self, model: NetworkMethod, data: MultiViewData, graph: MultiViewGraph) -> Tensor:
        """Logits of all rows in evaluation mode, (N, C), without gradients."""
        model.eval()
        with torch.no_grad():
            return model(self.propagation(model, data, graph))
