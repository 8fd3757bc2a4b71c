"""Blocks that one epoch frees stay with the process for the next one.

glibc hands a large block back to the system as soon as it is freed, and the next epoch asks for it again and has it
filled with zeros page by page. On machines where pages are dear (virtual ones) that is up to a third of an epoch.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

#: Parameters of mallopt, from malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
#: What glibc starts with, and the thresholds it reaches by itself once a block of 32 MiB has been freed.
_DEFAULT_MMAP_MAX = 65_536
_SETTLED_MMAP_THRESHOLD = 32 << 20

_lock = threading.Lock()
_holders = 0


@contextmanager
def kept_memory() -> Iterator[None]:
    """Inside, freed memory is kept for the next allocation; behind the last such block it is given back.

    Nothing happens without glibc, or where the user has set malloc by `MALLOC_...` or `GLIBC_TUNABLES`.
    """
    libc = _glibc()
    if libc is None or _is_set_by_user():
        yield
        return
    _hold(libc, 1)
    try:
        yield
    finally:
        _hold(libc, -1)


def _hold(libc: ctypes.CDLL, change: int) -> None:
    global _holders
    with _lock:
        before, _holders = _holders, _holders + change
        if before == 0:
            libc.mallopt(_MMAP_MAX, 0)
            libc.mallopt(_TRIM_THRESHOLD, -1)
        elif _holders == 0:
            libc.mallopt(_MMAP_MAX, _DEFAULT_MMAP_MAX)
            libc.mallopt(_MMAP_THRESHOLD, _SETTLED_MMAP_THRESHOLD)
            libc.mallopt(_TRIM_THRESHOLD, 2 * _SETTLED_MMAP_THRESHOLD)
            libc.malloc_trim(0)


def _is_set_by_user() -> bool:
    return "malloc" in os.environ.get("GLIBC_TUNABLES", "") or any(
        name.startswith("MALLOC_") and name.endswith("_") for name in os.environ
    )


@lru_cache(maxsize=1)
def _glibc() -> ctypes.CDLL | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    libc = ctypes.CDLL(None)
    libc.mallopt.argtypes = [ctypes.c_int, ctypes.c_int]
    libc.malloc_trim.argtypes = [ctypes.c_size_t]
    return libc
