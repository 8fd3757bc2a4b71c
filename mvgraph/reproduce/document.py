"""A report as a value: sections of words, tables and pictures; and its forms as Markdown, HTML and CSV."""

from __future__ import annotations

import base64
import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from mvgraph.report import markdown
from mvgraph.report.figures.base import Picture


@dataclass(frozen=True)
class Table:
    """A table; the first `left` columns are text. `name` is that of its CSV file."""

    name: str
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    left: int = 1


@dataclass(frozen=True)
class Section:
    """A heading with sentences, tables and pictures below it."""

    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Document:
    """The whole report. `banner` is what nobody may overlook: that figures are simulated."""

    title: str
    banner: str
    sections: tuple[Section, ...]
    lines: tuple[dict[str, object], ...] = field(default=(), repr=False)


def write(document: Document, folder: Path) -> Path:
    """Write `index.html`, `report.md`, one CSV a table, `scores.csv`, PNG pictures; what older reports left goes.

    Returns:
        The path of the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {
        "report.md": as_markdown(document).encode(),
        "index.html": as_html(document).encode(),
    }
    for section in document.sections:
        for table in section.tables:
            files[f"{table.name}.csv"] = _csv([table.heads, *table.rows])
        for picture in section.pictures:
            files[f"{picture.name}.png"] = picture.png
    if document.lines:
        heads = list(document.lines[0])
        files["scores.csv"] = _csv([heads, *([line[h] for h in heads] for line in document.lines)])
    for name, content in files.items():
        partial = folder / f".{name}.partial"
        partial.write_bytes(content)
        os.replace(partial, folder / name)
    return folder / "index.html"


def as_markdown(document: Document) -> str:
    """The report as Markdown; pictures are linked as the files beside it."""
    parts = [f"# {markdown.escape(document.title)}\n"]
    if document.banner:
        parts.append(f"> **{markdown.escape(document.banner)}**\n")
    for section in document.sections:
        parts.append(f"## {markdown.escape(section.title)}\n")
        parts += [f"{markdown.escape(sentence)}\n" for sentence in section.sentences]
        for table in section.tables:
            parts.append(f"### {markdown.escape(table.title)}\n")
            rows = [[markdown.escape(cell) for cell in row] for row in table.rows]
            parts.append(markdown.table([markdown.escape(h) for h in table.heads], rows, left=table.left))
            if table.caption:
                parts.append(f"{markdown.escape(table.caption)}\n")
        parts += [
            f"![{markdown.escape(p.alt)}]({p.name}.png)\n\n{markdown.escape(p.caption)}\n"
            for p in section.pictures
        ]
    return "\n".join(parts)


def as_html(document: Document) -> str:
    """The report as one page that needs nothing else."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    from mvgraph.report.page import policy

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    template = (resources.files("mvgraph.reproduce") / "templates" / "reproduce.html.j2").read_text("utf-8")
    return environment.from_string(template).render(document=document, policy=Markup(policy(scripts=False)))


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
