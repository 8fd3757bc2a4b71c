"""Mistakes of a suite that would end every cell of a method, found while planning instead: one sentence each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from mvgraph import registry
from mvgraph.bench.resolve import ResolvedMethod
from mvgraph.errors import UserError
from mvgraph.fusion import NetworkMethod, create
from mvgraph.graph import GraphSettings, MultiViewGraph
from mvgraph.graph.csr import CSR
from mvgraph.graph.knn import check_k
from mvgraph.training.loop import find_device
from mvgraph.training.options import TrainingOptions

if TYPE_CHECKING:
    from mvgraph.data import MultiViewData, Split


class Problems:
    """Sentences about data sets, each once, with the methods that it concerns."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[str]] = {}

    def collect(self, dataset: str, label: str, checks: Iterable[Callable[[], object]]) -> None:
        """Run checks and keep what they refuse."""
        for check in checks:
            try:
                check()
            except UserError as error:
                labels = self._found.setdefault((dataset, str(error).rstrip(".")), [])
                labels.extend([label] * (label not in labels))

    def any_of(self, dataset: str) -> bool:
        """Whether something was found about a data set."""
        return any(known == dataset for known, _ in self._found)

    def refuse(self) -> None:
        """End the planning if anything was found.

        Raises:
            UserError: all that was found, a sentence each.
        """
        if self._found:
            raise UserError(
                " ".join(
                    f"'{dataset}', {', '.join(labels)}: {sentence}."
                    for (dataset, sentence), labels in self._found.items()
                )
            )


def checks_of(method: ResolvedMethod, data: MultiViewData, split: Split) -> list[Callable[[], object]]:
    """What can be tried without a graph and without training; each raises `UserError` where a fit would.

    Args:
        method: with its settings; data, split: the data set and the first of its splits.
    """
    checks: list[Callable[[], object]] = []
    graph = method.graph
    if graph is not None:
        checks.append(lambda: _check_neighbours(graph, data))
    training = method.training
    if training is not None:
        checks.append(lambda: find_device(str(training["device"])))
    checks.append(lambda: _make(method, data))
    if method.control is not None:
        checks.append(lambda: _apply_control(method, data, split))
    return checks


def _check_neighbours(settings: Mapping[str, Any], data: MultiViewData) -> None:
    """k of every view against the rows that have it."""
    made = GraphSettings.from_json(settings)
    made.check_views(data.view_names, data.graphs)
    for column, view in enumerate(data.view_names):
        if view in data.graphs:
            continue
        check_k(made.k_of(view), int(data.observed[:, column].sum()), f"view '{view}'")


def _graph_views(method: ResolvedMethod, data: MultiViewData) -> tuple[str, ...]:
    fused = None if method.graph is None else method.graph.get("fused")
    return tuple(sorted({*data.view_names, *([fused] if fused else [])}))


def _make(method: ResolvedMethod, data: MultiViewData) -> None:
    """The method with its options, as a fit makes it."""
    options = dict(method.options)
    views = _graph_views(method, data)
    if views != data.view_names and "graph_views" in method.cls.defaults():
        options["graph_views"] = options.get("graph_views") or views
    made = create(method.cls, data, **options)
    if isinstance(made, NetworkMethod) and method.training is not None:
        training = TrainingOptions.from_mapping(method.training)
        if training.fan_out is not None:
            training.fan_out_of(made.n_layers)


def _apply_control(method: ResolvedMethod, data: MultiViewData, split: Split) -> None:
    """The control on a graph without edges: what it needs of the data it needs there too."""
    empty = CSR.empty(data.n_samples, data.n_samples, dtype=torch.float32)
    graph = MultiViewGraph(dict.fromkeys(_graph_views(method, data), empty))
    registry.apply_control(str(method.control), graph, 0, data=data, split=split)
