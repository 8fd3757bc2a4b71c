"""`mvgraph leaderboard`: the leaderboard of a run folder as a table in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvgraph.cli.application import app, examples
from mvgraph.cli.output import heading, table
from mvgraph.cli.ranking import RankBy

_SHOWN = ("score", "split", "init", "accuracy", "log_loss", "ece", "gap", "parameters", "training_s")


@app.command(
    epilog=examples(
        "mvgraph leaderboard runs/quickstart",
        "mvgraph leaderboard runs/quickstart --rank-by log-loss",
    )
)
def leaderboard(
    run: Annotated[Path, typer.Argument(help="Run folder, as `mvgraph run` printed it.", metavar="RUN")],
    rank_by: RankBy = None,
) -> None:
    """Print the leaderboard of a run, finished or not."""
    print_leaderboard(run, rank_by)


def print_leaderboard(folder: Path, rank_by: str | None = None) -> bool:
    """Print one table for each data set and protocol, and what has no result.

    Args:
        rank_by: the figure that ranks; by default that of the suite.
    Returns:
        Whether cells of the plan have failed.
    Raises:
        UserError: the folder holds no ledger, or nothing ranks by `rank_by`.
    """
    from mvgraph.report import forms
    from mvgraph.report.boards import board
    from mvgraph.report.majority import LEGEND, majority_of
    from mvgraph.report.ranking import measure_named
    from mvgraph.report.snapshot import read
    from mvgraph.report.tables import settings

    with read(folder) as snapshot:
        measure = measure_named(rank_by, snapshot.suite)
        columns = [c for c in (*forms.quality(measure), *forms.COST) if c.name in _SHOWN]
        heads = [f"{c.heading} ({c.unit})" if c.unit else c.heading for c in columns]
        below = False
        for setting in settings(snapshot):
            majority = majority_of(snapshot, (r for runs in setting.runs.values() for r in runs.done))
            found = board(setting, snapshot.selection, majority, measure)
            heading(f"{setting.title} ({setting.protocol})" if setting.protocol else setting.title)
            if not found.rows:
                typer.echo("No cell is done yet.")
                continue
            lines = [
                (forms.rank(row), forms.name(row), *(c.text(row) for c in columns), forms.cells(row))
                for row in found.lines
            ]
            table(("Rank", "Method", *heads, "Cells"), lines, left=2)
            below = below or any(row.above_majority is False for row in found.rows)
        if below:
            typer.echo(LEGEND)
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
