"""`{registry} methods`: what is registered, read from the registry when the site is built.

    ```{registry} methods
    ```

Kinds: methods, options, datasets, controls, encoders.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mvgraph import registry

_LINK = re.compile(r"https?://[^\s,;)]*[^\s,;).]")
_CODE = re.compile(r"`+([^`]+)`+")
Cell = str | nodes.Node | list[nodes.Node]


def code(text: str) -> nodes.literal:
    """Text set as code."""
    return nodes.literal(text, text)


def prose(text: str) -> list[nodes.Node]:
    """Plain text in which addresses are links and backticks are code."""
    found: list[nodes.Node] = []
    at = 0
    matches = sorted(
        [*_LINK.finditer(text), *_CODE.finditer(text)], key=lambda m: m.start()
    )
    for match in matches:
        if match.start() < at:
            continue
        found.append(nodes.Text(text[at : match.start()]))
        if match.re is _LINK:
            found.append(nodes.reference(match[0], match[0], refuri=match[0]))
        else:
            found.append(code(match[1]))
        at = match.end()
    return [*found, nodes.Text(text[at:])]


def codes(texts: Sequence[str]) -> list[nodes.Node]:
    """Several words as code, with commas between them."""
    found: list[nodes.Node] = []
    for text in texts:
        found += [nodes.Text(", "), code(text)] if found else [code(text)]
    return found


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Cell]], widths: Sequence[int]
) -> nodes.container:
    """A table that may scroll sideways on a narrow screen."""
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=width) for width in widths]
    head, body = nodes.thead(), nodes.tbody()
    head += _row(heads)
    body += [_row(row) for row in rows]
    group += [head, body]
    whole = nodes.table(classes=["registry"])
    whole += group
    return nodes.container("", whole, classes=["table-wrapper"])


def _row(cells: Sequence[Cell]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        content = (
            prose(cell)
            if isinstance(cell, str)
            else cell
            if isinstance(cell, list)
            else [cell]
        )
        row += nodes.entry("", nodes.paragraph("", "", *content))
    return row


def first_sentence(thing: Any) -> str:
    """What a docstring says first."""
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", text)[0]


def _methods() -> list[nodes.Node]:
    rows: list[list[Cell]] = []
    for name in registry.methods.names():
        cls = registry.methods.get(name)
        shown = f"{name}:<{cls.family_option}>" if cls.family_option else name
        tags = [tag.replace("_", " ") for tag, on in asdict(cls.tags).items() if on]
        rows.append(
            [
                code(shown),
                cls.title,
                ", ".join(tags),
                cls.paper,
                registry.methods.origin(name),
            ]
        )
    return [
        table(
            ("Name", "Method", "Tags", "Source", "Registered by"),
            rows,
            (14, 16, 24, 34, 12),
        )
    ]


def _options() -> list[nodes.Node]:
    """Every method's options with their defaults, and what a search varies."""
    rows: list[list[Cell]] = []
    for name in registry.methods.names():
        cls = registry.methods.get(name)
        options = [
            f"{key} = {json.dumps(value)}" for key, value in cls.defaults().items()
        ]
        searched = list(cls.search_space())
        rows.append(
            [code(name), codes(options) or "none", codes(searched) or "nothing"]
        )
    return [table(("Method", "Options and defaults", "Searched"), rows, (15, 55, 30))]


def _datasets() -> list[nodes.Node]:
    rows: list[list[Cell]] = []
    notes: list[nodes.Node] = []
    for name in registry.datasets.names():
        cls = registry.datasets.get(name)
        fetched = "on first use" if cls.fetches else "no"
        rows.append([code(name), cls.title, cls.summary, cls.licence, fetched])
        items = nodes.bullet_list()
        for text in (f"Source: {cls.source}", f"Citation: {cls.citation}", *cls.notes):
            items += nodes.list_item("", nodes.paragraph("", "", *prose(text)))
        term = nodes.term("", "", code(name))
        notes.append(nodes.definition_list_item("", term, nodes.definition("", items)))
    listed = table(
        ("Name", "Title", "Contents", "Licence", "Fetched"), rows, (12, 24, 40, 12, 12)
    )
    return [listed, nodes.definition_list("", *notes)]


def _functions(
    resolver: registry.Resolver, heads: Sequence[str], mark: str
) -> list[nodes.Node]:
    if not resolver.names():
        return [
            nodes.paragraph("", "", nodes.Text(f"No {resolver.kind} is registered."))
        ]
    rows: list[list[Cell]] = []
    for name in resolver.names():
        thing = resolver.get(name)
        says = getattr(thing, "title", "") or first_sentence(thing)
        rows.append([code(mark + name), says, resolver.origin(name)])
    return [table(heads, rows, (20, 62, 18))]


KINDS: dict[str, Callable[[], list[nodes.Node]]] = {
    "methods": _methods,
    "options": _options,
    "datasets": _datasets,
    "controls": lambda: _functions(
        registry.controls, ("Name", "What it does", "Registered by"), "@"
    ),
    "encoders": lambda: _functions(
        registry.encoders, ("Name", "Encoder", "Registered by"), ""
    ),
}


class RegistryDirective(SphinxDirective):
    """The table of one kind."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        kind = self.arguments[0]
        if kind not in KINDS:
            raise self.error(
                f"registry: there is no kind '{kind}'; there are {', '.join(KINDS)}."
            )
        return KINDS[kind]()


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive. What is registered is no file, so a page that uses it is read anew each time."""
    app.add_directive("registry", RegistryDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
