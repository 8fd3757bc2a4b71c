"""How far a command is: a bar in a terminal or a notebook, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mvgraph.display import NotebookBar, surface

Progress = Callable[[int, int], None]
#: Seconds between two lines where there is no terminal.
PAUSE = 10.0


@contextmanager
def bar(what: str, pause: float = PAUSE) -> Iterator[Progress]:
    """Call what it yields with (done, all); `what` is a word or two, e.g. "clips"."""
    where = surface()
    if where == "notebook":
        watched = NotebookBar(what)
        try:
            yield lambda done, total: watched.update(done, total)
        finally:
            watched.close()
        return
    if where == "bar":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task(what, total=None)
            yield lambda done, total: shown.update(task, completed=done, total=total)
        return
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= pause:
            last = time.monotonic()
            print(f"mvgraph: {done} of {total} {what}", file=sys.stderr, flush=True)

    yield tell
