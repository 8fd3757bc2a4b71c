"""`mvgraph export-predictions` and `mvgraph import-predictions`: predictions of a run out, those of others in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvgraph.cli.application import app, examples
from mvgraph.cli.output import Force, short

_Run = Annotated[Path, typer.Argument(help="Run folder, as `mvgraph run` printed it.", metavar="RUN")]
_Data = Annotated[
    str | None, typer.Option("--data", metavar="NAME", help="Data set, where the run has several.")
]


@app.command(
    "import-predictions",
    epilog=examples(
        "mvgraph import-predictions runs/quickstart theirs.csv --method their-net",
        "mvgraph import-predictions runs/many theirs.parquet --method their-net --data mfeat",
        "mvgraph import-predictions runs/quickstart better.csv --method their-net --replace",
    ),
)
def import_predictions(
    run: _Run,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV or Parquet: a column id, one a class, and split, data, seed where needed.",
            metavar="FILE",
        ),
    ],
    method: Annotated[str, typer.Option("--method", metavar="NAME", help="Name in the leaderboard.")],
    data: _Data = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put them in place of those imported under that name before.")
    ] = False,
) -> None:
    """Let another tool's predictions join a run's leaderboard, checked against its splits."""
    from mvgraph.bench import import_predictions as run_import
    from mvgraph.cli.leaderboard import print_leaderboard

    typer.echo(run_import(run, file, method, data=data, replace=replace).sentence())
    if (run / "mlflow.db").is_file():
        from mvgraph.tracking import mirror

        mirror(run)
    print_leaderboard(run)


@app.command(
    "export-predictions",
    epilog=examples(
        "mvgraph export-predictions runs/quickstart predictions.csv",
        "mvgraph export-predictions runs/quickstart dm-gcn.parquet --method dm-gcn",
        "mvgraph export-predictions runs/quickstart both.csv --selection all",
    ),
)
def export_predictions(
    run: _Run,
    out: Annotated[Path, typer.Argument(help="The new file: .csv, .tsv or .parquet.", metavar="OUT")],
    methods: Annotated[
        list[str] | None, typer.Option("--method", metavar="NAME", help="This method; may be repeated.")
    ] = None,
    data: _Data = None,
    selection: Annotated[
        str | None,
        typer.Option("--selection", help="last, validation or all; by default the rule that ranks."),
    ] = None,
    force: Force = False,
) -> None:
    """Write a run's validation and test predictions by sample id, with probabilities of every class."""
    from mvgraph.bench import export_predictions as run_export

    count = run_export(run, out, methods=methods or (), data=data, selection=selection, overwrite=force)
    typer.echo(f"{count} rows written to {short(out)}.")
