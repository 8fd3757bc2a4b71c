"""What a file does not say itself, as options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mvgraph.errors import UserError

if TYPE_CHECKING:
    from mvgraph.data import ImportOptions

Labels = Annotated[
    str | None,
    typer.Option("--labels", help="Key, column or file of the labels.", metavar="NAME"),
]
NoLabels = Annotated[bool, typer.Option("--no-labels", help="The data has no labels.")]
Views = Annotated[
    list[str] | None,
    typer.Option(
        "--view",
        help="A view and where it is: an array's key (X{2}, obsm/X_pca), a file of a folder, or for tables columns "
        "or a pattern (v1_*). Once per view.",
        metavar="VIEW=KEY",
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(
        "--prefix",
        help="Columns are grouped into views by what stands before this mark, e.g. _.",
        metavar="MARK",
    ),
]
Transpose = Annotated[
    bool | None,
    typer.Option(
        "--transpose/--no-transpose",
        help="Columns (or rows) are samples, in every view.",
    ),
]
TransposeView = Annotated[
    list[str] | None,
    typer.Option(
        "--transpose-view",
        help="Columns are samples in this view, rows in the others.",
        metavar="VIEW",
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option("--id-column", help="Key or column of the sample ids.", metavar="NAME"),
]
GroupColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--group-column",
        help="Key or column of a group (subject, location). Repeatable.",
        metavar="NAME",
    ),
]
SplitColumn = Annotated[
    str | None,
    typer.Option(
        "--split-column",
        help="Key or column that says train, validation or test.",
        metavar="NAME",
    ),
]
Observed = Annotated[
    str | None,
    typer.Option(
        "--observed",
        help="Which sample has which view: key of an array (samples x views), or a table with ids and one column a "
        "view.",
        metavar="FILE|KEY",
    ),
]
NanIsMissing = Annotated[
    bool,
    typer.Option("--nan-is-missing", help="A row of NaN alone means that the sample lacks the view."),
]
Separator = Annotated[
    str | None,
    typer.Option(
        "--sep", help="What separates the columns of a text table (found out by itself).", metavar="MARK"
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(
        "--decimal", help="The decimal mark of a text table, . or , (found out by itself).", metavar="MARK"
    ),
]
Nan = Annotated[
    str | None,
    typer.Option(
        "--nan",
        help="Single NaN cells: fill with the column's median or mean or by the nearest rows (knn), or leave their "
        "column or row out (drop-column, drop-row).",
        metavar="KIND",
    ),
]

Graphs = Annotated[
    list[str] | None,
    typer.Option(
        "--graph",
        help="A given graph and where it is: a square array's key (net, obsp/connectivities) or a file of edges (id, "
        "id, weight). The view of that name gets no kNN graph. Once per graph.",
        metavar="NAME=KEY",
    ),
]


def gathered(
    *,
    labels: str | None = None,
    no_labels: bool = False,
    views: list[str] | None = None,
    prefix: str | None = None,
    transpose: bool | None = None,
    transpose_view: list[str] | None = None,
    id_column: str | None = None,
    group_columns: list[str] | None = None,
    split_column: str | None = None,
    observed: str | None = None,
    nan_is_missing: bool = False,
    separator: str | None = None,
    decimal: str | None = None,
    nan: str | None = None,
    graphs: list[str] | None = None,
) -> ImportOptions:
    """The options of a command in one object.

    Raises:
        UserError: a view without `=`, or options that contradict each other.
    """
    from mvgraph.data import ImportOptions

    if transpose is not None and transpose_view:
        raise UserError(
            "Say either --transpose or --no-transpose for all views, or --transpose-view for some."
        )
    return ImportOptions(
        labels=labels,
        no_labels=no_labels,
        views=_views(views or []),
        prefix=prefix,
        transpose=tuple(transpose_view) if transpose_view else transpose,
        id_column=id_column,
        group_columns=tuple(group_columns or ()),
        split_column=split_column,
        observed=observed,
        nan_is_missing=nan_is_missing,
        separator="\t" if separator in ("\\t", "tab") else separator,
        decimal=decimal,
        nan=nan,
        graphs=_graphs(graphs or []),
    )


def _views(texts: list[str]) -> dict[str, tuple[str, ...]]:
    """`audio=v1_*` and `acc=meanX,meanY`; a view named twice has the columns of both."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, where = text.partition("=")
        parts = tuple(part for part in where.split(",") if part)
        if not equals or not name or not parts:
            raise UserError(f"--view must be written VIEW=KEY, e.g. --view audio=v1_*, not {text!r}.")
        found[name] = (*found.get(name, ()), *parts)
    return found


def _graphs(texts: list[str]) -> dict[str, str]:
    """`cites=net` by name."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, where = text.partition("=")
        if not equals or not name or not where:
            raise UserError(f"--graph must be written NAME=KEY, e.g. --graph cites=net, not {text!r}.")
        if name in found:
            raise UserError(f"--graph names {name!r} twice; a view has one graph.")
        found[name] = where
    return found
