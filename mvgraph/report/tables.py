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
from statistics import fmean
from typing import Any

from mvgraph.report.differences import Difference, difference
from mvgraph.report.majority import METHOD as MAJORITY
from mvgraph.report.majority import Majority, is_above
from mvgraph.report.ranking import ACCURACY, Measure
from mvgraph.report.scores import Spread, number, over_splits, spread
from mvgraph.report.snapshot import Record, Snapshot

METRICS = ("accuracy", "macro_accuracy", "macro_f1", "log_loss", "macro_log_loss", "brier", "ece")
SELECTIONS = ("last", "validation", "oracle")
REFERENCE = "concat-logreg"
#: The fusion methods of the paper; named here so that the report needs no model code to say how they did.
PAPER_METHODS = ("single-gcn", "mean-gcn", "dm-gcn", "at-gcn")
_PER_SPLIT = {"seed", "index", "hash", "n", "fold", "repeat"}


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
    """One line of the leaderboard.

    Args:
        rank: by `score`, the figure that ranks; None for a method with failed cells, and for what is no method.
        gap: to concat-logreg, in the figure that ranks.
        above_majority: None where the majority class is not known.
        computed: not a method that ran, but the reference that the report computes.
    """

    label: str
    method: str
    control: str | None
    rank: int | None
    provisional: bool
    score: Spread
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
    above_majority: bool | None = None
    computed: bool = False


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


def leaderboard(
    setting: Setting, selection: str, measure: Measure = ACCURACY, majority: Majority | None = None
) -> list[Row]:
    """Rows from the best mean test figure down; methods without failures first, ranked (ties share).

    Args:
        selection: rule whose figures rank.
        measure: the figure that ranks.
        majority: split -> metrics of the majority class, to tell who is above it.
    """
    reference = next(
        (r for r in setting.runs.values() if r.method == REFERENCE and not r.control and r.done), None
    )
    means = {
        label: spread(runs.done, selection, measure.key) for label, runs in setting.runs.items() if runs.done
    }
    ranked = [
        means[label].mean for label in means if not setting.runs[label].failed and _known(means[label].mean)
    ]
    unfinished = any(runs.missing for runs in setting.runs.values())
    rows = []
    for label, score in means.items():
        runs = setting.runs[label]
        unranked = runs.failed or not _known(score.mean)
        rows.append(
            Row(
                label=label,
                method=runs.method,
                control=runs.control,
                rank=None if unranked else 1 + sum(measure.better(other, score.mean) for other in ranked),
                provisional=unfinished,
                score=score,
                accuracy=spread(runs.done, selection),
                metrics={m: _mean(over_splits(runs.done, selection, m).values()) for m in METRICS},
                selections={s: _mean(over_splits(runs.done, s, "accuracy").values()) for s in SELECTIONS},
                parameters=_mean(_numbers(r.get("parameters") for r in runs.done)),
                seconds=_phase_means(runs.done, "seconds", ("graph", "training", "inference", "total")),
                memory=_phase_means(runs.done, "peak_memory_mib", ("host", "device")),
                gap=difference(runs.done, reference.done, selection, measure)
                if reference and runs is not reference
                else None,
                done=len(runs.done),
                planned=runs.planned,
                failed=len(runs.failed),
                above_majority=is_above(runs.done, majority, selection, measure)
                if majority and runs.method != MAJORITY
                else None,
            )
        )
    return sorted(rows, key=lambda row: order_key(row, measure))


def order_key(row: Row, measure: Measure) -> tuple[bool, bool, float, str]:
    """What rows are sorted by: ranked ones first, then the better score, then the label."""
    known = _known(row.score.mean)
    return (
        row.rank is None and not row.computed,
        not known,
        -measure.sense * row.score.mean if known else 0.0,
        row.label,
    )


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
    rate = number(parameters.get("rate")) or 0.0
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


def _known(value: float) -> bool:
    return value == value


def _phase_means(records: Sequence[Record], key: str, phases: Sequence[str]) -> dict[str, float | None]:
    return {p: _mean(_numbers((r.get(key) or {}).get(p) for r in records)) for p in phases}


def _numbers(values: Iterable[Any]) -> list[float]:
    return [n for n in map(number, values) if n is not None]


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return fmean(listed) if listed else None
