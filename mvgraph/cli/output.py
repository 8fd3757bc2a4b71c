"""Tables and paths for people: rich in a terminal, aligned plain text elsewhere."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mvgraph.data import MultiViewData

#: Options of every command that writes a file of the user's own choice.
Force = Annotated[bool, typer.Option("--force", help="Replace the output if it is there already.")]
Name = Annotated[
    str | None,
    typer.Option("--name", help="Name of the data set; by default that of the new file.", metavar="NAME"),
]


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], *, left: int = 1) -> None:
    """Print a table.

    Args:
        heads: one heading a column.
        rows: one value a column each.
        left: so many columns stand flush left, the rest (numbers) flush right.
    """
    texts = [[str(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(heads, texts, left)
    else:
        typer.echo(plain_table(heads, texts, left))


def plain_table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """The table as lines of text, two blanks between columns."""
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            text.ljust(width) if column < left else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _rich_table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, head in enumerate(heads):
        drawn.add_column(Text(head), justify="left" if column < left else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(text) for text in row))
    Console().print(drawn)


def facts(pairs: Sequence[tuple[str, object]]) -> None:
    """Print `name  value` lines, long values wrapped beside their name; empty values are left out."""
    shown = [(name, str(value)) for name, value in pairs if value not in (None, "", ())]
    indent = max((len(name) for name, _ in shown), default=0) + 2
    width = max(shutil.get_terminal_size((110, 24)).columns, indent + 40)
    for name, value in shown:
        # A path or an address must stay whole, to be copied.
        wrapped = textwrap.wrap(value, width - indent, break_long_words=False, break_on_hyphens=False) or [""]
        typer.echo(name.ljust(indent) + wrapped[0])
        for line in wrapped[1:]:
            typer.echo(" " * indent + line)


def heading(text: str) -> None:
    """Print a heading with an empty line above it."""
    typer.echo("")
    typer.secho(text, bold=True)


def short(path: Path) -> str:
    """A path as it is best typed: relative when it lies below the working folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def observed_share(data: MultiViewData) -> str:
    """Which share of the samples has each view, and how many have all of them."""
    complete = int(data.observed.all(axis=1).sum())
    if complete == data.n_samples:
        return "every view of every sample"
    shares = ", ".join(
        f"{name} {percent(share)} %"
        for name, share in zip(data.view_names, data.observed.mean(axis=0).tolist(), strict=True)
    )
    return f"{shares} of samples; {complete} of {data.n_samples} complete"


def percent(share: float) -> str:
    """A share in percent with one decimal; only the whole is written as 100.0, and only nothing as 0.0."""
    if share in (0.0, 1.0):
        return f"{100 * share:.1f}"
    return f"{min(99.9, max(0.1, 100 * share)):.1f}"
