"""Peak memory of an action, beyond what the process held before it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil


def extra_peak_mib(action: Callable[[], Any]) -> float:
    """MiB by which the resident set of this process rose while `action` ran.

    Linux keeps the peak itself (VmHWM, reset through clear_refs); elsewhere a thread looks every 5 ms.
    """
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return _sampled(action, process, before)
    kept = action()
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    del kept
    return max(0, peak - before) / 2**20


def fresh_peak_mib(statements: str, *words: str) -> float:
    """The same for Python statements in a process of their own, which holds no memory that others gave back.

    Args:
        statements: imports, then a function `action` without arguments.
        words: become `sys.argv[1:]`.
    """
    program = f"{statements}\nfrom memory import extra_peak_mib\nprint(extra_peak_mib(action))"
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    return float(done.stdout.strip().splitlines()[-1])


def _sampled(action: Callable[[], Any], process: psutil.Process, before: int) -> float:
    peak, done = before, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        kept = action()
    finally:
        done.set()
        watcher.join()
    del kept
    return max(0, peak - before) / 2**20
