"""`mvgraph run`: run a suite, or continue it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mvgraph.cli.application import app, examples
from mvgraph.cli.output import facts, heading, short


@app.command(
    epilog=examples(
        "mvgraph run benchmarks/suites/quickstart.yaml",
        "mvgraph run my-suite.yaml --dry-run            # count the cells, estimate the time",
        "mvgraph run my-suite.yaml --limit 10           # ten cells now, the rest another time",
        "mvgraph run my-suite.yaml --retry failed,timeout",
        "mvgraph run my-suite.yaml --only dm-gcn --only mfeat   # of the plan, what is of this method and this data",
        "mvgraph run my-suite.yaml --rerun concat-logreg        # again, although done",
    )
)
def run(
    suite: Annotated[Path, typer.Argument(help="Suite file (YAML).", metavar="SUITE")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Run folder, by default runs/<name of the suite>.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, metavar="N", help="Run at most N cells now.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the cells and estimate the time; write nothing.")
    ] = False,
    retry: Annotated[
        str,
        typer.Option("--retry", metavar="STATUSES", help="Try again what ended as failed, timeout or oom."),
    ] = "",
    rerun: Annotated[
        list[str] | None,
        typer.Option(
            "--rerun",
            metavar="METHOD|DATA",
            help="Run the cells of a method or data set again. May be repeated.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="METHOD|DATA",
            help="Run nothing but cells of a method or data set; the others stay as they are. May be repeated.",
        ),
    ] = None,
    no_mirror: Annotated[bool, typer.Option("--no-mirror", help="Do not mirror into MLflow.")] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.")] = False,
) -> None:
    """Run a suite, or continue it: cells that are done are never computed again."""
    from mvgraph.bench import run_suite

    if (
        out is not None
        and not no_report
        and not (out / "ledger.sqlite").exists()
        and (out / "report").exists()
    ):
        from mvgraph.report.folder import check_report_folder

        check_report_folder(out / "report", otherwise="say --no-report")
    statuses = [status.strip() for status in retry.split(",") if status.strip()]
    summary = run_suite(
        suite,
        out,
        limit=limit,
        dry_run=dry_run,
        retry=statuses,
        rerun=rerun or (),
        only=only or (),
        mirror=not no_mirror,
    )
    typer.echo(summary.sentence())
    if dry_run and summary.stale:
        typer.echo(summary.stale)
    for note in summary.notes:
        typer.echo(note)
    if dry_run:
        return
    from mvgraph.cli.leaderboard import print_leaderboard

    any_failed = print_leaderboard(summary.folder)
    places: list[tuple[str, object]] = []
    if not no_report:
        from mvgraph.report import write

        places.append(("Report", short(write(summary.folder))))
    places.append(("Ledger", short(summary.folder / "ledger.sqlite")))
    database = summary.folder / "mlflow.db"
    if not no_mirror and database.is_file():
        uri = f"sqlite:///{short(database)}"
        places += [("MLflow", short(database)), ("", f"mlflow ui --backend-store-uri {shlex.quote(uri)}")]
    heading("Where things lie")
    facts(places)
    if any_failed:
        raise typer.Exit(1)
