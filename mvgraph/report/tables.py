"""Records -> settings -> leaderboard rows: every number of the leaderboard is made here.

A *setting* is one data set under one split protocol: cells are averaged inside a setting and never across. With
a[s, r] the test accuracy on split s from initialisation seed r:

    mean                     = mean_s mean_r a[s, r]
    split deviation          = sd_s (mean_r a[s, r])      (n - 1; none with one split)
    initialisation deviation = mean_s sd_r a[s, r]        (n - 1; none with one seed)

Failed cells are never imputed: a method that lost one is shown over the cells it has, without a rank. While cells of a
setting are missing its ranks are provisional: over what is done so far.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from mvgraph.report.snapshot import Record, Snapshot

METRICS = ("accuracy", "macro_accuracy", "macro_f1", "log_loss", "macro_log_loss", "brier", "ece")
SELECTIONS = ("last", "validation", "oracle")
REFERENCE = "concat-logreg"
#: The fusion methods of the paper; named here so that the report needs no model code to say how they did.
PAPER_METHODS = ("single-gcn", "mean-gcn", "dm-gcn", "at-gcn")
_PER_SPLIT = {"seed", "index", "hash", "n", "fold", "repeat"}


@dataclass(frozen=True)
class Spread:
    """Mean over splits, with the two deviations kept apart; ``None`` where there is nothing to take them over."""

    mean: float
    split: float | None
    init: float | None


@dataclass(frozen=True)
class Difference:
    """Paired difference a - b over the splits both have (each split's value is a mean over seeds)."""

    a: float
    b: float
    deviation: float | None
    wins: int
    ties: int
    losses: int

    @property
    def mean(self) -> float:
        return self.a - self.b

    @property
    def splits(self) -> int:
        return self.wins + self.ties + self.losses

    @property
    def verdict(self) -> str:
        """``ahead``, ``behind``, or ``level`` when the mean is within one deviation of the paired differences."""
        if self.mean == 0 or (self.deviation is not None and abs(self.mean) <= self.deviation):
            return "level"
        return "ahead" if self.mean > 0 else "behind"


@dataclass
class Runs:
    """The cells of one method (one label) in one setting."""

    label: str
    method: str
    control: str | None
    done: list[Record] = field(default_factory=list)
    failed: list[Record] = field(default_factory=list)
    missing: list[Record] = field(default_factory=list)

    @property
    def planned(self) -> int:
        return len(self.done) + len(self.failed) + len(self.missing)

    @property
    def complete(self) -> bool:
        return bool(self.done) and not self.failed and not self.missing


@dataclass
class Setting:
    """One data set under one split protocol."""

    dataset: str
    protocol: str
    title: str = ""
    slug: str = ""
    runs: dict[str, Runs] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard."""

    label: str
    method: str
    control: str | None
    rank: int | None
    provisional: bool
    accuracy: Spread
    metrics: dict[str, float | None]
    selections: dict[str, float | None]
    parameters: float | None
    seconds: dict[str, float | None]
    memory: dict[str, float | None]
    gap: Difference | None
    done: int
    planned: int
    failed: int


def protocol_title(cell: Record) -> str:
    """``10 % labelled`` or ``k-fold (folds 5)``: the split protocol in words."""
    split = cell.get("split") or {}
    scheme = str(split.get("scheme") or "unknown split")
    parameters = {k: v for k, v in (split.get("parameters") or {}).items() if k not in _PER_SPLIT}
    rate = parameters.pop("rate", None)
    if scheme == "label-rate" and isinstance(rate, int | float):
        return f"{100 * rate:g} % labelled"
    rest = ", ".join(
        f"{k} {json.dumps(v) if not isinstance(v, str) else v}" for k, v in sorted(parameters.items())
    )
    return f"{scheme} ({rest})" if rest else scheme


def settings(snapshot: Snapshot) -> list[Setting]:
    """Group all planned cells; the order is that of the suite file where it names the data set or method."""
    groups: dict[str, list[tuple[str, Record]]] = defaultdict(list)
    # Failed and missing cells too, so that a method without one result still stands in its setting.
    for kind, records in (
        ("done", snapshot.records),
        ("failed", snapshot.failures),
        ("missing", snapshot.missing),
    ):
        for record in records:
            groups[_setting_key(record["cell"])].append((kind, record))
    result = []
    for key in sorted(groups, key=lambda k: _setting_order(snapshot, groups[k][0][1]["cell"], k)):
        cell = groups[key][0][1]["cell"]
        setting = Setting(str(cell.get("dataset")), protocol_title(cell))
        for kind, record in groups[key]:
            cell = record["cell"]
            label = str(cell.get("label") or cell.get("method"))
            runs = setting.runs.setdefault(label, Runs(label, str(cell.get("method")), cell.get("control")))
            getattr(runs, kind).append(record)
        setting.runs = {label: setting.runs[label] for label in method_order(snapshot, setting.runs)}
        result.append(setting)
    _name(result)
    return result


def method_order(snapshot: Snapshot, labels: Iterable[str]) -> list[str]:
    """Labels as the suite file lists them, then any others by name."""
    listed: dict[str, int] = {}
    for entry in snapshot.suite.get("methods") or []:
        name = entry if isinstance(entry, str) else str(entry.get("label") or entry.get("method"))
        listed.setdefault(name, len(listed))
    return sorted(set(labels), key=lambda label: (listed.get(label, len(listed)), label))


def leaderboard(setting: Setting, selection: str) -> list[Row]:
    """Rows by falling mean test accuracy under ``selection``; methods without failures first, ranked (ties share)."""
    reference = next(
        (r for r in setting.runs.values() if r.method == REFERENCE and not r.control and r.done), None
    )
    means = {label: spread(runs.done, selection) for label, runs in setting.runs.items() if runs.done}
    ranked = [means[label].mean for label in means if not setting.runs[label].failed]
    unfinished = any(runs.missing for runs in setting.runs.values())
    rows = []
    for label, accuracy in means.items():
        runs = setting.runs[label]
        gap = (
            difference(runs.done, reference.done, selection) if reference and runs is not reference else None
        )
        rows.append(
            Row(
                label=label,
                method=runs.method,
                control=runs.control,
                rank=None if runs.failed else 1 + sum(other > accuracy.mean for other in ranked),
                provisional=unfinished,
                accuracy=accuracy,
                metrics={m: _mean(over_splits(runs.done, selection, m).values()) for m in METRICS},
                selections={s: _mean(over_splits(runs.done, s, "accuracy").values()) for s in SELECTIONS},
                parameters=_mean(_numbers(r.get("parameters") for r in runs.done)),
                seconds=_phase_means(runs.done, "seconds", ("graph", "training", "inference", "total")),
                memory=_phase_means(runs.done, "peak_memory_mib", ("host", "device")),
                gap=gap,
                done=len(runs.done),
                planned=runs.planned,
                failed=len(runs.failed),
            )
        )
    return sorted(rows, key=lambda row: (row.rank is None, -row.accuracy.mean, row.label))


def cell_metric(record: Record, selection: str, metric: str) -> float | None:
    """One test figure of one cell, ``None`` when the cell has none (no oracle without curves, say)."""
    part = ((record.get("metrics") or {}).get(selection) or {}).get("test") or {}
    return _number(part.get(metric))


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


def spread(records: Sequence[Record], selection: str) -> Spread:
    """Mean accuracy with its deviation over splits and, within splits, over seeds."""
    values = by_split(records, selection, "accuracy")
    if not values:
        return Spread(float("nan"), None, None)
    means = [fmean(v) for v in values.values()]
    within = [stdev(v) for v in values.values() if len(v) > 1]
    return Spread(
        round(fmean(means), 12), stdev(means) if len(means) > 1 else None, fmean(within) if within else None
    )


def difference(a: Sequence[Record], b: Sequence[Record], selection: str) -> Difference | None:
    """Paired over common splits; ``None`` when there is none."""
    left, right = over_splits(a, selection, "accuracy"), over_splits(b, selection, "accuracy")
    common = [s for s in left if s in right]
    if not common:
        return None
    deltas = [left[s] - right[s] for s in common]
    means = fmean(left[s] for s in common), fmean(right[s] for s in common)
    wins, losses = sum(d > 0 for d in deltas), sum(d < 0 for d in deltas)
    deviation = stdev(deltas) if len(deltas) > 1 else None
    return Difference(*means, deviation, wins, len(deltas) - wins - losses, losses)


def split_key(cell: Record) -> str:
    """What tells the splits of a setting apart."""
    split = cell.get("split") or {}
    return str(split.get("hash") or f"{split.get('seed')}/{split.get('index')}")


def slugify(text: str) -> str:
    """A text as part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("%", "pc")).strip("-") or "x"


def _setting_key(cell: Record) -> str:
    split = cell.get("split") or {}
    parameters = {k: v for k, v in (split.get("parameters") or {}).items() if k not in _PER_SPLIT}
    parts = [cell.get("dataset"), cell.get("fingerprint"), cell.get("views"), split.get("scheme"), parameters]
    return json.dumps(parts, sort_keys=True, default=str)


def _setting_order(snapshot: Snapshot, cell: Record, key: str) -> tuple[int, int, str]:
    names = [str(d) for d in snapshot.suite.get("datasets") or []]
    dataset = str(cell.get("dataset"))
    parameters = (cell.get("split") or {}).get("parameters") or {}
    rate = _number(parameters.get("rate")) or 0.0
    return (names.index(dataset) if dataset in names else len(names), round(rate * 1e6), key)


def _name(found: list[Setting]) -> None:
    """Titles say only what tells settings apart; a number settles what is still equal (same name, other content)."""
    several = len({s.protocol for s in found}) > 1
    taken: dict[str, int] = defaultdict(int)
    slugs: dict[str, int] = defaultdict(int)
    for setting in found:
        title = f"{setting.dataset}, {setting.protocol}" if several else setting.dataset
        taken[title] += 1
        setting.title = title if taken[title] == 1 else f"{title} (variant {taken[title]})"
        slug = slugify(setting.title)
        slugs[slug] += 1
        setting.slug = slug if slugs[slug] == 1 else f"{slug}-{slugs[slug]}"


def _phase_means(records: Sequence[Record], key: str, phases: Sequence[str]) -> dict[str, float | None]:
    return {p: _mean(_numbers((r.get(key) or {}).get(p) for r in records)) for p in phases}


def _numbers(values: Iterable[Any]) -> list[float]:
    return [n for n in map(_number, values) if n is not None]


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return float(value)


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return fmean(listed) if listed else None
