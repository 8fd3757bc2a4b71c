"""Tables and paths for people: rich in a terminal, aligned plain text elsewhere."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import typer


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
