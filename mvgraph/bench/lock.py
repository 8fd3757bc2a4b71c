"""The lock of a run folder: one process at a time writes to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvgraph.errors import UserError

NAME = ".lock"
TRIES, PAUSE = 3, 0.02


@contextmanager
def only_driver(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system lets go of it when the process ends, however it ends.

    Raises:
        UserError: the folder cannot be written, or somebody else writes to it.
    """
    import fcntl

    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / NAME).open("w")
    except OSError as error:
        raise UserError(f"Run folder {folder} cannot be written: {error.strerror or error}.") from None
    with handle:
        for tries_left in range(TRIES - 1, -1, -1):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if not tries_left:
                    raise UserError(
                        f"Another run is writing to {folder}; wait for it or give another folder."
                    ) from None
                # Somebody who only asks (`has_driver`) holds it for an instant.
                time.sleep(PAUSE)
        yield


def has_driver(folder: Path) -> bool:
    """Whether somebody writes to the folder now."""
    import fcntl

    try:
        handle = (folder / NAME).open("r")
    except OSError:
        return False
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
