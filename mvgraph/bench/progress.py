"""How a run is shown: a progress bar in a terminal or a notebook, plain lines elsewhere, nothing when asked."""

from __future__ import annotations

import sys
from typing import Any, Protocol, TextIO

from mvgraph.bench.estimate import duration
from mvgraph.bench.executor import Outcome
from mvgraph.bench.plan import Cell
from mvgraph.display import NotebookBar, surface


class Progress(Protocol):
    """What the runner tells while it works."""

    def begin(self, total: int, text: str) -> None:
        """`total` cells are about to run."""

    def started(self, cell: Cell) -> None:
        """A cell was handed to the executor."""

    def ended(self, outcome: Outcome, seconds: float) -> None:
        """A cell ended after `seconds`."""

    def close(self) -> None:
        """Nothing follows."""


class Silent:
    """Shows nothing."""

    def begin(self, total: int, text: str) -> None:
        pass

    def started(self, cell: Cell) -> None:
        pass

    def ended(self, outcome: Outcome, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


class Plain(Silent):
    """One line for each cell that ended."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._total = self._count = 0

    def begin(self, total: int, text: str) -> None:
        self._total, self._count = total, 0
        self._write(text)

    def ended(self, outcome: Outcome, seconds: float) -> None:
        self._count += 1
        width = len(str(self._total))
        self._write(f"[{self._count:{width}d}/{self._total}] {describe(outcome, seconds)}")

    def _write(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class Bar(Silent):
    """A rich progress bar; cells that did not end well are printed above it."""

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
        self._task: Any = None

    def begin(self, total: int, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)
        self._bar.start()
        self._task = self._bar.add_task("starting", total=total)

    def started(self, cell: Cell) -> None:
        self._bar.update(self._task, description=place(cell))

    def ended(self, outcome: Outcome, seconds: float) -> None:
        if outcome.status != "done":
            self._console.print(describe(outcome, seconds), markup=False, highlight=False)
        self._bar.advance(self._task)

    def close(self) -> None:
        if self._task is not None:
            self._bar.update(self._task, description="done")
        self._bar.stop()


class Notebook(Silent):
    """A bar in a notebook's output; cells that did not end well are printed below it."""

    def __init__(self) -> None:
        self._bar: NotebookBar | None = None

    def begin(self, total: int, text: str) -> None:
        print(text)
        self._bar = NotebookBar("cells", total)

    def started(self, cell: Cell) -> None:
        assert self._bar is not None
        self._bar.update(text=f"cells, now {place(cell)}")

    def ended(self, outcome: Outcome, seconds: float) -> None:
        assert self._bar is not None
        if outcome.status != "done":
            print(describe(outcome, seconds))
        self._bar.advance()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.update(text="cells")
            self._bar.close()


def make_progress(kind: str | Progress) -> Progress:
    """ "auto" (by where the output goes), "bar", "notebook", "plain", "none", or an object of one's own."""
    if not isinstance(kind, str):
        return kind
    if kind == "auto":
        kind = surface()
    kinds: dict[str, type[Silent]] = {"bar": Bar, "notebook": Notebook, "plain": Plain, "none": Silent}
    if kind not in kinds:
        raise ValueError(f"progress is '{kind}'; right are auto, bar, notebook, plain, none.")
    return kinds[kind]()


def place(cell: Cell) -> str:
    """Where a cell stands: data set, method, split, seed."""
    return f"{cell.dataset} {cell.label} split {cell.split['index']} seed {cell.seed}"


def describe(outcome: Outcome, seconds: float) -> str:
    """One line on how a cell ended."""
    text = f"{place(outcome.cell)}: {outcome.status} in {duration(seconds)}"
    if outcome.record is not None:
        test = outcome.record["metrics"].get("last", {}).get("test", {})
        if test.get("accuracy") is not None:
            text += f", test accuracy {100 * test['accuracy']:.2f} %, log-loss {test['log_loss']:.3f}"
    if outcome.reason:
        text += f" ({outcome.reason})"
    return text
