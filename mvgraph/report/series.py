"""Learning curves, theta and attention: means and deviations over the cells of one method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvgraph.report.snapshot import Record

THETA = "theta/"


@dataclass(frozen=True)
class Curve:
    """Shapes: all (E,). ``deviation`` is over cells (n - 1), zero with one cell."""

    epochs: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray


@dataclass(frozen=True)
class Share:
    """One learned weight: mean and deviation over cells."""

    mean: float
    deviation: float


def curve(records: Sequence[Record], name: str) -> Curve | None:
    """Mean over the cells that reached an epoch, as far as at least half did (early stopping cuts the tail)."""
    at: dict[float, list[float]] = defaultdict(list)
    cells = 0
    for record in records:
        curves = record.get("curves") or {}
        epochs, values = curves.get("epoch") or [], curves.get(name) or []
        if not epochs or len(epochs) != len(values):
            continue
        cells += 1
        for epoch, value in zip(epochs, values, strict=True):
            if value is not None and np.isfinite(value):
                at[float(epoch)].append(float(value))
    kept = sorted(epoch for epoch, values in at.items() if 2 * len(values) >= cells)
    if not kept:
        return None
    return Curve(
        np.array(kept),
        np.array([np.mean(at[e]) for e in kept]),
        np.array([np.std(at[e], ddof=1) if len(at[e]) > 1 else 0.0 for e in kept]),
    )


def theta_curves(records: Sequence[Record]) -> list[dict[str, Curve]]:
    """Per layer, per view: the path of theta over the epochs."""
    names = sorted({n for r in records for n in (r.get("curves") or {}) if n.startswith(THETA)})
    layers: dict[str, dict[str, Curve]] = defaultdict(dict)
    for name in names:
        _, layer, view = name.split("/", 2)
        found = curve(records, name)
        if found is not None:
            layers[layer][view] = found
    return [layers[layer] for layer in sorted(layers, key=lambda s: (len(s), s))]


def final_theta(records: Sequence[Record]) -> list[dict[str, Share]]:
    """Per layer, per view: theta at the end of training."""
    collected: list[dict[str, list[float]]] = []
    for record in records:
        for depth, layer in enumerate(_layers((record.get("diagnostics") or {}).get("theta"))):
            while len(collected) <= depth:
                collected.append(defaultdict(list))
            for view, value in layer.items():
                collected[depth][str(view)].append(float(value))
    return [_shares(layer) for layer in collected]


def final_attention(records: Sequence[Record]) -> dict[str, Share]:
    """Per view (and the common representation): attention averaged over samples, then over cells."""
    collected: dict[str, list[float]] = defaultdict(list)
    for record in records:
        for name, value in ((record.get("diagnostics") or {}).get("attention") or {}).items():
            if isinstance(value, int | float):
                collected[str(name)].append(float(value))
    return _shares(collected)


def from_uniform(shares: dict[str, Share]) -> tuple[str, float]:
    """The view furthest from an equal share, and its relative distance: 0.1 means 10 % more than 1/V."""
    uniform = 1.0 / len(shares)
    view = max(shares, key=lambda v: abs(shares[v].mean - uniform))
    return view, (shares[view].mean - uniform) / uniform


def _layers(theta: Any) -> Iterable[dict[str, float]]:
    if isinstance(theta, dict):
        theta = [theta[key] for key in sorted(theta)]
    return [layer for layer in theta or [] if isinstance(layer, dict)]


def _shares(collected: dict[str, list[float]]) -> dict[str, Share]:
    return {
        name: Share(float(np.mean(v)), float(np.std(v, ddof=1)) if len(v) > 1 else 0.0)
        for name, v in sorted(collected.items())
    }
