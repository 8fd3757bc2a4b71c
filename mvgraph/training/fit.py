"""Fit one method on one data set and split."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.data.split import PARTS
from mvgraph.errors import UserError
from mvgraph.fusion import EstimatorMethod, Method, check_options, create
from mvgraph.graph import MultiViewGraph, build_graph
from mvgraph.registry import MethodSpec, apply_control, resolve_method
from mvgraph.training.loop import train_network
from mvgraph.training.options import TrainingOptions
from mvgraph.training.reorder import by_locality
from mvgraph.training.result import FitResult, Selection


def fit(
    method: str | type[Method],
    data: MultiViewData,
    split: Split,
    graph: MultiViewGraph | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    training: TrainingOptions | Mapping[str, Any] | None = None,
    seed: int = 0,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> FitResult:
    """Fit `method` on the training rows of `split` and predict every row.

    Args:
        method: registered name (`dm-gcn`, `pyg:GATConv`, `dm-gcn@identity`), `module:Class`, or a class.
        data: N samples in V views, scaled as wanted.
        split: training, validation and test rows.
        graph: one adjacency per view; None builds the default one (k = 10, Eq. 1) if the method uses it.
        options: the method's own options.
        training: how a network is trained; ignored by methods that fit themselves.
        seed: of initial weights, dropout and controls. The same seed gives the same numbers on a CPU.
        on_epoch: called after each evaluation with the epoch and its figures; an exception it raises ends
            the fit (that is how a search prunes).

    Returns:
        The fitted method with probabilities, curves and costs.

    Raises:
        UserError: unknown method or option, or graph and data do not belong together.
    """
    spec = resolve_method(method)
    if not (isinstance(spec.cls, type) and issubclass(spec.cls, Method)):
        raise UserError(f"'{spec.name}' is neither a NetworkMethod nor an EstimatorMethod of mvgraph.fusion.")
    _check_split(data, split)
    if isinstance(training, Mapping) or training is None:
        training = TrainingOptions.from_mapping(training or {})
    graph = _graph_for(spec, data, split, graph, seed)
    if issubclass(spec.cls, EstimatorMethod):
        return _fit_estimator(spec, data, split, graph, dict(options or {}), seed)
    options = dict(options or {})
    if graph is not None and graph.view_names != data.view_names and "graph_views" in spec.cls.defaults():
        options["graph_views"] = options.get("graph_views") or graph.view_names
    model = create(method, data, seed=seed, **options)
    if graph is not None and training.reorders(graph.n_nodes):
        numbering = by_locality(graph)
        result = train_network(
            spec.name,
            model,
            numbering.data(data),
            numbering.split(split),
            numbering.graph(graph),
            training,
            seed,
            on_epoch,
        )
        return numbering.undo(result)
    return train_network(spec.name, model, data, split, graph, training, seed, on_epoch)


def _check_split(data: MultiViewData, split: Split) -> None:
    for part in PARTS:
        rows = getattr(split, part)
        if len(rows) and int(rows[-1]) >= data.n_samples:
            raise UserError(
                f"The {part} part of the split names row {int(rows[-1])}, but the data has {data.n_samples} "
                "samples; make the split from this data."
            )
        unlabelled = rows[data.labels[rows] < 0]
        if len(unlabelled):
            raise UserError(
                f"Row {int(unlabelled[0])} stands in the {part} part of the split, but has no label; unlabelled "
                "rows belong in no part."
            )


def _graph_for(
    spec: MethodSpec, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
) -> MultiViewGraph | None:
    if not spec.cls.tags.uses_graph:
        if spec.control is not None:
            raise UserError(
                f"'{spec.name}': {spec.cls.name} uses no graph, so a control has nothing to change."
            )
        return graph
    graph = graph if graph is not None else build_graph(data)
    if graph.n_nodes != data.n_samples:
        raise UserError(
            f"The graph has {graph.n_nodes} nodes, the data {data.n_samples} samples; build it from this data."
        )
    missing = sorted(set(data.view_names) - set(graph.view_names))
    if missing:
        raise UserError(
            f"The graph has no adjacency for view '{missing[0]}'; it has {', '.join(graph.view_names)}."
        )
    if spec.control is None:
        return graph
    changed: MultiViewGraph = apply_control(spec.control, graph, seed, data=data, split=split)
    return changed


def _fit_estimator(
    spec: MethodSpec,
    data: MultiViewData,
    split: Split,
    graph: MultiViewGraph | None,
    options: dict[str, Any],
    seed: int,
) -> FitResult:
    model: EstimatorMethod = spec.cls(**check_options(spec, options))
    if graph is not None:
        graph = model.prepare(graph)
    start = time.perf_counter()
    model.fit(data, split, graph, seed)
    trained = time.perf_counter()
    probabilities = np.ascontiguousarray(model.predict_proba(), dtype=np.float32)
    done = time.perf_counter()
    if probabilities.shape != (data.n_samples, data.n_classes):
        raise UserError(
            f"'{spec.name}' returned probabilities of shape {probabilities.shape}; "
            f"right is ({data.n_samples}, {data.n_classes})."
        )
    chosen = Selection(0, probabilities)
    return FitResult(
        method=spec.name,
        model=model,
        options=model.get_options(),
        view_dims=data.view_dims,
        classes=data.classes,
        selections={"last": chosen, "validation": chosen},
        curves={},
        parameters=model.parameter_count(),
        seconds={"training": trained - start, "inference": done - trained},
        peak_memory_mib={"device": None},
        diagnostics=model.diagnostics(),
        seed=seed,
    )
