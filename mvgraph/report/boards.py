"""One leaderboard with its verdicts for each figure that can rank: the page switches between them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev

from mvgraph.report.compare import Control, Verdict, controls, verdicts
from mvgraph.report.majority import LABEL, METHOD, Majority, majority_by_split
from mvgraph.report.ranking import MEASURES, Measure
from mvgraph.report.scores import Spread
from mvgraph.report.tables import METRICS, SELECTIONS, Row, Setting, leaderboard, order_key


@dataclass(frozen=True)
class Board:
    """The leaderboard of one setting by one figure.

    Args:
        rows: of methods, best first.
        majority: the computed majority class; None where it is not known or ran as a method.
        lines: all of them in the order in which they are shown.
    """

    measure: Measure
    rows: list[Row]
    majority: Row | None
    verdicts: list[Verdict]
    controls: list[Control]

    @property
    def lines(self) -> list[Row]:
        if self.majority is None:
            return self.rows
        return sorted([*self.rows, self.majority], key=lambda row: order_key(row, self.measure))


def boards(setting: Setting, selection: str, majority: Majority) -> dict[str, Board]:
    """The leaderboard by every figure that can rank."""
    return {measure.name: board(setting, selection, majority, measure) for measure in MEASURES.values()}


def board(setting: Setting, selection: str, majority: Majority, measure: Measure) -> Board:
    """The leaderboard by one figure."""
    rows = leaderboard(setting, selection, measure, majority)
    return Board(
        measure=measure,
        rows=rows,
        majority=majority_row(majority, setting, measure),
        verdicts=verdicts(setting, rows),
        controls=controls(setting, selection, measure),
    )


def majority_row(majority: Majority, setting: Setting, measure: Measure) -> Row | None:
    """The majority class as a line of the leaderboard; None where it is not known or ran as a method."""
    ran = any(r.method == METHOD and r.done for r in setting.runs.values())
    if not majority or ran:
        return None
    metrics = {name: fmean(majority_by_split(majority, name).values()) for name in METRICS}
    return Row(
        label=LABEL,
        method=METHOD,
        control=None,
        rank=None,
        provisional=False,
        score=_spread(majority, measure.key),
        accuracy=_spread(majority, "accuracy"),
        metrics=dict(metrics),
        selections=dict.fromkeys(SELECTIONS),
        parameters=None,
        seconds=dict.fromkeys(("graph", "training", "inference", "total")),
        memory=dict.fromkeys(("host", "device")),
        gap=None,
        done=0,
        planned=0,
        failed=0,
        computed=True,
    )


def _spread(majority: Majority, key: str) -> Spread:
    values = list(majority_by_split(majority, key).values())
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, None)
