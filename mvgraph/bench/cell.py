"""One cell, from its specification to its record: a pure function, in whatever order and process it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mvgraph.bench.audit import cell_audit, shared_group
from mvgraph.bench.canonical import finite
from mvgraph.bench.environment import environment, versions
from mvgraph.bench.limits import watched
from mvgraph.bench.material import Material
from mvgraph.bench.metrics import apart, part_metrics
from mvgraph.bench.plan import Cell
from mvgraph.errors import UserError
from mvgraph.registry import import_reference
from mvgraph.training.fit import fit

if TYPE_CHECKING:
    from mvgraph.data import MultiViewData, Split
    from mvgraph.training.result import FitResult

#: The search of a cell, by name: tuning is built on bench, so bench does not import it.
TUNER = "mvgraph.tuning.cell:choose"
#: (method, data, split, settings to start from, search) -> `chosen` settings and how they were found, JSON values.
Tuner = Callable[[str, "MultiViewData", "Split", Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
#: Parts whose probabilities and metrics are kept.
PARTS = ("validation", "test")
#: What a search may change.
SETTINGS = ("options", "training", "graph", "scaling")


@dataclass(frozen=True)
class Arrays:
    """What a cell leaves behind besides its record.

    Shapes:
        rows[part]: (n,) int64 row numbers; labels[part]: (n,) int64;
        probabilities[selection][part]: (n, C) float32.
    """

    classes: tuple[str, ...]
    rows: Mapping[str, NDArray[np.int64]]
    labels: Mapping[str, NDArray[np.int64]]
    probabilities: Mapping[str, Mapping[str, NDArray[np.float32]]]


def now() -> str:
    """UTC time in ISO form, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def run_cell(
    cell: Cell, material: Material | None = None, tuner: Tuner | None = None
) -> tuple[dict[str, Any], Arrays]:
    """Run one cell: read, search where the cell asks for it, build, fit, judge.

    Seconds: `data` (reading and scaling) and `graph` (building) are what making them took, even where another
    cell made them first, and so is `tuning` where there is a search; `training` and `inference` come from the
    fit; `total` is all a cell would have taken alone, `cell` the wall time it took here.

    Args:
        cell: what to run.
        material: data, graphs and searches shared with other cells; a fresh one gives the same numbers.
        tuner: searches settings on the training and validation rows, by default that of `mvgraph.tuning`.
    Returns:
        The record, strict JSON values, and the arrays.
    Raises:
        UserError: the data changed since planning, or method and data do not fit.
        TimeLimit, MemoryLimit: a limit of the cell was passed.
    """
    material = material or Material()
    started = now()
    with watched(cell.limits.get("seconds"), cell.limits.get("memory_mib")) as usage:
        begun = time.perf_counter()
        plain = material.data(cell.source, cell.views)
        material.check(plain, cell.fingerprint)
        arguments = cell.split["arguments"]
        split = material.splits(cell.source, cell.views, cell.split["scheme"], arguments)[cell.split["index"]]
        if split.hash != cell.split["hash"]:
            raise UserError(
                f"Split {cell.split['index']} of '{cell.dataset}' is not the one that was planned."
            )
        method = cell.method if cell.control is None else f"{cell.method}@{cell.control}"
        chosen: Mapping[str, Any] = {name: getattr(cell, name) for name in SETTINGS}
        search, search_seconds = None, 0.0
        if cell.tune is not None:
            search, search_seconds = _search(cell, method, plain, split, material, tuner)
            chosen = search["chosen"]
        scaling = chosen["scaling"]
        data, data_seconds = material.scaled(cell.source, cell.views, scaling, split)
        graph, graph_seconds = None, 0.0
        if chosen["graph"] is not None:
            graph, graph_seconds = material.graph(cell.source, cell.views, scaling, split, chosen["graph"])
        ready = time.perf_counter()
        result = fit(
            method,
            data,
            split,
            graph,
            options=chosen["options"],
            training=chosen["training"],
            seed=cell.seed,
        )
        rows = {part: np.asarray(getattr(split, part), dtype=np.int64) for part in PARTS}
        labels = {part: np.asarray(data.labels[rows[part]], dtype=np.int64) for part in PARTS}
        probabilities = {
            selection: {part: np.asarray(chosen.probabilities[rows[part]], np.float32) for part in PARTS}
            for selection, chosen in result.selections.items()
        }
        metrics: dict[str, Any] = {
            selection: {part: part_metrics(parts[part], labels[part]) for part in PARTS}
            for selection, parts in probabilities.items()
        }
        if not data.observed.all():
            complete = np.asarray(data.observed.all(axis=1), dtype=np.bool_)
            for selection, parts in probabilities.items():
                for part in PARTS:
                    metrics[selection][part] |= apart(parts[part], labels[part], complete[rows[part]])
        metrics["oracle"] = {"test": oracle(result.curves, metrics["last"]["test"]["accuracy"])}
        own = time.perf_counter() - ready
    figures = None
    if graph is not None and cell.control is None and shared_group(data) is not None:
        figures = material.audit(cell.source, cell.views, scaling, split, chosen["graph"])
    tested = {selection: parts["test"] for selection, parts in probabilities.items()}
    audit = cell_audit(data, split, tested, figures)
    record = {
        "cell": cell.to_json(),
        "status": "done",
        "started": started,
        "seconds": {
            "data": data_seconds,
            "graph": graph_seconds,
            "training": float(result.seconds["training"]),
            "inference": float(result.seconds["inference"]),
            **({} if search is None else {"tuning": search_seconds}),
            "total": data_seconds + graph_seconds + search_seconds + own,
            "cell": own + ready - begun,
        },
        **({} if search is None else {"tuning": search}),
        **({} if audit is None else {"audit": audit}),
        "parameters": int(result.parameters),
        "peak_memory_mib": usage.memory_json(),
        "metrics": metrics,
        "selected_epoch": _epochs(result),
        "curves": dict(result.curves),
        "diagnostics": dict(result.diagnostics),
        "environment": environment(),
        "versions": versions(),
    }
    return finite(record), Arrays(tuple(data.classes), rows, labels, probabilities)


def _search(
    cell: Cell, method: str, data: MultiViewData, split: Split, material: Material, tuner: Tuner | None
) -> tuple[dict[str, Any], float]:
    """What the search of a cell chose, and the seconds it took; cells that differ in the seed share it."""
    base = {name: getattr(cell, name) for name in SETTINGS}
    key = [cell.source, cell.fingerprint, sorted(cell.views), method, base, split.hash, cell.tune]

    def run() -> dict[str, Any]:
        found: Tuner = tuner if tuner is not None else import_reference(TUNER)
        assert cell.tune is not None
        return found(method, data, split, base, cell.tune)

    return material.search(key, run)


def _epochs(result: FitResult) -> dict[str, int | None]:
    """Epoch of each selection; None for a method without epochs."""
    if not result.curves:
        return dict.fromkeys(result.selections)
    return {selection: int(chosen.epoch) for selection, chosen in result.selections.items()}


def oracle(curves: Mapping[str, Sequence[float]], last_accuracy: float | None) -> dict[str, Any]:
    """Best test accuracy over the evaluated epochs and its first epoch; shown beside the others, never ranks.

    A method without a curve has nothing to choose from: its oracle is its only figure.
    """
    tests = [value if math.isfinite(value) else -1.0 for value in curves.get("test_accuracy", ())]
    if not tests:
        return {"accuracy": last_accuracy, "epoch": None}
    best = int(np.argmax(tests))
    epochs = curves.get("epoch", ())
    return {"accuracy": float(tests[best]), "epoch": int(epochs[best]) if len(epochs) > best else None}
