"""How a search is shown: a progress bar in a terminal or a notebook, plain lines elsewhere, nothing when asked."""

from __future__ import annotations

import sys
from typing import Any, Protocol, TextIO

from optuna.trial import FrozenTrial, TrialState

from mvgraph.display import NotebookBar, surface
from mvgraph.tuning.objective import Task


class Progress(Protocol):
    """What the driver tells while it works."""

    def begin(self, done: int, total: int) -> None:
        """A search of `total` trials begins, `done` of them from earlier calls."""

    def ended(self, trial: FrozenTrial, task: Task) -> None:
        """A trial ended."""

    def close(self) -> None:
        """Nothing follows."""


class Silent:
    """Shows nothing."""

    def begin(self, done: int, total: int) -> None:
        pass

    def ended(self, trial: FrozenTrial, task: Task) -> None:
        pass

    def close(self) -> None:
        pass


class Plain(Silent):
    """One line for each trial that ended."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._done = self._total = 0

    def begin(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        if done:
            print(f"{done} of {total} trials are done already.", file=self._stream, flush=True)

    def ended(self, trial: FrozenTrial, task: Task) -> None:
        self._done += 1
        width = len(str(self._total))
        text = f"[{self._done:{width}d}/{self._total}] {describe(trial, task)}"
        print(text, file=self._stream, flush=True)


class _Best:
    """The best value so far of a search for one figure."""

    def __init__(self) -> None:
        self._value: float | None = None

    def improved(self, trial: FrozenTrial, task: Task) -> bool:
        """Whether this trial is the best so far; never where several figures are searched."""
        if trial.state != TrialState.COMPLETE or len(task.figures) != 1:
            return False
        value = trial.values[0] if task.figures[0][1] == "minimize" else -trial.values[0]
        if self._value is not None and value >= self._value:
            return False
        self._value = value
        return True


class Bar(Silent):
    """A rich progress bar with the best value so far; trials that failed are printed above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._row: Any = None
        self._best = _Best()

    def begin(self, done: int, total: int) -> None:
        self._bar.start()
        self._row = self._bar.add_task("searching", total=total, completed=done)

    def ended(self, trial: FrozenTrial, task: Task) -> None:
        if trial.state == TrialState.FAIL:
            self._console.print(describe(trial, task), markup=False, highlight=False)
        if self._best.improved(trial, task):
            self._bar.update(self._row, description=f"best {figures(trial, task)}")
        self._bar.advance(self._row)

    def close(self) -> None:
        self._bar.stop()


class Notebook(Silent):
    """A bar in a notebook's output with the best value so far; trials that failed are printed below it."""

    def __init__(self) -> None:
        self._bar: NotebookBar | None = None
        self._best = _Best()

    def begin(self, done: int, total: int) -> None:
        self._bar = NotebookBar("trials", total, done)

    def ended(self, trial: FrozenTrial, task: Task) -> None:
        assert self._bar is not None
        if trial.state == TrialState.FAIL:
            print(describe(trial, task))
        if self._best.improved(trial, task):
            self._bar.update(text=f"trials, best {figures(trial, task)}")
        self._bar.advance()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def figures(trial: FrozenTrial, task: Task) -> str:
    """The trial's values in words."""
    named = zip(task.figures, trial.values or (), strict=False)
    return ", ".join(f"{name.replace('_', '-')} {value:.4f}" for (name, _), value in named)


def describe(trial: FrozenTrial, task: Task) -> str:
    """One line about a trial that ended."""
    seconds = (trial.user_attrs.get("mvgraph:result") or {}).get("seconds", 0.0)
    text = f"trial {trial.number}: {trial.state.name.lower()} in {seconds:.1f} s"
    if trial.state == TrialState.COMPLETE:
        return f"{text}, {figures(trial, task)}"
    if trial.state == TrialState.FAIL:
        return f"{text} ({trial.user_attrs.get('mvgraph:reason', 'no reason kept')})"
    return text


def make_progress(kind: str | Progress) -> Progress:
    """ "auto" (by where the output goes), "bar", "notebook", "plain", "none", or an object of one's own."""
    if not isinstance(kind, str):
        return kind
    if kind == "auto":
        kind = surface()
    kinds: dict[str, Any] = {"bar": Bar, "notebook": Notebook, "plain": Plain, "none": Silent}
    made: Progress = kinds[kind]()
    return made
