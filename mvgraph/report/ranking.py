"""By which figure methods are ranked, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mvgraph.errors import UserError
from mvgraph.report.style import signed

DASH = "–"


@dataclass(frozen=True)
class Measure:
    """A figure of the test rows that can rank.

    Args:
        name: in a suite and on the command line; key: in a cell's metrics.
        sense: 1 when more is better, -1 when less is.
        unit, gap_unit: of a value and of a difference; scale: from stored to shown values.
    """

    name: str
    key: str
    heading: str
    meaning: str
    sense: int
    unit: str = "%"
    gap_unit: str = "points"
    scale: float = 100.0
    digits: int = 1

    @property
    def words(self) -> str:
        """The heading inside a sentence."""
        return self.heading[0].lower() + self.heading[1:]

    def better(self, a: float, b: float) -> bool:
        """Whether `a` is better than `b`."""
        return self.sense * (a - b) > 0

    def text(self, value: float | None) -> str:
        """A value with its digits; a dash when it is missing or not a number."""
        return DASH if value is None or value != value else f"{self.scale * value:.{self.digits}f}"

    def gap(self, value: float | None) -> str:
        """A difference with its sign; a dash when it is missing or not a number."""
        return DASH if value is None or value != value else signed(self.scale * value, self.digits)

    def amount(self, value: float) -> str:
        """A value with its unit."""
        return f"{self.text(value)} {self.unit}"


ACCURACY = Measure("accuracy", "accuracy", "Accuracy", "mean test accuracy over splits", 1)
#: Every figure that can rank, by its name.
MEASURES: Mapping[str, Measure] = {
    m.name: m
    for m in (
        ACCURACY,
        Measure(
            "macro-accuracy", "macro_accuracy", "Macro-accuracy", "mean recall of the classes, over splits", 1
        ),
        Measure("macro-f1", "macro_f1", "Macro-F1", "F1 averaged over classes", 1),
        Measure(
            "log-loss", "log_loss", "Log-loss", "mean natural-log cross-entropy", -1, "nat", "nat", 1.0, 3
        ),
    )
}


def measure_named(name: str | None, suite: Mapping[str, Any] | None = None) -> Measure:
    """The measure of that name; without one that of the suite, accuracy when it has none either.

    Raises:
        UserError: no such measure.
    """
    wanted = str(name if name is not None else (suite or {}).get("rank_by") or ACCURACY.name)
    if wanted not in MEASURES:
        raise UserError(f"Nothing ranks by '{wanted}'; take one of {', '.join(MEASURES)}.")
    return MEASURES[wanted]
