"""`mvgraph audit`: how much of a graph's gain is smoothing over clips, patients or places."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvgraph.cli.application import app, examples
from mvgraph.cli.output import Force, facts, heading, short, table


@app.command(
    epilog=examples(
        "mvgraph audit avsc-simulated --k 60 --epochs 100",
        "mvgraph audit my-clips.h5mu --group file --out audits/my-clips",
        "mvgraph audit my-clips.h5mu --methods mean-gcn,at-gcn --baselines concat-mlp --seeds 3",
        "mvgraph audit patients.h5mu --split group --scaling none",
    )
)
def audit(
    source: Annotated[
        str, typer.Argument(help="Name of a data set, or path of a file, with groups.", metavar="DATA")
    ],
    k: Annotated[int, typer.Option("--k", min=1, help="Neighbours of the graph.")] = 10,
    group: Annotated[
        str | None, typer.Option("--group", help="Kind of group, by default the finest the data has.")
    ] = None,
    methods: Annotated[
        str, typer.Option("--methods", help="Methods that use the graph, by commas.")
    ] = "dm-gcn",
    baselines: Annotated[
        str, typer.Option("--baselines", help="Methods that use none, by commas.")
    ] = "concat-logreg,late-fusion",
    split: Annotated[
        str | None,
        typer.Option(
            "--split", help="Split scheme: official, group, label-rate, k-fold; official if there is one."
        ),
    ] = None,
    scaling: Annotated[str, typer.Option("--scaling", help="zscore, minmax, l2 or none.")] = "zscore",
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Of the training of networks.")] = 200,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, metavar="N", help="Initial weights: 0 to N - 1.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for audit.md, .json and .png; audits/<name> by default."),
    ] = None,
    force: Force = False,
) -> None:
    """Measure what the neighbours of test rows are, and what methods score without siblings among them.

    Scores are kept as they come: the same command continues an audit that was interrupted.
    """
    from mvgraph.audit import audit as run
    from mvgraph.audit import write
    from mvgraph.audit.output import check_out
    from mvgraph.audit.tables import tables
    from mvgraph.cli.progress import bar
    from mvgraph.data import load, make_splits, scale_views
    from mvgraph.graph import build_graph
    from mvgraph.graph.edits import finest_group

    if out is not None:
        check_out(out, force)
    data = load(source)
    folder = Path("audits") / data.name if out is None else out
    check_out(folder, force)
    kind = finest_group(data.groups) if group is None else group
    scheme = split or ("official" if data.official_splits else "label-rate")
    chosen = make_splits(data, scheme, **({"group": kind} if scheme == "group" else {}))[0]
    scaled = scale_views(data, scaling, "all")
    folder.mkdir(parents=True, exist_ok=True)
    with bar("fits") as progress:
        found = run(
            scaled,
            build_graph(scaled, k=k),
            chosen,
            kind,
            methods=_names(methods),
            baselines=_names(baselines),
            training={"epochs": epochs},
            seeds=range(seeds),
            folder=folder,
            progress=progress,
        )
    written = write(found, folder)
    for each in tables(found):
        heading(each["title"])
        table(each["heads"], each["rows"], left=2)
    heading("Where things lie")
    facts([("report", short(written)), ("figures", short(written.with_suffix(".json")))])
    typer.echo("")
    typer.echo(found.sentence)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
