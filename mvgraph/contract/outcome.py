"""Checks of what a fit gives: probabilities, learning, diagnostics, and what the tags promise."""

from __future__ import annotations

import json
import math

import numpy as np

from mvgraph.contract.case import MethodCase
from mvgraph.contract.result import CheckFailed, require
from mvgraph.contract.synthetic import N_CLASSES, blobs, graph_of, split_of
from mvgraph.data import MultiViewData
from mvgraph.errors import UserError
from mvgraph.training import FitResult

#: Accuracy that separated clouds must give; guessing gives a third.
EASY = 0.6


def probabilities_are_probabilities(case: MethodCase) -> None:
    """Every row of every selection sums to 1, in float32."""
    data = blobs()
    result = case.fit(data)
    require(
        {"last", "validation"} <= set(result.selections),
        f"the selections are {sorted(result.selections)}; last and validation are needed.",
    )
    for selection in result.selections:
        _check_probabilities(result, data, selection)


def learns_what_is_easy(case: MethodCase) -> None:
    """Classes as separate clouds in every view are told apart better than by guessing, unless the tags deny it."""
    data = blobs()
    split = split_of(data)
    result = case.fit(data, split, training={"epochs": 60, "lr": 1e-2, "evaluate_every": 60})
    if not case.tags.informed:
        found = result.probabilities()
        same = np.array_equal(found, np.broadcast_to(found[0], found.shape))
        require(same, "the method is tagged informed=False, but does not answer all rows alike.")
        return
    accuracy = result.accuracy(data.labels, split.test)
    require(
        accuracy >= EASY,
        f"accuracy on three separate clouds is {accuracy:.2f} after 60 epochs; guessing gives "
        f"{1 / N_CLASSES:.2f}, and at least {EASY} is expected.",
    )


def diagnostics_are_plain(case: MethodCase) -> None:
    """Diagnostics are JSON; view weights and attention weights sum to 1."""
    data = blobs()
    found = case.fit(data).diagnostics
    try:
        json.dumps(found)
    except (TypeError, ValueError) as error:
        raise CheckFailed(f"diagnostics() cannot be written as JSON: {error}.") from error
    weights = {f"theta of layer {n}": w for n, w in enumerate(found.get("theta", ()), start=1)}
    if "attention" in found:
        weights["attention"] = found["attention"]
    for what, shares in weights.items():
        total = sum(shares.values())
        require(math.isclose(total, 1.0, abs_tol=1e-4), f"the {what} sums to {total:.6f}, not to 1.")


def graph_is_used_as_tagged(case: MethodCase) -> None:
    """Taking the edges away changes the answer exactly when the method says that it uses the graph."""
    data = blobs()
    graph = graph_of(data)
    with_edges = case.fit(data, graph=graph).probabilities()
    without = case.fit(data, graph=graph.identity()).probabilities()
    same = np.array_equal(with_edges, without)
    if case.tags.uses_graph:
        require(not same, "the method is tagged uses_graph, but answers the same without any edge.")
    else:
        require(same, "the method is tagged uses_graph=False, but its answer changes with the graph.")


def missing_views_as_tagged(case: MethodCase) -> None:
    """Rows that lack a view get probabilities like all others, or the method refuses such data."""
    data = blobs(missing=True)
    if case.tags.missing_views:
        _check_probabilities(case.fit(data), data, "last")
        return
    try:
        case.fit(data)
    except UserError:
        return
    raise CheckFailed(
        "the method is tagged missing_views=False, but takes data with missing views in silence."
    )


def _check_probabilities(result: FitResult, data: MultiViewData, selection: str) -> None:
    found = result.probabilities(selection)
    where = f"probabilities of selection '{selection}'"
    expected = (data.n_samples, data.n_classes)
    require(found.shape == expected, f"the {where} have shape {found.shape}; right is {expected}.")
    require(found.dtype == np.float32, f"the {where} are {found.dtype}; right is float32.")
    require(np.isfinite(found).all(), f"the {where} are not finite.")
    low, high = float(found.min()), float(found.max())
    require(
        low >= 0.0 and high <= 1.0 + 1e-6,
        f"the {where} lie in [{low:.3g}, {high:.3g}]; right is within [0, 1].",
    )
    worst = int(np.abs(found.sum(axis=1, dtype=np.float64) - 1.0).argmax())
    total = float(found[worst].sum(dtype=np.float64))
    require(abs(total - 1.0) < 1e-5, f"the {where} of row {worst} sum to {total:.6f}, not to 1.")
