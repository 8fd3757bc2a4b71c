"""Ranges of hyper-parameters as plain values, which `mvgraph.tuning` hands to Optuna."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Float:
    """A real number in [low, high], searched on a log scale when `log`."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Int:
    """A whole number in [low, high] in steps of `step`, searched on a log scale when `log`."""

    low: int
    high: int
    step: int = 1
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of some JSON-able values."""

    options: tuple[Any, ...]


Distribution = Float | Int | Choice

#: What every network trained by full-batch Adam shares; `lr` and `weight_decay` are training options.
TRAINING_SPACE: dict[str, Distribution] = {
    "lr": Float(1e-4, 3e-2, log=True),
    "weight_decay": Float(1e-6, 1e-2, log=True),
}

#: What every two-layer graph network of the paper shares.
GCN_SPACE: dict[str, Distribution] = {
    **TRAINING_SPACE,
    "hidden": Choice(((256, 128), (128, 64), (128, 128), (512, 256))),
    "dropout": Float(0.0, 0.8),
}
