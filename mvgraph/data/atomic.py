"""Writing a file so that nobody ever sees half of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterator
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


def check_folder(
    folder: str | Path,
    names: Collection[str],
    is_ours: bool,
    overwrite: bool,
    otherwise: str = "replace it with --force",
) -> None:
    """Refuse a folder in which files of the same names lie that mvgraph did not write.

    Parameters:
        names: of the files that are to be written.
        is_ours: whether what lies there is known to be an earlier output of the same kind.
        otherwise: what can be done instead of giving another folder.

    Raises:
        UserError: one of the files is there already, or `folder` is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} cannot be a folder to write to: it is a file.")
    if overwrite or is_ours or not folder.is_dir():
        return
    there = sorted(path.name for path in folder.iterdir() if path.name in names)
    if there:
        raise UserError(
            f"{folder / there[0]} is there already, and {folder} holds no earlier output of this command; give another "
            f"folder, or {otherwise}."
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
