"""The leaderboard of a run folder as a notebook shows it."""

from __future__ import annotations

from pathlib import Path

from mvgraph.display import html_card, html_line, html_table
from mvgraph.report import forms, tables
from mvgraph.report.snapshot import read

_SHOWN = ("accuracy", "split", "log_loss", "ece", "parameters", "training_s")


def leaderboard_html(folder: Path) -> str:
    """One table for each data set and protocol, safe to put into a page.

    Raises:
        UserError: the folder holds no run.
    """
    columns = [column for column in (*forms.QUALITY, *forms.COST) if column.name in _SHOWN]
    heads = [f"{c.heading} ({c.unit})" if c.unit else c.heading for c in columns]
    parts = []
    with read(folder) as snapshot:
        for setting in tables.settings(snapshot):
            rows = [
                (forms.rank(row), row.label, *(c.text(row) for c in columns), f"{row.done}/{row.planned}")
                for row in tables.leaderboard(setting, snapshot.selection)
            ]
            title = f"{setting.title} ({setting.protocol})" if setting.protocol else setting.title
            empty = html_line("No cell is done yet.")
            table = html_table(("Rank", "Method", *heads, "Cells"), rows, most=len(rows)) if rows else empty
            parts.append(html_card(title, table))
    return "".join(parts)
