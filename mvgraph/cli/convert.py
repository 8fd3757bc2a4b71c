"""`mvgraph data convert`: a file or folder in any usual form becomes a `.h5mu` file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvgraph.cli import import_options as given
from mvgraph.cli.application import examples
from mvgraph.cli.data import data
from mvgraph.cli.output import Force, Name, facts, observed_share, short


@data.command(
    epilog=examples(
        "mvgraph data convert embeddings.npz mine.h5mu",
        "mvgraph data convert handwritten.mat digits.h5mu --labels Y",
        "mvgraph data convert table.csv mine.h5mu --labels kind --prefix _ --group-column subject",
        "mvgraph data convert table.csv mine.h5mu --view audio=v1_* --view motion=v2_*",
        "mvgraph data convert folder/ mine.h5mu --id-column clip",
        "mvgraph data convert folder/ mine.h5mu --nan-is-missing --name scenes",
        "mvgraph data convert cells.h5ad cells.h5mu --labels celltype --view pca=obsm/X_pca",
    )
)
def convert(
    source: Annotated[
        str,
        typer.Argument(
            help="A .npz, .mat, .csv, .parquet, .h5ad or .h5mu file, a folder of one file per view, or the name of a "
            "data set.",
            metavar="IN",
        ),
    ],
    target: Annotated[Path, typer.Argument(help="The new file, ending in .h5mu.", metavar="OUT.h5mu")],
    labels: given.Labels = None,
    no_labels: given.NoLabels = False,
    views: given.Views = None,
    prefix: given.Prefix = None,
    transpose: given.Transpose = None,
    transpose_view: given.TransposeView = None,
    id_column: given.IdColumn = None,
    group_columns: given.GroupColumns = None,
    split_column: given.SplitColumn = None,
    observed: given.Observed = None,
    nan_is_missing: given.NanIsMissing = False,
    compact: Annotated[
        bool, typer.Option("--compact", help="Pack the views: smaller, and slower to read and write.")
    ] = False,
    name: Name = None,
    force: Force = False,
) -> None:
    """Convert a data set in any usual form to .h5mu; what cannot be decided is asked for."""
    from mvgraph.data import convert as run
    from mvgraph.data import load
    from mvgraph.data.resolution import float64_notes

    options = given.gathered(
        labels=labels,
        no_labels=no_labels,
        views=views,
        prefix=prefix,
        transpose=transpose,
        transpose_view=transpose_view,
        id_column=id_column,
        group_columns=group_columns,
        split_column=split_column,
        observed=observed,
        nan_is_missing=nan_is_missing,
    )
    made = run(source, target, options, compact, name=name, overwrite=force)
    widths = ", ".join(f"{name} {width}" for name, width in made.view_dims.items())
    labelled = int(made.class_counts.sum())
    facts(
        [
            ("written", short(target)),
            ("name", made.name),
            ("samples", f"{made.n_samples}, of which {labelled} labelled"),
            ("views", widths),
            ("observed", observed_share(made)),
            ("classes", made.n_classes),
            ("groups", ", ".join(made.groups)),
            *(("note", note) for note in (*made.card.notes, *float64_notes(load(target)))),
        ]
    )
