"""`mvgraph data simulate-tau` and `mvgraph data check`: TAU Urban Audio-Visual Scenes, generated and looked through."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvgraph.cli.application import examples
from mvgraph.cli.data import data
from mvgraph.cli.output import facts, short
from mvgraph.errors import UserError

_Workers = Annotated[int, typer.Option("--workers", min=1, metavar="N", help="Processes.")]


@data.command(
    "simulate-tau",
    epilog=examples(
        "mvgraph data simulate-tau clips --clips-per-class 12 --seed 0",
        "mvgraph data simulate-tau clips --clips-per-class 3 --seconds 2    # a quick look",
        "mvgraph data check tau-avsc clips",
    ),
)
def simulate_tau(
    out: Annotated[Path, typer.Argument(help="A new folder, or one to continue in.", metavar="OUT")],
    clips_per_class: Annotated[
        int, typer.Option("--clips-per-class", min=2, metavar="N", help="Of each of the ten classes.")
    ] = 12,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything that is drawn.")] = 0,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Length of a clip; 10 as in the data set.")
    ] = 10.0,
    workers: _Workers = 1,
) -> None:
    """Generate clips in the layout of TAU Urban Audio-Visual Scenes 2021; they contain no recording.

    What an interrupted call finished is kept.
    """
    from mvgraph.cli.progress import bar
    from mvgraph.data.tau import simulate

    with bar("clips") as progress:
        simulate.simulate_tau(out, clips_per_class, seed, seconds, workers, progress)
    train, test = simulate.plan(clips_per_class, seed, seconds)
    facts(
        [
            ("written", short(out)),
            ("clips", f"{len(train)} to train on, {len(test)} to test, {seconds:g} s each"),
            ("note", "Generated: figures measured on them say nothing about real scenes."),
            ("next", f"mvgraph data check tau-avsc {short(out)}"),
        ]
    )


@data.command(
    epilog=examples(
        "mvgraph data check tau-avsc TAU-urban-audio-visual-scenes-2021-development",
        "mvgraph data check tau-avsc clips --workers 4",
    )
)
def check(
    name: Annotated[str, typer.Argument(help="Data set of media files: tau-avsc.", metavar="NAME")],
    root: Annotated[
        Path, typer.Argument(help="Folder into which its archives were unpacked.", metavar="ROOT")
    ],
    workers: _Workers = 1,
) -> None:
    """Decode every media file and list what is missing, truncated, silent, mono or undecodable.

    Ends with code 1 if a clip cannot be used.
    """
    from mvgraph.cli.progress import bar
    from mvgraph.features.tau_check import check_tau

    if name != "tau-avsc":
        raise UserError(f"Only 'tau-avsc' consists of media files that can be checked, not '{name}'.")
    with bar("files") as progress:
        report = check_tau(root, workers, progress)
    for line in report.lines():
        typer.echo(line)
    if report.unusable:
        raise typer.Exit(1)
