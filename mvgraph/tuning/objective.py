"""One trial: a setting, fitted on every inner split, judged on their validation rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mvgraph.bench.metrics import part_metrics
from mvgraph.data import MultiViewData
from mvgraph.errors import UserError
from mvgraph.training import fit
from mvgraph.tuning.inner import InnerSplit
from mvgraph.tuning.space import Settings, Space
from mvgraph.tuning.workshop import Workshop

#: Objective -> the figures it is made of, each with its direction.
OBJECTIVES: dict[str, tuple[tuple[str, str], ...]] = {
    "log-loss": (("log_loss", "minimize"),),
    "accuracy": (("accuracy", "maximize"),),
    "both": (("log_loss", "minimize"), ("accuracy", "maximize")),
}
#: Points of a curve that are handed to the pruner for each inner split; every evaluation would cost more than it
#: tells.
RUNGS = 10

#: Takes a step and the figures so far; returns whether to give up.
Report = Callable[[int, dict[str, float]], bool]


class Pruned(Exception):
    """The trial was worse than the median of the others."""


@dataclass(frozen=True)
class Task:
    """What is searched, and on what.

    Args:
        method: text of the method, control included.
        data: N samples, labels outside training and validation rows hidden.
        inner: inner splits, none with a test part.
        base: settings that the search starts from; space: what it changes.
        objective: log-loss | accuracy | both.
        selection: which epoch's figures count: last | validation.
        seed: of the fits.
    """

    method: str
    data: MultiViewData
    inner: tuple[InnerSplit, ...]
    base: Settings
    space: Space
    objective: str = "log-loss"
    selection: str = "last"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise UserError(f"objective is '{self.objective}': give one of {', '.join(OBJECTIVES)}.")
        if self.selection not in ("last", "validation"):
            raise UserError(f"selection is '{self.selection}': give last or validation.")

    @property
    def figures(self) -> tuple[tuple[str, str], ...]:
        """Names and directions of the objective's figures."""
        return OBJECTIVES[self.objective]


@dataclass
class Progressed:
    """What a trial found, as far as it came.

    Args:
        splits: figures of each finished inner split: log_loss, accuracy, epoch, seconds.
        curve: (step, log-loss, accuracy) as seen by the pruner, means over the inner splits so far.
        parameters: trainable parameters.
        fit_seconds: time inside fits, what was spent on reporting taken off.
    """

    splits: list[dict[str, Any]] = field(default_factory=list)
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    parameters: int = 0
    fit_seconds: float = 0.0

    def means(self) -> dict[str, float]:
        """Figures averaged over the inner splits."""
        return {name: float(np.mean([s[name] for s in self.splits])) for name in ("log_loss", "accuracy")}

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "splits": self.splits,
            "curve": [list(point) for point in self.curve],
            "parameters": self.parameters,
            "fit_seconds": self.fit_seconds,
        }


def evaluate(
    task: Task, workshop: Workshop, settings: Settings, found: Progressed, report: Report | None = None
) -> dict[str, float]:
    """Fit `settings` on every inner split; returns the figures averaged over them.

    Args:
        task: what is searched; workshop: where data and graphs come from.
        settings: the point of the space.
        found: takes what is found on the way, so that a trial broken off keeps it.
        report: told the figures at rungs of the validation curve, returns True to give up.

    Raises:
        Pruned: `report` gave up.
        ValueError: the fit diverged to probabilities that are none.
    """
    for index, split in enumerate(task.inner):
        data = workshop.scaled(settings.scaling, split)
        graph = None if settings.graph is None else workshop.graph(settings.scaling, split, settings.graph)
        watcher = _Watcher(found, index, settings, report)
        begun = time.perf_counter()
        try:
            result = fit(
                task.method,
                data,
                split,
                graph,
                options=settings.options,
                training=settings.training,
                seed=task.seed,
                on_epoch=watcher if report is not None else None,
            )
        finally:
            seconds = time.perf_counter() - begun - watcher.seconds
            found.fit_seconds += seconds
        chosen = result.selections[task.selection]
        metrics = part_metrics(chosen.probabilities[split.validation], data.labels[split.validation])
        figures = {name: metrics[name] for name in ("log_loss", "accuracy")}
        found.parameters = int(result.parameters)
        epoch = int(chosen.epoch) if result.curves else None
        found.splits.append({**figures, "epoch": epoch, "seconds": seconds})
        last = index == len(task.inner) - 1
        now = found.means()
        found.curve.append(((index + 1) * RUNGS, now["log_loss"], now["accuracy"]))
        if report is not None and report((index + 1) * RUNGS, now) and not last:
            raise Pruned
    return found.means()


class _Watcher:
    """`on_epoch` of one inner split: hands every tenth of the curve on, averaged with the splits before."""

    def __init__(self, found: Progressed, index: int, settings: Settings, report: Report | None) -> None:
        self._found, self._index, self._report = found, index, report
        self._epochs = int((settings.training or {}).get("epochs", 1))
        self._rung = 0
        self.seconds = 0.0

    def __call__(self, epoch: int, figures: dict[str, float]) -> None:
        rung = epoch * RUNGS // self._epochs
        # The last rung is the inner split's own figure, reported when its fit is over.
        if rung <= self._rung or rung >= RUNGS or self._report is None:
            return
        begun = time.perf_counter()
        self._rung = rung
        step = self._index * RUNGS + rung
        now = {
            name: (sum(s[name] for s in self._found.splits) + figures[f"validation_{name}"])
            / (self._index + 1)
            for name in ("log_loss", "accuracy")
        }
        self._found.curve.append((step, now["log_loss"], now["accuracy"]))
        give_up = self._report(step, now)
        self.seconds += time.perf_counter() - begun
        if give_up:
            raise Pruned
