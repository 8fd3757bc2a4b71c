"""How far a download is: a bar of rich in a terminal, a bar in a notebook, one line elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mvgraph.display import NotebookBar, surface

#: Called with the bytes that have come so far.
Report = Callable[[int], None]


@contextmanager
def shown(what: str, total: int | None) -> Iterator[Report]:
    """Say what is fetched and, in a terminal, how much of it has come."""
    size = f" ({total / 1e6:.1f} MB)" if total else ""
    where = surface()
    if where == "notebook":
        kilobytes = None if total is None else max(total // 1000, 1)
        watched = NotebookBar(f"kB of {what}", kilobytes)
        try:
            yield lambda done: watched.update(done // 1000)
        finally:
            watched.close()
        return
    if where == "bar":
        try:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
        except ImportError:
            pass
        else:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
            with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task(what, total=total)
                yield lambda done: bar.update(task, completed=done)
            return
    print(f"mvgraph: fetching {what}{size} ...", file=sys.stderr, flush=True)
    yield lambda done: None
