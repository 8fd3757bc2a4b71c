"""Who runs a trial, so that the trials of a driver that died are told from those of one that lives.

A trial says where its driver runs (a hash of host, boot and process namespace: no name is kept), its process id and
when that process began; a driver on a shared storage also says every few seconds that it lives.
"""

from __future__ import annotations

import hashlib
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

#: Seconds between two signs of life, and after how many without one a driver elsewhere counts as dead.
BEAT, STALE = 20.0, 300.0
OWNER, ALIVE = "mvgraph:owner", "mvgraph:alive"


@cache
def place() -> str:
    """Where process ids mean the same: host, its boot, and the process namespace (a container has its own)."""
    facts = [platform.node()]
    with suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        facts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("|".join(facts).encode()).hexdigest()[:16]


def started(pid: int) -> str | None:
    """When a process of this place began, in the system's own unit; None when there is none.

    A process id is given anew to another process some day; together with its start it never is.
    """
    try:
        # The name in brackets may hold anything, blanks and brackets too.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # A process that ended but was not fetched by its parent runs nothing.
        return None if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return None
    import psutil

    try:
        return f"{psutil.Process(pid).create_time():.1f}"
    except psutil.Error:
        return None


def me() -> dict[str, Any]:
    """The owner mark of this process."""
    return {"place": place(), "pid": os.getpid(), "started": started(os.getpid())}


def is_dead(owner: Mapping[str, Any], alive: float | None, now: float | None = None) -> bool:
    """Whether the driver that left this mark is gone.

    Args:
        owner: what `me` said there.
        alive: its last sign of life, seconds since the epoch; None if there was none.
        now: seconds since the epoch. Clocks of several machines must agree within minutes.
    """
    if owner.get("place") == place():
        return started(int(owner["pid"])) != owner.get("started")
    return alive is None or (time.time() if now is None else now) - alive > STALE


@contextmanager
def heartbeat(say: Callable[[float], None] | None, every: float = BEAT) -> Iterator[None]:
    """Call `say` with the time, now and every few seconds, from a thread; None says nothing."""
    if say is None:
        yield
        return
    stop = threading.Event()
    say(time.time())

    def run() -> None:
        while not stop.wait(every):
            # A storage that cannot be reached now may be reached next time.
            with suppress(Exception):
                say(time.time())

    thread = threading.Thread(target=run, name="mvgraph-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
