"""What a graph would cost, said before it is paid."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.graph.rows import Rows, full_precision
from mvgraph.graph.streaming import BLOCK_ELEMENTS, Pass

#: Rows under which nobody asks what exact search costs.
UNASKED = 200_000
#: Rows of the trial whose time is extrapolated.
TRIAL = 8192
#: Seconds of exact search that are refused unless asked for.
MAX_SECONDS = 4 * 3600.0


@dataclass(frozen=True)
class Estimate:
    """Cost of the graph of one view: peak bytes beside the data, and seconds of search (None: not estimated)."""

    bytes: int
    seconds: float | None


def memory_of(n: int, d: int, k: int) -> int:
    """Bytes that the graph of one view takes at its peak, beside the view itself.

    Search holds centred rows, their tiles, a block and the neighbour table; symmetrising holds the table, the
    directed edges, their transpose and a result of up to twice as many.
    """
    table = 12 * n * k
    search = 4 * n * d + 4 * n * (d + 2) + 4 * BLOCK_ELEMENTS + table
    symmetrising = table + 12 * n * k + 12 * n * k + 2 * 12 * n * k + 32 * n
    return max(search, symmetrising)


def estimate(rows: Tensor, k: int, *, exact: bool = True) -> Estimate:
    """What kNN of these rows costs; the time of an exact search by a trial on the first `TRIAL` rows.

    Shapes:
        rows: (N, d) float32
    """
    n, d = rows.shape
    seconds = None
    if exact:
        part = rows[:TRIAL].contiguous()
        with full_precision(), torch.no_grad():
            trial = Pass(Rows.of(part), min(k, len(part) - 1))
            trial.run(0)
            _wait(rows)
            begin = time.perf_counter()
            starts = trial.blocks()[:4]
            for start in starts:
                trial.run(start)
            _wait(rows)
        pairs = min(len(part), trial.block * len(starts)) * len(part)
        seconds = (time.perf_counter() - begin) * n * n / pairs
    return Estimate(memory_of(n, d, k), seconds)


def check_affordable(
    rows: Tensor, k: int, what: str, *, exact: bool = True, max_seconds: float | None = MAX_SECONDS
) -> None:
    """Refuse a search that cannot fit the memory, or whose exact form would take too long.

    Raises:
        UserError: with the estimate, and what to do instead.
    """
    n, d = rows.shape
    timed = exact and max_seconds is not None and n >= UNASKED
    cost = estimate(rows, k, exact=timed)
    free = available_memory(rows.device)
    if free is not None and cost.bytes > free:
        raise UserError(
            f"the kNN graph of {what} ({n} rows, {d} columns, k = {k}) would take about "
            f"{_gib(cost.bytes)} beside the data, but {_gib(free)} are free on {rows.device.type}; choose a "
            "smaller k, fewer rows, or another device"
        )
    if max_seconds is not None and cost.seconds is not None and cost.seconds > max_seconds:
        raise UserError(
            f"exact kNN of {what} ({n} rows, {d} columns) would take about {cost.seconds / 3600:.0f} hours and "
            f'{_gib(cost.bytes)} here; say approx="ivf", which measures its recall, use a GPU, or allow it with '
            "max_seconds=None"
        )


def available_memory(device: torch.device) -> int | None:
    """Bytes free on a device; on the CPU also under the limit of the control group. None when unknown."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free) + int(cached)
    known = [value for value in (_system_free(), _group_free()) if value is not None]
    return min(known) if known else None


def _system_free() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def _group_free() -> int | None:
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        # The page cache counts as used, but is given up when asked for.
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(0, int(limit) - used + int(stat.get("inactive_file", 0)))


def _wait(rows: Tensor) -> None:
    if rows.device.type == "cuda":
        torch.cuda.synchronize(rows.device)


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
