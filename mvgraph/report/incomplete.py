"""Rows that lack a view: how well methods do on them, apart from rows that have every view."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from mvgraph.report.ranking import ACCURACY
from mvgraph.report.scores import number, split_key
from mvgraph.report.snapshot import Record
from mvgraph.report.tables import Row, Setting

PARTS = ("complete", "incomplete")


@dataclass(frozen=True)
class Line:
    """Test accuracy of one method on rows with every view and on rows that lack one; None where there are none."""

    label: str
    complete: float | None
    incomplete: float | None

    @property
    def texts(self) -> tuple[str, str, str]:
        """Both in per cent, and their difference in points."""
        both = self.complete is not None and self.incomplete is not None
        gap = self.incomplete - self.complete if both else None  # type: ignore[operator]
        return ACCURACY.text(self.complete), ACCURACY.text(self.incomplete), ACCURACY.gap(gap)


@dataclass(frozen=True)
class Incomplete:
    """The table of one setting.

    Args:
        rows: mean number of test rows of a split that have every view, and that lack one.
    """

    rows: tuple[float, float]
    lines: tuple[Line, ...]

    @property
    def heads(self) -> tuple[str, ...]:
        complete, lacking = (f"{count:,.1f}".removesuffix(".0") for count in self.rows)
        return (
            "method",
            f"accuracy, rows with every view (%; {complete} rows)",
            f"accuracy, rows that lack a view (%; {lacking} rows)",
            "difference (points)",
        )

    @property
    def table(self) -> tuple[tuple[str, ...], ...]:
        """Rows of text."""
        return tuple((line.label, *line.texts) for line in self.lines)


def incomplete(setting: Setting, rows: Sequence[Row], selection: str) -> Incomplete | None:
    """The table; None where every row has every view, or records do not tell."""
    done = [record for row in rows for record in setting.runs[row.label].done]
    counts = [_mean_over_splits(done, selection, part, "rows") for part in PARTS]
    if not counts[1]:
        return None
    lines = tuple(
        Line(
            row.label,
            *(_mean_over_splits(setting.runs[row.label].done, selection, part, "accuracy") for part in PARTS),
        )
        for row in rows
    )
    return Incomplete((counts[0] or 0.0, counts[1]), lines)


def _mean_over_splits(records: Sequence[Record], selection: str, part: str, name: str) -> float | None:
    values: dict[str, list[float]] = defaultdict(list)
    for record in records:
        test = ((record.get("metrics") or {}).get(selection) or {}).get("test") or {}
        value = number((test.get(part) or {}).get(name))
        if value is not None:
            values[split_key(record["cell"])].append(value)
    return fmean(fmean(v) for v in values.values()) if values else None
