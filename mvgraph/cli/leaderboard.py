"""The leaderboard of a run folder as a table in the terminal."""

from __future__ import annotations

from pathlib import Path

import typer

from mvgraph.cli.output import heading, table

_SHOWN = ("accuracy", "split", "init", "log_loss", "ece", "gap", "parameters", "training_s")


def print_leaderboard(folder: Path) -> bool:
    """Print one table for each data set and protocol, and what has no result.

    Returns:
        Whether cells of the plan have failed.
    """
    from mvgraph.report import forms, tables
    from mvgraph.report.snapshot import read

    columns = [column for column in (*forms.QUALITY, *forms.COST) if column.name in _SHOWN]
    heads = [f"{c.heading} ({c.unit})" if c.unit else c.heading for c in columns]
    with read(folder) as snapshot:
        for setting in tables.settings(snapshot):
            rows = tables.leaderboard(setting, snapshot.selection)
            heading(f"{setting.title} ({setting.protocol})" if setting.protocol else setting.title)
            if not rows:
                typer.echo("No cell is done yet.")
                continue
            lines = [
                (forms.rank(row), row.label, *(c.text(row) for c in columns), f"{row.done}/{row.planned}")
                for row in rows
            ]
            table(("Rank", "Method", *heads, "Cells"), lines, left=2)
        failed = [entry for entry in snapshot.failures if entry.get("status") != "skipped"]
        if failed:
            heading(f"{len(failed)} cells ended without a result")
            for entry in failed[:5]:
                cell = entry["cell"]
                place = (
                    f"{cell['dataset']} {cell['label']} split {cell['split']['index']} seed {cell['seed']}"
                )
                typer.echo(f"{place}: {entry['status']} ({entry.get('reason') or 'no reason kept'})")
            if len(failed) > 5:
                typer.echo(f"and {len(failed) - 5} more; the report lists them all.")
    return bool(failed)
