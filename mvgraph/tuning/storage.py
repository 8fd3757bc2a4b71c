"""Where a study is kept: a journal file in its folder, or a database that many machines share."""

from __future__ import annotations

import fcntl
import json
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from mvgraph.errors import UserError

JOURNAL = "journal.log"
#: Drivers by scheme; Optuna's own choice for PostgreSQL differs between versions of SQLAlchemy.
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class _SystemLock:
    """flock: the system lets go of it when its holder dies, so that a kill leaves nothing to wait for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: Any = None

    def acquire(self) -> bool:
        self._handle = self._path.open("w")
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        self._handle.close()


class _Journal(JournalFileBackend):
    """A journal that is forced to the disk when a trial begins or ends, and not for every point of its curve.

    What is written survives the death of its process in any case; the force is against a loss of power, which
    then costs the trial in hand. At some milliseconds each, forcing every point would cost more than a small fit.
    """

    #: Entries that belong to a trial in hand.
    IN_HAND = ("step", "param_name", "user_attr", "system_attr")

    def __init__(self, path: Path, lock: Any) -> None:
        super().__init__(str(path), lock_obj=lock)
        self._path, self._guard = path, lock

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append entries, one JSON object a line."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        self._guard.acquire()
        try:
            with self._path.open("ab") as file:
                file.write(text.encode("utf-8"))
                if not all(any(key in log for key in self.IN_HAND) for log in logs):
                    file.flush()
                    os.fsync(file.fileno())
        finally:
            self._guard.release()


def open_storage(folder: Path, url: str | None) -> BaseStorage:
    """The journal of `folder`, or the database at `url`.

    Raises:
        UserError: an unknown kind of storage, a driver that is not installed, or a database out of reach.
    """
    if url is None:
        path = folder / JOURNAL
        mend(path)
        return JournalStorage(_Journal(path, _SystemLock(folder / f".{JOURNAL}.lock")))
    scheme, colon, rest = url.partition("://")
    if not colon or scheme.partition("+")[0] not in (*_DRIVERS, "sqlite", "mysql"):
        raise UserError(f"storage '{shown(url)}': give postgresql://user@host/database, or leave it out.")
    try:
        return _database(f"{_DRIVERS.get(scheme, scheme)}://{rest}")
    except ImportError as error:
        # Optuna names the missing driver only in a longer text of its own.
        extra = ": pip install 'mvgraph[postgres]'" if scheme in _DRIVERS else ""
        name = getattr(error.__cause__, "name", None) or error.name or "its driver"
        raise UserError(f"storage '{shown(url)}' needs the package {name}{extra}.") from None
    except Exception as error:
        lines = [line for line in str(getattr(error, "orig", None) or error).splitlines() if line.strip()]
        reason = lines[0].strip() if lines else type(error).__name__
        raise UserError(f"storage '{shown(url)}' cannot be used: {reason.rstrip('.')}.") from None


def _database(url: str, tries: int = 8) -> RDBStorage:
    """Optuna's tables at `url`, made there if need be.

    A database makes tables for one caller at a time and refuses the others who ask in the same moment; whoever
    is refused finds them there the next time.
    """
    for turn in range(tries):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        except Exception as error:
            reason = str(error).lower()
            if turn == tries - 1 or not ("duplicate key" in reason or "already exists" in reason):
                raise
            time.sleep(0.1 * 2**turn * (1 + os.getpid() % 7 / 7))
    raise AssertionError("unreachable")


def shown(url: str) -> str:
    """A storage's address without its password, for messages and records."""
    scheme, colon, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}{colon}{login.partition(':')[0]}{at}{place}"


def mend(path: Path) -> None:
    """Cut off what a kill left of a journal's last line.

    The journal is append-only and synced line by line, so only its end can be torn, and what is torn there was
    never acknowledged. Without the cut the next line would be glued to it and the file unreadable.
    """
    if not path.is_file():
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        keep = size
        while keep:
            start = _line_start(file, keep)
            file.seek(start)
            line = file.read(keep - start)
            if line.endswith(b"\n") and _is_json(line):
                break
            keep = start
        if keep != size:
            file.truncate(keep)
            os.fsync(file.fileno())


def _line_start(file: Any, end: int) -> int:
    """Where the line that ends at byte `end` begins."""
    position = end - 1
    while position > 0:
        block = min(65536, position)
        file.seek(position - block)
        found = file.read(block).rfind(b"\n")
        if found >= 0:
            return int(position - block + found + 1)
        position -= block
    return 0


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna's own log lines off; the progress tells what is worth telling."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the study folder; the system lets go of it when the process ends, however it ends.

    Raises:
        UserError: somebody else holds it (and `wait` is false), or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".lock").open("w")
    except OSError as error:
        raise UserError(f"Study folder {folder} cannot be written: {error.strerror or error}.") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            raise UserError(
                f"Another search is writing to {folder}; wait for it, give another folder, or give both the "
                "same --storage to work together."
            ) from None
        yield
