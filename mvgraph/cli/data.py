"""`mvgraph data`: the data sets at hand, and what is in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mvgraph.cli import import_options as given
from mvgraph.cli.application import app, examples, new_group
from mvgraph.cli.output import facts, heading, observed_share, percent, table
from mvgraph.errors import UserError

if TYPE_CHECKING:
    from mvgraph.data import MultiViewData

data = new_group("Data sets: list them, look into one.", "mvgraph data list", "mvgraph data show mfeat")
app.add_typer(data, name="data")


@data.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@data.command("list", epilog=examples("mvgraph data list"))
def list_() -> None:
    """List the data sets known by name; nothing is read or fetched."""
    from mvgraph.registry import datasets

    rows = []
    for name in datasets.names():
        try:
            found = datasets.get(name)
            fetched = "yes" if found.fetches else "no"
            rows.append((name, found.summary, found.licence, fetched, datasets.origin(name)))
        except UserError as error:
            rows.append((name, str(error), "", "", datasets.origin(name)))
    table(("Name", "Contents", "Licence", "Fetched", "Origin"), rows, left=5)


@data.command(
    epilog=examples(
        "mvgraph data show mfeat",
        "mvgraph data show my-data.h5mu",
        "mvgraph data show my-data.h5mu --no-fingerprint    # reads no view",
        "mvgraph data show my-data.csv --labels kind --prefix _",
    )
)
def show(
    source: Annotated[
        str, typer.Argument(help="Name of a data set, or path of a file.", metavar="NAME|PATH")
    ],
    no_fingerprint: Annotated[
        bool,
        typer.Option("--no-fingerprint", help="Leave out the fingerprint, for which every view is read."),
    ] = False,
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
    separator: given.Separator = None,
    decimal: given.Decimal = None,
    nan: given.Nan = None,
    graphs: given.Graphs = None,
) -> None:
    """Show views, classes, groups, splits, fingerprint and card of a data set."""
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
        separator=separator,
        decimal=decimal,
        nan=nan,
        graphs=graphs,
    )
    loaded = load(source, options)
    labelled = int(loaded.class_counts.sum())
    facts(
        [
            ("name", loaded.name),
            ("title", loaded.card.title),
            ("samples", f"{loaded.n_samples}, of which {labelled} labelled"),
            ("observed", observed_share(loaded)),
        ]
    )
    _show_tables(loaded)
    card = loaded.card
    heading("Card")
    facts([("source", card.source), ("licence", card.licence), ("citation", card.citation)])
    # Told after every view was read for the fingerprint.
    digest = None if no_fingerprint else loaded.fingerprint.digest
    facts([("note", note) for note in (*card.notes, *float64_notes(loaded, read=False))])
    if digest is not None:
        heading("Fingerprint")
        typer.echo(digest)


def _show_tables(loaded: MultiViewData) -> None:
    import numpy as np

    share = loaded.observed.mean(axis=0).tolist()
    heading(f"{loaded.n_views} views")
    rows = [
        (name, width, percent(part))
        for (name, width), part in zip(loaded.view_dims.items(), share, strict=True)
    ]
    table(("View", "Features", "Observed (%)"), rows)
    if loaded.graphs:
        heading("Given graphs")
        table(("View", "Edges"), [(name, graph.nnz) for name, graph in loaded.graphs.items()])
    heading(f"{loaded.n_classes} classes")
    table(("Class", "Samples"), list(zip(loaded.classes, loaded.class_counts.tolist(), strict=True)))
    if loaded.groups:
        heading("Groups")
        counted = [(name, np.unique(values).size) for name, values in loaded.groups.items()]
        table(("Group", "Values"), counted)
    if loaded.official_splits:
        heading("Official splits")
        sizes = [
            (name, split.train.size, split.validation.size, split.test.size)
            for name, split in loaded.official_splits.items()
        ]
        table(("Split", "Train", "Validation", "Test"), sizes)
