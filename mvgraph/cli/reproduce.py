"""`mvgraph reproduce`: the paper's experiment, from clips to its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvgraph.cli.application import app, examples, new_group
from mvgraph.cli.output import Force, short

reproduce = new_group(
    "Published experiments, from raw data to their tables.",
    "mvgraph reproduce avsc --root TAU --out reports/avsc",
    "mvgraph reproduce avsc --simulate --out reports/avsc-simulated",
)
app.add_typer(reproduce, name="reproduce")


@reproduce.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@reproduce.command(
    epilog=examples(
        "mvgraph reproduce avsc --root TAU --weights vgg16-places365.pth --out reports/avsc",
        "mvgraph reproduce avsc --simulate --out reports/avsc-simulated",
        "mvgraph data simulate-tau clips --clips-per-class 12",
        "mvgraph reproduce avsc --root clips --small-vgg --encoder-epochs 30 --seeds 1 --k 10 --out runs/check/report",
    )
)
def avsc(
    root: Annotated[
        Path | None, typer.Option("--root", help="Folder of TAU Urban Audio-Visual Scenes 2021, unpacked.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the report is written.")] = Path("reports/avsc"),
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate", help="Only the fusion, on calibrated simulated embeddings (marked as such)."
        ),
    ] = False,
    small_vgg: Annotated[
        bool, typer.Option("--small-vgg", help="An eighth of VGG16's width, for checks on a CPU.")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="VGG16 state dict (ImageNet or Places365).")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, metavar="N", help="Seeds of every fusion.")] = 3,
    audit_seeds: Annotated[
        int | None,
        typer.Option("--audit-seeds", min=1, metavar="N", help="How many of them the audit uses; all."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, metavar="N", help="At most N epochs in any training.")
    ] = None,
    encoder_epochs: Annotated[
        int | None,
        typer.Option("--encoder-epochs", min=1, metavar="N", help="At most N for encoders and [15]."),
    ] = None,
    fine_epochs: Annotated[
        int | None,
        typer.Option("--fine-epochs", min=1, metavar="N", help="At most N where convolutions learn."),
    ] = None,
    validation: Annotated[
        float, typer.Option("--validation", help="Share of the training locations that chooses epochs.")
    ] = 0.1,
    neighbours: Annotated[int, typer.Option("--k", min=1, help="Neighbours in the graphs.")] = 60,
    fine_tune: Annotated[
        bool,
        typer.Option(
            "--fine-tune/--no-fine-tune",
            help="Second stages train the convolutions (keeps all frames on disk).",
        ),
    ] = True,
    side: Annotated[int, typer.Option("--side", help="Side of the frames in pixels.")] = 224,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that decode.")] = 1,
    on_bad: Annotated[
        str, typer.Option("--on-bad", metavar="fail|skip", help="What to do with clips that cannot be read.")
    ] = "fail",
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1.")] = "cpu",
    work: Annotated[
        Path | None, typer.Option("--work", help="Where stages are kept, by default runs/<name of OUT>.")
    ] = None,
    force: Force = False,
) -> None:
    """Audio-visual scenes by graph fusion: Tables 1 to 3 and Figure 2; finished stages are not run again."""
    from mvgraph.report.folder import check_report_folder
    from mvgraph.reproduce.avsc import reproduce_avsc
    from mvgraph.reproduce.settings import AvscSettings

    check_report_folder(out, force)
    settings = AvscSettings(
        seeds=seeds,
        audit_seeds=audit_seeds,
        epochs=epochs,
        encoder_epochs=encoder_epochs,
        fine_epochs=fine_epochs,
        small_vgg=small_vgg,
        weights=weights,
        fine_tune=fine_tune,
        validation=validation,
        neighbours=neighbours,
        side=side,
        workers=workers,
        on_bad=on_bad,
        device=device,
    )
    page = reproduce_avsc(
        out, root, settings, simulate=simulate, work=work, say=lambda line: typer.echo(line, err=True)
    )
    typer.echo(short(page))
