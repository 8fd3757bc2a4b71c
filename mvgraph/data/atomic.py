"""Writing a file so that nobody ever sees half of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvgraph.errors import UserError


def check_target(path: str | Path, overwrite: bool) -> None:
    """Refuse a file that cannot be written, or that is there already, before any work is done for it.

    Raises:
        UserError: the folder does not exist or cannot be written to, `path` is a folder, or it exists and may not
            be overwritten.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise UserError(f"{path} cannot be written: there is no folder {path.parent}.")
    if path.is_dir():
        raise UserError(f"{path} cannot be written: it is a folder.")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"{path} cannot be written: the folder {path.parent} is read-only.")
    if not overwrite and os.path.lexists(path):
        raise UserError(
            f"{path} is there already; give another name, or replace it with --force (in Python overwrite=True)."
        )


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path in the folder of `path`, moved onto it when the block ends well and removed if it fails.

    Raises:
        UserError: the folder does not exist or cannot be written to.
    """
    path = Path(path)
    check_target(path, overwrite=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
