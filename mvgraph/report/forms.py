"""How numbers are written, the same in HTML and Markdown. A missing number is an en dash, never a zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mvgraph.evaluation import LEVEL
from mvgraph.report.majority import MARK
from mvgraph.report.ranking import DASH, MEASURES, Measure
from mvgraph.report.style import signed
from mvgraph.report.tables import REFERENCE, Row

#: Heading of the column that `interval` fills.
INTERVAL = f"{100 * (1 - LEVEL):g} % interval"


class Column(NamedTuple):
    """One column of a table. ``sense``: 1 when more is better, -1 when less is, 0 when neither."""

    name: str
    heading: str
    unit: str
    meaning: str
    sense: int
    value: Callable[[Row], float | None]
    form: Callable[[float | None], str]

    def text(self, row: Row) -> str:
        return self.form(self.value(row))


def percent(value: float | None, digits: int = 1) -> str:
    """A share as per cent; a dash when it is missing or not a number."""
    return DASH if value is None or value != value else f"{100 * value:.{digits}f}"


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with fixed digits; a dash when it is missing or not a number."""
    return DASH if value is None or value != value else f"{value:.{digits}f}"


def points(value: float | None) -> str:
    """A difference of shares in points, with its sign."""
    return DASH if value is None else signed(100 * value)


def count(value: float | None) -> str:
    """A whole number with thousands separated."""
    return DASH if value is None else f"{value:,.0f}"


def plural(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def seconds(value: float | None) -> str:
    """Seconds, with digits that matter."""
    if value is None:
        return DASH
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def rank(row: Row) -> str:
    """A rank, in brackets while cells are missing."""
    if row.rank is None:
        return DASH
    return f"({row.rank})" if row.provisional else str(row.rank)


def _metric(measure: Measure) -> Column:
    return Column(
        measure.key,
        measure.heading,
        measure.unit,
        measure.meaning,
        measure.sense,
        lambda r: r.metrics[measure.key],
        measure.text,
    )


_OTHERS: tuple[Column, ...] = (
    *(_metric(MEASURES[name]) for name in ("accuracy", "macro-f1", "log-loss")),
    Column(
        "brier",
        "Brier",
        "",
        "squared distance of the probabilities from the truth",
        -1,
        lambda r: r.metrics["brier"],
        decimal,
    ),
    Column("ece", "ECE", "%", "expected calibration error", -1, lambda r: r.metrics["ece"], percent),
)


def quality(measure: Measure) -> tuple[Column, ...]:
    """Columns of a leaderboard: the figure that ranks with its deviations, other figures, the gap in the first."""
    what = measure.words
    return (
        _metric(measure)._replace(name="score", value=lambda r: r.score.mean),
        Column(
            "split",
            "± split",
            measure.unit,
            f"deviation of {what} over splits, of the means over seeds",
            0,
            lambda r: r.score.split,
            measure.text,
        ),
        Column(
            "init",
            "± init",
            measure.unit,
            f"mean deviation of {what} over initialisation seeds within a split",
            0,
            lambda r: r.score.init,
            measure.text,
        ),
        *(column for column in _OTHERS if column.name != measure.key),
        Column(
            "gap",
            "Gap",
            measure.gap_unit,
            f"{what} minus that of {REFERENCE}, paired by split",
            measure.sense,
            lambda r: r.gap.mean if r.gap else None,
            measure.gap,
        ),
    )


def interval(row: Row) -> str:
    """The interval of a row's gap; a dash where nothing was tested."""
    return DASH if row.gap is None else row.gap.interval


def name(row: Row) -> str:
    """A row's label, with the mark of a method that is not above the majority class."""
    return f"{row.label} ({MARK})" if row.above_majority is False else row.label


def cells(row: Row) -> str:
    """Done of planned cells."""
    return "computed" if row.computed else f"{row.done}/{row.planned}"


SELECTION: tuple[Column, ...] = (
    Column(
        "last",
        "Last epoch",
        "%",
        "test accuracy after the last epoch",
        1,
        lambda r: r.selections["last"],
        percent,
    ),
    Column(
        "validation",
        "Validation-selected",
        "%",
        "test accuracy at the epoch of lowest validation log-loss",
        1,
        lambda r: r.selections["validation"],
        percent,
    ),
    Column(
        "oracle",
        "Test oracle",
        "%",
        "best test accuracy over epochs: never ranks",
        0,
        lambda r: r.selections["oracle"],
        percent,
    ),
    Column(
        "oracle_gap",
        "Oracle minus last",
        "points",
        "what choosing the epoch on test rows would have added",
        0,
        lambda r: (
            None
            if r.selections["oracle"] is None or r.selections["last"] is None
            else r.selections["oracle"] - r.selections["last"]
        ),
        points,
    ),
)
COST: tuple[Column, ...] = (
    Column("parameters", "Parameters", "", "trained numbers", -1, lambda r: r.parameters, count),
    Column(
        "graph_s", "Graph", "s", "building the graph, mean a cell", 0, lambda r: r.seconds["graph"], seconds
    ),
    Column("training_s", "Training", "s", "mean a cell", -1, lambda r: r.seconds["training"], seconds),
    Column("inference_s", "Inference", "s", "mean a cell", -1, lambda r: r.seconds["inference"], seconds),
    Column("host_mib", "Peak host memory", "MiB", "mean a cell", -1, lambda r: r.memory["host"], count),
    Column("device_mib", "Peak device memory", "MiB", "mean a cell", -1, lambda r: r.memory["device"], count),
)


def best(rows: Sequence[Row], column: Column) -> str | None:
    """The text of a column's best ranked value; equal texts are equally best, unless all are."""
    found = [v for r in rows if r.rank is not None and (v := column.value(r)) is not None and v == v]
    if not column.sense or len({column.form(v) for v in found}) < 2:
        return None
    return column.form(max(found) if column.sense > 0 else min(found))
