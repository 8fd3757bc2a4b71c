"""Peak memory of a cell, and the wall-time and memory limits it runs under inside its process."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import torch

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_INTERVAL = 0.05


class TimeLimit(Exception):
    """The cell ran past `limits.seconds`."""


class MemoryLimit(MemoryError):
    """The process grew past `limits.memory_mib`."""


def resident_mib() -> float:
    """Resident memory of this process in MiB."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        try:
            import psutil
        except ImportError:
            return lifetime_peak_mib()
        return float(psutil.Process().memory_info().rss / 2**20)


def lifetime_peak_mib() -> float:
    """Largest resident memory since the process began, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def _high_water_mib() -> float | None:
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None


def _reset_high_water() -> bool:
    """Ask Linux to start the resident high-water mark afresh; False where it does not let us."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return _high_water_mib() is not None


@dataclass
class Usage:
    """What a block of code used.

    Args:
        host: peak resident memory of the whole process during the block, MiB: interpreter, libraries and data
            included. From the kernel's high-water mark, reset before the block, where the system allows it;
            otherwise the largest of samples taken 20 times a second.
        host_before: resident memory when the block began, MiB; `host - host_before` is what the block added.
        device: peak memory torch allocated on the GPU during the block, MiB; None without a GPU.
        seconds: wall time of the block.
    """

    host: float = 0.0
    host_before: float = 0.0
    device: float | None = None
    seconds: float = 0.0

    def memory_json(self) -> dict[str, float | None]:
        """The `peak_memory_mib` entry of a record."""
        device = None if self.device is None else round(self.device, 1)
        return {"host": round(self.host, 1), "host_before": round(self.host_before, 1), "device": device}


@dataclass
class _Sampler:
    """A thread that keeps the largest resident memory seen and raises the alarm at a limit."""

    memory_mib: float | None
    alarm: bool
    peak: float = 0.0
    exceeded: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="mvgraph-memory", daemon=True)
        thread.start()
        return thread

    def stop(self, thread: threading.Thread) -> None:
        self._stop.set()
        thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL):
            now = resident_mib()
            self.peak = max(self.peak, now)
            if self.memory_mib is not None and now > self.memory_mib and not self.exceeded:
                self.exceeded = True
                if self.alarm:
                    # To the main thread itself, so that a sleeping system call wakes up as well.
                    signal.pthread_kill(_main_thread_id(), signal.SIGALRM)


def _main_thread_id() -> int:
    ident = threading.main_thread().ident
    assert ident is not None
    return ident


@contextmanager
def watched(seconds: float | None = None, memory_mib: float | None = None) -> Iterator[Usage]:
    """Measure a block, and end it with an exception when it breaks a limit.

    The limits act between Python bytecodes of the main thread (SIGALRM), so one long call into a library ends
    only when it returns; away from the main thread they are checked when the block ends.

    Args:
        seconds: wall-time limit, None for none.
        memory_mib: limit of the process's resident memory in MiB, None for none.

    Raises:
        TimeLimit: the block took longer than `seconds`.
        MemoryLimit: the process grew past `memory_mib`.
    """
    usage = Usage(host_before=resident_mib())
    exact = _reset_high_water()
    in_main = threading.current_thread() is threading.main_thread()
    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    sampler = _Sampler(memory_mib, alarm=in_main)

    over = False

    def on_alarm(signum: int, frame: FrameType | None) -> None:
        if over:
            return
        if sampler.exceeded:
            raise MemoryLimit(f"The process grew past the limit of {memory_mib:g} MiB.")
        raise TimeLimit(f"The cell ran past the limit of {seconds:g} seconds.")

    previous = signal.signal(signal.SIGALRM, on_alarm) if in_main else None
    thread = sampler.start()
    begun = time.perf_counter()
    try:
        if in_main and seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        yield usage
    finally:
        over = True
        if in_main:
            signal.setitimer(signal.ITIMER_REAL, 0)
        sampler.stop(thread)
        if in_main:
            signal.signal(signal.SIGALRM, previous if previous is not None else signal.SIG_DFL)
        usage.seconds = time.perf_counter() - begun
        high = _high_water_mib() if exact else None
        usage.host = high if high is not None else max(sampler.peak, resident_mib(), usage.host_before)
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            usage.device = torch.cuda.max_memory_allocated() / 2**20
    if sampler.exceeded:
        raise MemoryLimit(f"The process grew past the limit of {memory_mib:g} MiB.")
    if seconds is not None and usage.seconds > seconds:
        raise TimeLimit(f"The cell ran past the limit of {seconds:g} seconds.")
