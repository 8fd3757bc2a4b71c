"""What a run would cost: cells to compute, cells at hand, and time learned from cells that were done before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from mvgraph.bench.plan import Cell


@dataclass(frozen=True)
class Estimate:
    """The outlook of a run.

    Args:
        cells: cells of the plan; cached: those already done that stay; to_run: those this run would compute;
            held_back: those that failed or are skipped and would not be tried again.
        seconds: estimated time of the cells to run whose method and data set have been run before.
        unknown: cells to run without such a history, not in `seconds`.
    """

    cells: int
    cached: int
    to_run: int
    held_back: int
    seconds: float
    unknown: int

    def sentence(self) -> str:
        """The estimate in words."""
        parts = [f"{self.cells} cells, {self.cached} cached, {self.to_run} to run"]
        if self.held_back:
            parts.append(f"{self.held_back} failed or skipped before")
        if self.to_run > self.unknown:
            parts.append(f"about {duration(self.seconds)} by earlier cells")
        if self.unknown:
            parts.append(f"{self.unknown} without an earlier cell to judge by")
        return "; ".join(parts) + "."


def make_estimate(
    cells: Sequence[Cell],
    to_run: Sequence[Cell],
    statuses: Mapping[str, str],
    records: Sequence[Mapping[str, Any]],
) -> Estimate:
    """Estimate by the median wall time of done cells of the same method, options aside, on the same data.

    Args:
        cells: the plan; to_run: those of it that would run.
        statuses: status by cell id in the ledger.
        records: done records of the ledger, earlier plans included.
    """
    history: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for record in records:
        cell, seconds = record["cell"], record["seconds"]
        if not seconds:
            # Imported predictions: nobody knows what they took.
            continue
        history[_key(cell["method"], cell["fingerprint"], cell.get("tune"))].append(
            float(seconds.get("cell") or seconds["total"])
        )
    known = [history[_key(cell.method, cell.fingerprint, cell.tune)] for cell in to_run]
    chosen = {cell.id for cell in to_run}
    cached = sum(statuses.get(cell.id) == "done" and cell.id not in chosen for cell in cells)
    return Estimate(
        cells=len(cells),
        cached=cached,
        to_run=len(to_run),
        held_back=sum(statuses.get(cell.id) in ("failed", "timeout", "oom", "skipped") for cell in cells)
        - sum(statuses.get(cell.id) in ("failed", "timeout", "oom", "skipped") for cell in to_run),
        seconds=sum(median(times) for times in known if times),
        unknown=sum(not times for times in known),
    )


def _key(method: str, fingerprint: str, tune: Mapping[str, Any] | None) -> tuple[str, str, int]:
    # A cell with a search takes as long as its fits, of which there are so many.
    return method, fingerprint, 0 if tune is None else int(tune["trials"]) * int(tune["inner"])


def duration(seconds: float) -> str:
    """Seconds in words: 4.2 s, 3 min 5 s, 2 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
