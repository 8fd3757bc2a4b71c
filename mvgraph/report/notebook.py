"""The leaderboard of a run folder as a notebook shows it."""

from __future__ import annotations

from pathlib import Path

from mvgraph.display import html_card, html_line, html_table
from mvgraph.report import forms
from mvgraph.report.boards import board
from mvgraph.report.majority import LEGEND, majority_of
from mvgraph.report.ranking import measure_named
from mvgraph.report.snapshot import read
from mvgraph.report.tables import settings

_SHOWN = ("score", "split", "accuracy", "log_loss", "ece", "parameters", "training_s")


def leaderboard_html(folder: Path) -> str:
    """One table for each data set and protocol, safe to put into a page.

    Raises:
        UserError: the folder holds no run.
    """
    parts, below = [], False
    with read(folder) as snapshot:
        measure = measure_named(None, snapshot.suite)
        columns = [c for c in (*forms.quality(measure), *forms.COST) if c.name in _SHOWN]
        heads = [f"{c.heading} ({c.unit})" if c.unit else c.heading for c in columns]
        for setting in settings(snapshot):
            majority = majority_of(snapshot, (r for runs in setting.runs.values() for r in runs.done))
            found = board(setting, snapshot.selection, majority, measure)
            below = below or any(row.above_majority is False for row in found.rows)
            rows = [
                (forms.rank(row), forms.name(row), *(c.text(row) for c in columns), forms.cells(row))
                for row in found.lines
            ]
            table = html_table(("Rank", "Method", *heads, "Cells"), rows, most=len(rows))
            title = f"{setting.title} ({setting.protocol})" if setting.protocol else setting.title
            parts.append(html_card(title, table if found.rows else html_line("No cell is done yet.")))
    return "".join((*parts, html_line(LEGEND) if below else ""))
