"""Cached files know what they held when they were written: SHA-256 sums, and what becomes of a file that differs.

A flipped bit in a cached array is read without an error and changes results in silence. So every file that is made
once and read many times has its sum beside it, which is compared when the file is opened. A file that differs is not
deleted but set aside, its maker makes it again, and one line on stderr says so.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from mvgraph.data.atomic import atomic_path
from mvgraph.data.checksum import sha256_of

#: Beside a sealed file: `<name>.sha256`, in the form that `sha256sum --check` reads.
SUFFIX = ".sha256"
#: The folder beside a damaged file into which it goes.
ASIDE = "damaged"


def sums_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of some files of a folder, by name."""
    return {name: sha256_of(folder / name) for name in sorted(names)}


def first_damaged(folder: Path, sums: Mapping[str, str]) -> str | None:
    """Name of the first file that is missing or not what it was; None if all are as they were written."""
    for name, expected in sums.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != expected:
            return name
    return None


def seal(path: Path) -> None:
    """Write the sum of a file beside it."""
    with atomic_path(path.with_name(path.name + SUFFIX)) as temporary:
        temporary.write_text(f"{sha256_of(path)}  {path.name}\n", encoding="utf-8")


def is_intact(path: Path) -> bool:
    """Whether a sealed file is what it was when it was sealed; False without a seal or with a damaged one."""
    try:
        expected = path.with_name(path.name + SUFFIX).read_text(encoding="utf-8").split()[0]
    except (OSError, UnicodeDecodeError, IndexError):
        return False
    return path.is_file() and sha256_of(path) == expected


def is_damaged(path: Path) -> bool:
    """Whether a file has a seal that it no longer fits. One without a seal was broken off, or is old."""
    return path.is_file() and path.with_name(path.name + SUFFIX).is_file() and not is_intact(path)


def set_aside(path: Path, what: str) -> Path:
    """Move a damaged file or folder, with its seal, into `damaged/` beside it, and say so in one line.

    An earlier one of the same name there is replaced; one that another process has moved meanwhile is left to it.

    Args:
        what: the thing in words, e.g. "The cached graph of view 'audio'".
    """
    aside = path.parent / ASIDE
    aside.mkdir(exist_ok=True)
    target = aside / path.name
    if target.is_dir():
        shutil.rmtree(target, ignore_errors=True)
    try:
        os.replace(path, target)
    except FileNotFoundError:
        return target
    beside = path.with_name(path.name + SUFFIX)
    if beside.is_file():
        os.replace(beside, aside / beside.name)
    print(f"mvgraph: {what} is damaged; it is kept in {aside} and made again.", file=sys.stderr, flush=True)
    return target
