"""Somebody who watches a run, such as the MLflow mirror; whatever goes wrong there costs the run nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mvgraph.errors import UserError
from mvgraph.registry import import_reference

#: The mirror, by name: tracking is built on bench, so bench does not import it.
MIRROR = "mvgraph.tracking:follow"


class Watch:
    """Passes on what the driver tells, until the first error; that is told once, in `notes`."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._watcher: Any = None
        self._error: Exception | None = None

    def begin(self, folder: Path) -> None:
        """Start watching the run in `folder`."""
        try:
            self._watcher = import_reference(MIRROR)(folder)
        except Exception as error:
            self._error = error

    def look(self) -> None:
        """The driver has a moment: a cell ended, and others were handed out."""
        if self._watcher is not None and self._error is None:
            try:
                self._watcher.look()
            except Exception as error:
                self._error = error

    def close(self) -> None:
        """The driver ends. What went wrong before may go well now, and is then not worth telling."""
        if self._watcher is not None:
            try:
                self._watcher.close()
                self._error = None
            except Exception as error:
                self._error = error
        if isinstance(self._error, UserError):
            self.notes.append(str(self._error))
        elif self._error is not None:
            told = f"{type(self._error).__name__}: {self._error}"
            self.notes.append(f"The MLflow mirror was not written ({told}); the ledger is complete.")


@contextmanager
def watched_run(folder: Path, wanted: bool) -> Iterator[Watch]:
    """A watch that is closed however the run ends; one that sees nothing unless `wanted`."""
    watch = Watch()
    if wanted:
        watch.begin(folder)
    try:
        yield watch
    finally:
        watch.close()
