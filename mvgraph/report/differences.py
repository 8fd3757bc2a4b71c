"""Paired differences between two methods of one setting, and what may be said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from mvgraph.evaluation import LEVEL, PairedTest, paired_test
from mvgraph.report.ranking import ACCURACY, Measure
from mvgraph.report.scores import over_splits, split_key, split_sizes
from mvgraph.report.snapshot import Record

#: Split -> training and test rows.
Sizes = Mapping[str, tuple[int | None, int | None]]
_INTERVAL = f"{100 * (1 - LEVEL):g} % interval"


@dataclass(frozen=True)
class Difference:
    """Paired difference a - b over the splits both have (each split's value is a mean over seeds).

    Args:
        a, b: means over these splits.
        deviation: of the differences, None with one split.
        wins, ties, losses: splits on which `a` is better, equal, worse.
        deltas: a - b, one a split.
        test: what the splits together say.
    """

    measure: Measure
    a: float
    b: float
    deviation: float | None
    wins: int
    ties: int
    losses: int
    deltas: tuple[float, ...]
    test: PairedTest

    @property
    def mean(self) -> float:
        return self.a - self.b

    @property
    def splits(self) -> int:
        return len(self.deltas)

    @property
    def verdict(self) -> str:
        """``ahead``, ``behind``, ``level`` (tested, no clear difference) or ``none`` (no test, so no verdict)."""
        if self.test.verdict in {"none", "level"}:
            return self.test.verdict
        return "ahead" if (self.test.verdict == "higher") == (self.measure.sense > 0) else "behind"

    @property
    def interval(self) -> str:
        """``+0.9 to +1.9``, in the unit of a difference; a dash without a test."""
        low, high = self.measure.gap(self.test.low), self.measure.gap(self.test.high)
        return low if self.test.low is None else f"{low} to {high}"

    @property
    def figures(self) -> str:
        """The difference, its interval and what it is the difference of, for a sentence."""
        measure, test = self.measure, self.test
        inside = f"{measure.text(self.a)} against {measure.amount(self.b)}"
        gap = f"{measure.gap(self.mean)} {measure.gap_unit}"
        if test.p is None:
            return f"{gap} ({inside})"
        p = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.2g}"
        return f"{gap}, {_INTERVAL} {self.interval} ({inside}, {self.splits} splits, {p})"


def paired(
    left: Mapping[str, float], right: Mapping[str, float], sizes: Sizes, measure: Measure
) -> Difference | None:
    """The difference of two scores by split over the splits both have; ``None`` when there is none."""
    common = [split for split in left if split in right]
    if not common:
        return None
    deltas = [left[s] - right[s] for s in common]
    # Rounded, so that equal scores are equal in spite of floating point.
    signs = [measure.sense * round(d, 12) for d in deltas]
    wins, losses = sum(d > 0 for d in signs), sum(d < 0 for d in signs)
    train, test = ([sizes.get(s, (None, None))[part] for s in common] for part in (0, 1))
    return Difference(
        measure=measure,
        a=fmean(left[s] for s in common),
        b=fmean(right[s] for s in common),
        deviation=stdev(deltas) if len(deltas) > 1 else None,
        wins=wins,
        ties=len(deltas) - wins - losses,
        losses=losses,
        deltas=tuple(deltas),
        test=paired_test([round(d, 12) for d in deltas], train, test),
    )


def difference(
    a: Sequence[Record], b: Sequence[Record], selection: str, measure: Measure = ACCURACY
) -> Difference | None:
    """Paired over common splits; ``None`` when there is none."""
    left, right = (over_splits(records, selection, measure.key) for records in (a, b))
    return paired(left, right, sizes_of(a), measure)


def sizes_of(records: Sequence[Record]) -> Sizes:
    """Training and test rows of every split of some cells."""
    return {split_key(record["cell"]): split_sizes(record["cell"]) for record in records}
