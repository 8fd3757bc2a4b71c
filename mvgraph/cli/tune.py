"""`mvgraph tune`: search a method's settings, or go on with a search."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from mvgraph.cli.application import app, examples
from mvgraph.cli.output import facts, heading, short
from mvgraph.errors import UserError


@app.command(
    epilog=examples(
        "mvgraph tune dm-gcn --data mfeat --trials 50 --rate 0.1",
        "mvgraph tune dm-gcn --data my-data.h5mu --objective both",
        "mvgraph tune dm-gcn --data mfeat --set training.epochs=200 --set graph.kernel=exp",
        "mvgraph tune dm-gcn --data mfeat --storage postgresql://user@host/database",
    )
)
def tune(
    method: Annotated[str, typer.Argument(help="Method, as in a suite.", metavar="METHOD")],
    data: Annotated[str, typer.Option("--data", metavar="NAME|PATH", help="Data set.")],
    trials: Annotated[
        int,
        typer.Option("--trials", min=1, help="Trials the study is to have in all, earlier calls included."),
    ] = 50,
    rate: Annotated[
        float, typer.Option("--rate", help="Share of rows of each class that is labelled.")
    ] = 0.1,
    objective: Annotated[
        str, typer.Option("--objective", help="Figure on validation rows: log-loss, accuracy, or both.")
    ] = "log-loss",
    inner: Annotated[int, typer.Option("--inner", min=1, help="Inner splits a trial is averaged over.")] = 3,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="Begin no trial after so long.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage", metavar="URL", help="Database that several machines share; else a journal."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of sampling, inner splits and fits.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Study folder, by default runs/tune-<method>-<data>.")
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Fix a setting, e.g. training.epochs=200; repeatable."
        ),
    ] = None,
    no_mirror: Annotated[bool, typer.Option("--no-mirror", help="Do not mirror into MLflow.")] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a best.yaml that was edited.")] = False,
) -> None:
    """Search the settings of a method and its graph on training and validation rows, or go on with a search."""
    from mvgraph.tuning import tune as run

    summary = run(
        method,
        data,
        trials=trials,
        rate=rate,
        objective=objective,
        inner=inner,
        timeout=timeout,
        storage=storage,
        seed=seed,
        out=out,
        settings=parse_settings(fixed or []),
        mirror=not no_mirror,
        report=not no_report,
        overwrite=force,
    )
    typer.echo(summary.sentence())
    for note in summary.notes:
        typer.echo(note)
    record = summary.record
    for number in record.best:
        trial = record.trial(number)
        values = zip(record.figures, trial.values, strict=True)
        told = ", ".join(f"{name.replace('_', '-')} {value:.4f}" for (name, _), value in values)
        heading(f"Trial {number}: {told} on validation rows")
        facts([(f"  {key}", _plain(value)) for key, value in trial.params.items()])
    places: list[tuple[str, object]] = []
    if summary.suite is not None:
        places += [("Suite", short(summary.suite)), ("", f"mvgraph run {shlex.quote(short(summary.suite))}")]
    if summary.report is not None:
        places.append(("Report", short(summary.report)))
    if not no_mirror and (summary.folder / "mlflow.db").is_file():
        uri = f"sqlite:///{short(summary.folder / 'mlflow.db')}"
        places.append(("MLflow", f"mlflow ui --backend-store-uri {shlex.quote(uri)}"))
    heading("Where things lie")
    facts(places or [("Study", short(summary.folder))])
    if not record.best:
        raise typer.Exit(1)


def parse_settings(texts: list[str]) -> dict[str, dict[str, Any]]:
    """`training.epochs=200` as settings; values are read as in a suite file.

    Raises:
        UserError: a text of another form.
    """
    import yaml

    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        group, dot, key = name.strip().partition(".")
        if not equals or not dot or not group or not key:
            raise UserError(f"--set {text}: write it as training.epochs=200 or options.dropout=0.3.")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--set {text}: '{value}' is no value as in a suite file.") from None
        if isinstance(read, str):
            # YAML takes 5e-4 for text; a suite file does not.
            with suppress(ValueError):
                read = float(read)
        found.setdefault(group, {})[key] = read
    return found


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
