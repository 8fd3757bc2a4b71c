"""`mvgraph report`: write the report of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvgraph.cli.application import app, examples
from mvgraph.cli.output import Force, short
from mvgraph.cli.ranking import RankBy


@app.command(
    epilog=examples(
        "mvgraph report runs/quickstart",
        "mvgraph report runs/quickstart --out reports/quickstart",
        "mvgraph report runs/quickstart --rank-by macro-f1",
        "mvgraph report runs/tune-dm-gcn-mfeat            # of a search",
        "mvgraph report runs/first runs/second --out both # one report over several runs",
    )
)
def report(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folder, as `mvgraph run` printed it, or several.", metavar="RUN..."),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Where to write, by default RUN/report.")] = None,
    rank_by: RankBy = None,
    force: Force = False,
) -> None:
    """Write HTML, Markdown, CSV and figures from a run's ledger, or the page of a search; finished or not."""
    if out is not None:
        from mvgraph.report.folder import check_report_folder

        check_report_folder(out, force)
    run, *others = runs
    if not others and (run / "study.json").is_file():
        from mvgraph.report.study import write_study
        from mvgraph.tuning.record import read_record

        typer.echo(short(write_study(read_record(run), out if out is not None else run / "report")))
        return
    from mvgraph.report import write

    typer.echo(short(write(runs, out, rank_by)))
