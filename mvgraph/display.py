"""Where somebody watches: a terminal, a notebook or a log, and the bar and the tables of a notebook.

Nothing but the standard library is imported here; IPython is used where it runs already.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Literal

Surface = Literal["bar", "notebook", "plain"]
#: Seconds between two changes of a notebook's bar: each is a message to the browser.
PAUSE = 0.2
#: Rows of a table in a notebook; a longer one says how many follow.
ROWS = 12
_CELL = "padding:0.15em 0.8em 0.15em 0;border:0;text-align:left;background:transparent;color:inherit"


def surface() -> Surface:
    """ "notebook" in a kernel of Jupyter, "bar" where stderr is a terminal, else "plain"."""
    # A kernel has imported IPython long before this is asked.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and getattr(shell, "kernel", None) is not None:
        return "notebook"
    return "bar" if sys.stderr.isatty() else "plain"


class NotebookBar:
    """A bar in a notebook's output that changes in place; needs no widgets.

    Args:
        text: what is counted.
        total: how many there are, None while unknown.
    """

    def __init__(self, text: str, total: int | None = None, done: int = 0) -> None:
        shown = importlib.import_module("IPython.display")
        self._html = shown.HTML
        self._text, self._total, self._done = text, total, done
        self._begun = self._last = time.monotonic()
        self._handle = shown.display(self._html(self._drawn()), display_id=True)

    def update(self, done: int | None = None, total: int | None = None, text: str | None = None) -> None:
        """Set what is given; drawn at most every `PAUSE` seconds, and by `close`."""
        self._done = self._done if done is None else done
        self._total = self._total if total is None else total
        self._text = self._text if text is None else text
        if time.monotonic() - self._last >= PAUSE:
            self._draw()

    def advance(self) -> None:
        """One more is done."""
        self.update(self._done + 1)

    def close(self) -> None:
        """Draw the bar as it stands."""
        self._draw()

    def _draw(self) -> None:
        self._last = time.monotonic()
        if self._handle is not None:
            self._handle.update(self._html(self._drawn()))

    def _drawn(self) -> str:
        share = "" if self._total is None else f' value="{self._done}" max="{max(self._total, 1)}"'
        count = str(self._done) if self._total is None else f"{self._done}/{self._total}"
        seconds = time.monotonic() - self._begun
        return (
            f'<div><progress{share} style="width:20em;vertical-align:middle"></progress> '
            f"{count} {escape(self._text)} ({seconds:.0f} s)</div>"
        )


def html_card(title: str, *parts: str) -> str:
    """The HTML of an object: a title above its parts. Colours are those of the page, dark or light."""
    return f'<div style="margin:0.3em 0"><strong>{escape(title)}</strong>{"".join(parts)}</div>'


def html_line(text: str) -> str:
    """One line of text."""
    return f"<div>{escape(text)}</div>"


def html_table(head: Sequence[str], rows: Iterable[Sequence[Any]], most: int = ROWS) -> str:
    """A table of texts and numbers, everything escaped, at most `most` rows long."""
    given = list(rows)
    first = "".join(f'<th style="{_CELL};opacity:0.75">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{escape(str(value))}</td>' for value in row) + "</tr>"
        for row in given[:most]
    )
    more = html_line(f"and {len(given) - most} more") if len(given) > most else ""
    table = f"<thead><tr>{first}</tr></thead><tbody>{body}</tbody>"
    return f'<table style="border-collapse:collapse;border:0;margin:0.2em 0">{table}</table>{more}'
