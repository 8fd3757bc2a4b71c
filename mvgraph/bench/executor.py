"""The executor seam: where cells run. The driver submits and waits; only the driver writes the ledger."""

from __future__ import annotations

import sys
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

import mvgraph
from mvgraph.bench.cell import Arrays, run_cell
from mvgraph.bench.limits import TimeLimit
from mvgraph.bench.material import Material
from mvgraph.bench.plan import Cell
from mvgraph.errors import UserError

RunCell = Callable[[Cell], tuple[dict[str, Any], Arrays]]


@dataclass(frozen=True)
class Outcome:
    """How a cell ended.

    Args:
        cell: the cell.
        status: done | failed | timeout | oom.
        record, arrays: of a done cell.
        reason: one sentence; traceback: the whole story. Both of a cell that is not done.
    """

    cell: Cell
    status: str
    record: dict[str, Any] | None = None
    arrays: Arrays | None = None
    reason: str | None = None
    traceback: str | None = None


class Executor(Protocol):
    """A place where cells run.

    The driver keeps at most `slots` cells submitted, and calls `wait` only while one is.
    """

    @property
    def slots(self) -> int:
        """Cells that may be submitted at once."""
        ...

    def submit(self, cell: Cell) -> None:
        """Take a cell; returns at once."""
        ...

    def wait(self) -> Outcome:
        """Block until a submitted cell has ended, and say how."""
        ...

    def cancel(self) -> None:
        """Drop every cell that has not ended; nothing of them is reported later."""
        ...


class SerialExecutor:
    """Cells one after the other in this process, sharing data and graphs.

    Args:
        material: data and graphs at hand from planning.
        run: runs one cell; for executors built on this one.
    """

    slots = 1

    def __init__(self, material: Material | None = None, run: RunCell | None = None) -> None:
        self._material = material or Material()
        self._run = run or self._run_here
        self._queue: deque[Cell] = deque()

    def submit(self, cell: Cell) -> None:
        self._queue.append(cell)

    def wait(self) -> Outcome:
        return attempt(self._queue.popleft(), self._run)

    def cancel(self) -> None:
        self._queue.clear()

    def _run_here(self, cell: Cell) -> tuple[dict[str, Any], Arrays]:
        return run_cell(cell, self._material)


def attempt(cell: Cell, run: RunCell) -> Outcome:
    """Run a cell and turn every way it can end into an outcome; an interrupt alone passes through."""
    try:
        record, arrays = run(cell)
    except TimeLimit as error:
        return _ended(cell, "timeout", error)
    except (MemoryError, torch.OutOfMemoryError) as error:
        return _ended(cell, "oom", error)
    except Exception as error:
        # torch reports a failed allocation on the CPU as a plain RuntimeError.
        out_of_memory = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
        return _ended(cell, "oom" if out_of_memory else "failed", error)
    return Outcome(cell, "done", record, arrays)


def _ended(cell: Cell, status: str, error: BaseException) -> Outcome:
    text = str(error).strip() or type(error).__name__
    reason = text if isinstance(error, UserError | TimeLimit) else f"{type(error).__name__}: {text}"
    return Outcome(cell, status, reason=reason.splitlines()[0], traceback=readable_traceback(error))


def readable_traceback(error: BaseException) -> str:
    """The traceback with the folders of this machine cut from its file names."""
    text = "".join(traceback.format_exception(error))
    package = Path(mvgraph.__file__).resolve().parent.parent
    folders = {str(Path(path)) for path in (*sys.path, sys.prefix, sys.base_prefix, str(package)) if path}
    for folder in sorted(folders, key=len, reverse=True):
        if len(folder) > 1:
            text = text.replace(f"{folder}/", "")
    return text
