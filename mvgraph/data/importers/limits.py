"""What a file may claim before it is believed: sizes are checked before memory is taken."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import prod
from pathlib import Path

from mvgraph.errors import UserError

#: Below this size (bytes) a header is believed.
BELIEVED_BYTES = 64 << 20
#: Deflate packs at most 1032 bytes into one; a larger ratio means that the data was never written.
MOST_PACKED = 1032


def physical_memory() -> int:
    """Bytes of main memory; very large where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 1 << 62


def check_fits(shape: Sequence[int], path: Path, what: str) -> None:
    """Refuse an array whose float32 form is larger than the main memory.

    Raises:
        UserError: naming the array and its size.
    """
    needed = prod(int(size) for size in shape) * 4
    if needed > physical_memory():
        raise UserError(
            f"{path}: {what} of shape {tuple(int(size) for size in shape)} would take {needed >> 20} MiB as "
            f"float32, but this machine has {physical_memory() >> 20} MiB."
        )


def check_packed(claimed: int, stored: int, path: Path, what: str) -> None:
    """Refuse a claim of many bytes that the bytes in the file cannot hold.

    Raises:
        UserError: naming what claims it.
    """
    if claimed > BELIEVED_BYTES and claimed > MOST_PACKED * max(stored, 1):
        raise UserError(
            f"{path}: {what} claims {claimed} bytes, but the file holds {stored} bytes for it; "
            "the file is damaged or made to mislead."
        )
