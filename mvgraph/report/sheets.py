"""The report as CSV: one line a row of the leaderboard, one line a cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from mvgraph.report.assemble import Report, SettingReport
from mvgraph.report.snapshot import Snapshot
from mvgraph.report.tables import METRICS, SELECTIONS, Row


def leaderboard(report: Report) -> str:
    """Fractions, seconds and MiB at full precision; an empty field is a number that does not exist."""
    return _write(_row(part, row, report.snapshot.selection) for part in report.settings for row in part.rows)


def cells(snapshot: Snapshot) -> str:
    """One line a planned cell, whatever became of it, with the columns of ``Ledger.frame``."""
    from mvgraph.bench.tabular import flat_row  # late: the tables need nothing of the bench

    everything = (*snapshot.records, *snapshot.failures, *snapshot.missing)
    return _write(flat_row(record) for record in everything)


def _row(part: SettingReport, row: Row, selection: str) -> dict[str, Any]:
    gap = row.gap
    return {
        "dataset": part.setting.dataset,
        "protocol": part.setting.protocol,
        "setting": part.setting.title,
        "rank": row.rank,
        "provisional": row.provisional,
        "label": row.label,
        "method": row.method,
        "control": row.control,
        "selection": selection,
        "rank_by": part.measure.name,
        "score_mean": row.score.mean,
        "score_split_deviation": row.score.split,
        "score_init_deviation": row.score.init,
        "accuracy_mean": row.accuracy.mean,
        "accuracy_split_deviation": row.accuracy.split,
        "accuracy_init_deviation": row.accuracy.init,
        **{name: row.metrics[name] for name in METRICS if name != "accuracy"},
        **{f"accuracy_{name}": row.selections[name] for name in SELECTIONS},
        "gap_to_concat_logreg": gap.mean if gap else None,
        "gap_deviation": gap.deviation if gap else None,
        "gap_wins": gap.wins if gap else None,
        "gap_splits": gap.splits if gap else None,
        "gap_low": gap.test.low if gap else None,
        "gap_high": gap.test.high if gap else None,
        "gap_p": gap.test.p if gap else None,
        "gap_verdict": gap.verdict if gap else None,
        "majority_class": part.board.majority.score.mean if part.board.majority else None,
        "above_majority": row.above_majority,
        "parameters": row.parameters,
        **{f"{phase}_seconds": value for phase, value in row.seconds.items()},
        **{f"peak_{where}_mib": value for where, value in row.memory.items()},
        "cells_done": row.done,
        "cells_planned": row.planned,
        "cells_failed": row.failed,
    }


def _write(rows: Iterable[Mapping[str, Any]]) -> str:
    listed = list(rows)
    columns = list(dict.fromkeys(name for row in listed for name in row))
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return sheet.getvalue()
