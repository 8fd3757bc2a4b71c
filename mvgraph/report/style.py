"""How a method looks: one colour, marker and dash for it through every figure of a report.

Colours: Okabe and Ito's palette for colour-blind readers, without its yellow (too faint on white) and with grey for its
black (unseen on a dark page). Views and other weights use Tol's "bright" scheme, so that no view looks like a method.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass

METHOD_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
VIEW_COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#999999")
# matplotlib's name, plotly's name
_MARKERS = (("o", "circle"), ("s", "square"), ("D", "diamond"), ("^", "triangle-up"), ("v", "triangle-down"))
_DASHES = (("solid", "solid"), ("dashed", "dash"), ("dotted", "dot"), ("dashdot", "dashdot"))


@dataclass(frozen=True)
class Look:
    """Colour, marker and dash of one method in every figure, for matplotlib and plotly."""

    colour: str
    marker: tuple[str, str]
    dash: tuple[str, str]


def looks(labels: Iterable[tuple[str, str | None]]) -> dict[str, Look]:
    """``(label, control)`` in order -> look. A control keeps the colour of the method it is a control of."""
    bases: dict[str, int] = {}
    result: dict[str, Look] = {}
    variants: dict[str, int] = {}
    for label, control in labels:
        base = label.split("@", 1)[0] if control or "@" in label else label
        index = bases.setdefault(base, len(bases))
        variant = variants.get(base, 0)
        variants[base] = variant + 1
        turn = index // len(METHOD_COLOURS) + variant
        result[label] = Look(
            METHOD_COLOURS[index % len(METHOD_COLOURS)],
            _MARKERS[turn % len(_MARKERS)],
            _DASHES[turn % len(_DASHES)],
        )
    return result


def view_colour(index: int) -> str:
    """The colour of the view number `index`."""
    return VIEW_COLOURS[index % len(VIEW_COLOURS)]


def rgba(colour: str, alpha: float) -> str:
    """A hexadecimal colour with an opacity, as plotly wants it."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def for_plotly(text: str) -> str:
    """plotly reads a subset of HTML in labels; a name is not markup."""
    return html.escape(text, quote=False)


def for_matplotlib(text: str) -> str:
    """matplotlib reads mathematics between dollars; a name is not mathematics."""
    return text.replace("$", r"\$")


def short(text: str, length: int = 28) -> str:
    """A label cut to `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def signed(value: float, digits: int = 1) -> str:
    """Fixed decimals with a true minus sign; a zero has no sign."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")
