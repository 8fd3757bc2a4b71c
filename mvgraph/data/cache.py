"""Where fetched data is kept, and a lock so that several processes fetch it once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mvgraph.errors import UserError

#: The variable that names another folder.
VARIABLE = "MVGRAPH_CACHE"
#: Seconds between two tries to get a lock where the system cannot wait for it.
_PAUSE = 0.2


def cache_folder() -> Path:
    """`MVGRAPH_CACHE`, else the usual place of the system; made if need be.

    Raises:
        UserError: the folder cannot be made.
    """
    named = os.environ.get(VARIABLE)
    folder = Path(named).expanduser().absolute() if named else _usual_place() / "mvgraph"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The cache folder {folder} cannot be made ({error.strerror}); set {VARIABLE} to a folder of yours."
        ) from None
    return folder


def _usual_place() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of this name alone; others wait. The system frees it when a process dies.

    Raises:
        UserError: the file of the lock cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+b")  # noqa: SIM115
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}); set {VARIABLE} to a folder of yours."
        ) from None
    with file:
        _acquire(file)
        try:
            yield
        finally:
            _release(file)


if sys.platform == "win32":
    import msvcrt

    def _acquire(file: IO[bytes]) -> None:
        while True:
            try:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                return
            except OSError:
                time.sleep(_PAUSE)

    def _release(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _acquire(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _release(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
