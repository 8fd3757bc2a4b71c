"""`mvgraph embed`: a folder of one's own videos, sounds and pictures becomes an `.h5mu` file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvgraph.cli.application import app, examples
from mvgraph.cli.output import Force, Name, facts, heading, observed_share, short

_SHOWN = 20


@app.command(
    epilog=examples(
        "mvgraph embed films films.h5mu                            # class = sub-folder",
        "mvgraph embed films films.h5mu --table labels.csv         # columns file and label",
        "mvgraph embed sounds sounds.h5mu --audio soundnet8 --video none --seconds 5",
        "mvgraph embed films films.h5mu --video my_module:MyEncoder --workers 4",
    )
)
def embed(
    folder: Annotated[
        Path, typer.Argument(help="Videos, or sounds and pictures matched by name.", metavar="FOLDER")
    ],
    out: Annotated[Path, typer.Argument(help="The new file, ending in .h5mu.", metavar="OUT.h5mu")],
    audio: Annotated[
        str, typer.Option("--audio", metavar="ENCODER", help="A name, module:Class, or none.")
    ] = "yamnet",
    video: Annotated[
        str, typer.Option("--video", metavar="ENCODER", help="A name, module:Class, or none.")
    ] = "efficientnet-lite0",
    seconds: Annotated[
        float, typer.Option("--seconds", help="Length of a segment, which is a sample.")
    ] = 1.0,
    pictures: Annotated[int, typer.Option("--pictures", min=1, help="Pictures averaged in a segment.")] = 5,
    table: Annotated[
        Path | None,
        typer.Option("--table", help="CSV with the columns file and label, in place of sub-folders."),
    ] = None,
    on_bad: Annotated[
        str, typer.Option("--on-bad", help="skip files that cannot be read, or fail.")
    ] = "skip",
    workers: Annotated[int, typer.Option("--workers", min=1, metavar="N", help="Processes.")] = 1,
    name: Name = None,
    force: Force = False,
) -> None:
    """Embed the media files of a folder with pretrained encoders; classes are its sub-folders, or a table's.

    Weights are fetched on first use and verified. Interrupted work is continued by the same command.
    """
    from mvgraph.cli.progress import bar
    from mvgraph.errors import UserError
    from mvgraph.features.embed import embed_folder

    if out.suffix != ".h5mu":
        raise UserError(f"The new file must end in .h5mu, not {out.name!r}.")
    with bar("files") as progress:
        made = embed_folder(
            folder,
            out,
            None if audio == "none" else audio,
            None if video == "none" else video,
            seconds,
            pictures,
            table,
            on_bad,
            workers,
            progress,
            name=name,
            overwrite=force,
        )
    _tell("Left out", list(made.skipped.items()))
    _tell("No media", [(name, "") for name in made.ignored])
    labelled = int(made.data.class_counts.sum())
    widths = ", ".join(f"{name} {width}" for name, width in made.data.view_dims.items())
    facts(
        [
            ("written", short(made.path)),
            ("name", made.data.name),
            ("samples", f"{made.data.n_samples} segments, of which {labelled} labelled"),
            ("views", widths),
            ("observed", observed_share(made.data)),
            ("classes", ", ".join(made.data.classes)),
            *(("note", note) for note in made.data.card.notes),
        ]
    )


def _tell(title: str, items: list[tuple[str, str]]) -> None:
    if not items:
        return
    heading(f"{title}: {len(items)} {'file' if len(items) == 1 else 'files'}")
    for name, reason in items[:_SHOWN]:
        typer.echo(f"{name}: {reason}" if reason else name)
    if len(items) > _SHOWN:
        typer.echo(f"and {len(items) - _SHOWN} more")
    typer.echo("")
