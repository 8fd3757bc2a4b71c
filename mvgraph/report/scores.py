"""Records -> test figures by split: a mean over seeds for each split, and what it varies by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from mvgraph.report.snapshot import Record


@dataclass(frozen=True)
class Spread:
    """Mean over splits, with the two deviations kept apart; ``None`` where there is nothing to take them over."""

    mean: float
    split: float | None
    init: float | None


def cell_metric(record: Record, selection: str, metric: str) -> float | None:
    """One test figure of one cell, ``None`` when the cell has none (no oracle without curves, say)."""
    part = ((record.get("metrics") or {}).get(selection) or {}).get("test") or {}
    return number(part.get(metric))


def by_split(records: Iterable[Record], selection: str, metric: str) -> dict[str, list[float]]:
    """Split identity -> one value a seed. The split's content hash pairs methods, whatever order they ran in."""
    values: dict[str, list[float]] = defaultdict(list)
    for record in records:
        value = cell_metric(record, selection, metric)
        if value is not None:
            values[split_key(record["cell"])].append(value)
    return dict(values)


def over_splits(records: Iterable[Record], selection: str, metric: str) -> dict[str, float]:
    """Split identity -> mean over seeds, rounded far below any digit shown so that equal accuracies are equal."""
    return {split: round(fmean(values), 12) for split, values in by_split(records, selection, metric).items()}


def spread(records: Sequence[Record], selection: str, metric: str = "accuracy") -> Spread:
    """Mean of a test figure with its deviation over splits and, within splits, over seeds."""
    values = by_split(records, selection, metric)
    if not values:
        return Spread(float("nan"), None, None)
    means = [fmean(v) for v in values.values()]
    within = [stdev(v) for v in values.values() if len(v) > 1]
    return Spread(
        round(fmean(means), 12), stdev(means) if len(means) > 1 else None, fmean(within) if within else None
    )


def split_key(cell: Record) -> str:
    """What tells the splits of a setting apart."""
    split = cell.get("split") or {}
    return str(split.get("hash") or f"{split.get('seed')}/{split.get('index')}")


def split_sizes(cell: Record) -> tuple[int | None, int | None]:
    """Training and test rows of a cell's split, None for what the record does not tell."""
    sizes = {
        **((cell.get("protocol") or {}).get("labelled") or {}),
        **((cell.get("split") or {}).get("sizes") or {}),
    }
    train, test = (sizes.get(part) for part in ("train", "test"))
    return train if isinstance(train, int) else None, test if isinstance(test, int) else None


def number(value: Any) -> float | None:
    """A number as float; None for anything else, NaN included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return float(value)
