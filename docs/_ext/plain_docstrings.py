"""Docstrings are plain text with backticks; this makes them safe to be read as reStructuredText.

Outside of backticks, directives and indented examples, `*`, `|` and a trailing `_` mean themselves; `**bold**` is
set like the rest. An indented example at the top level becomes a code block, and each entry under `Shapes:` an
item of a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

#: Sections whose entries begin with a name, which napoleon escapes itself.
NAMED = ("Args:", "Parameters:")
SECTIONS = (
    *NAMED,
    "Attributes:",
    "Returns:",
    "Raises:",
    "Shapes:",
    "Yields:",
    "Note:",
)
_BOLD = re.compile(r"(?<![\w)\]`])\*\*(?=\S)([^*]+?)(?<=\S)\*\*")
_CODE = re.compile(r"(`+[^`]+`+)")
_MARKS = re.compile(r"[*|]|(?<=\w)_(?!\w)|\\")


def indentation(line: str) -> int:
    """Spaces in front of the text; a line without text has none."""
    return len(line) - len(line.lstrip()) if line.strip() else 0


def escaped(line: str) -> str:
    """The line with its marks escaped outside of backticks, and code in double ones.

    napoleon takes a colon for the end of a type, unless it stands between double backticks.
    """
    parts = _CODE.split(line)
    return "".join(
        f"``{part.strip('`')}``" if i % 2 else _MARKS.sub(r"\\\g<0>", part)
        for i, part in enumerate(parts)
    )


def rewritten(lines: list[str]) -> list[str]:
    """A docstring's lines as reStructuredText with sections that napoleon reads."""
    return list(_rewritten(_BOLD.sub(r"\1", "\n".join(lines)).split("\n")))


def _rewritten(lines: list[str]) -> Iterator[str]:
    section = ""
    # Indentation of the line that opened a directive or an example.
    literal: int | None = None
    for number, line in enumerate(lines):
        text, depth = line.strip(), indentation(line)
        if literal is not None:
            if not text or depth > literal:
                yield line
                continue
            literal = None
        if text and depth == 0:
            section = text if text in SECTIONS else ""
            if section:
                # napoleon wants a blank line in front of a section.
                yield ""
        opens_example = (
            depth >= 4 and not section and number > 0 and not lines[number - 1].strip()
        )
        if text.startswith(".. ") and "::" in text:
            literal = depth
            yield line
        elif opens_example:
            literal = 0
            yield "::"
            yield ""
            yield line
        elif section == "Shapes:" and depth:
            yield _shape(line, depth)
        elif section in NAMED and depth == 4 and ": " in line:
            name, _, rest = line.partition(": ")
            yield f"{name}: {escaped(rest)}"
        else:
            yield line if text in SECTIONS else escaped(line)


def _shape(line: str, depth: int) -> str:
    """An entry `name: (N, d)` as an item; a deeper line goes on with the one before."""
    if depth > 4:
        return "      " + escaped(line.strip())
    name, colon, rest = line.strip().partition(": ")
    if not colon or " " in name.replace(", ", ""):
        return "    - " + escaped(line.strip())
    return f"    - ``{name.strip('`')}``: {escaped(rest)}"


def _process(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    lines[:] = rewritten(lines)
    if what in ("attribute", "data", "property"):
        # napoleon takes the first line of these up to a colon for a type.
        lines.insert(0, "")


def _signature(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """A default made anew each time is no Python as dataclasses write it."""
    return signature and signature.replace("<factory>", "..."), returns


def setup(app: Sphinx) -> dict[str, Any]:
    """Run before napoleon, which listens to the same event."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", _process, priority=100)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
