"""What all figures share: the canvas, the look, and PNGs without a date in them."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#222222"
FAINT = "#8a8a8a"
_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.color": INK,
    "text.usetex": False,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


@dataclass(frozen=True)
class Picture:
    """A figure with its words. ``plotly`` is a plain figure object, ``None`` where the picture alone is shown."""

    name: str
    title: str
    caption: str
    alt: str
    png: bytes
    thumbnail: bytes
    plotly: dict[str, Any] | None


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """A figure of ``width x height`` inches in the report's style; no pyplot, so no global state and no window."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def render(figure: Figure) -> tuple[bytes, bytes]:
    """(PNG at 150 dpi, PNG of two thirds for inside the page); neither carries a date or a version.

    256 and 128 colours: flat charts lose nothing that can be seen, and reports are committed.
    """
    from PIL import Image

    full, small = io.BytesIO(), io.BytesIO()
    # Straight from the canvas: `savefig` would draw twice, and pack what is unpacked again here.
    figure.set_dpi(150)
    canvas: Any = figure.canvas
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(full, format="png", dpi=(150, 150), optimize=True)
    image.resize((image.width * 2 // 3, image.height * 2 // 3), Image.Resampling.LANCZOS).quantize(
        128, dither=Image.Dither.NONE
    ).save(small, format="png", optimize=True)
    return full.getvalue(), small.getvalue()


def layout(height: int, **more: Any) -> dict[str, Any]:
    """The plotly layout all figures start from; ink, grid and paper colours are set by the page, light or dark."""
    base: dict[str, Any] = {
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 40, "b": 50},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 13},
        "hoverlabel": {"namelength": -1},
        "legend": {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0},
    }
    return {**base, **more}


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """A plotly axis in the look of the report."""
    return {
        "title": {"text": title, "font": {"size": 13}, "standoff": 8},
        "zeroline": False,
        "automargin": True,
        **more,
    }


def panel_title(text: str, axis_number: int, size: int = 13) -> dict[str, Any]:
    """A title over one panel of a grid (plotly has none of its own)."""
    number = "" if axis_number == 1 else str(axis_number)
    return {
        "text": f"<b>{text}</b>",
        "showarrow": False,
        "xref": f"x{number} domain",
        "yref": f"y{number} domain",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "font": {"size": size},
    }


def grid_axes(
    columns: int, rows: int, gap_x: float = 0.08, gap_y: float = 0.16
) -> list[tuple[list[float], list[float]]]:
    """Domains (x, y) of a grid of panels in reading order."""
    width, height = (1 - gap_x * (columns - 1)) / columns, (1 - gap_y * (rows - 1)) / rows
    domains = []
    for row in range(rows):
        for column in range(columns):
            left, top = column * (width + gap_x), 1 - row * (height + gap_y)
            x = [round(left, 6), round(min(left + width, 1.0), 6)]
            domains.append((x, [round(max(top - height, 0.0), 6), round(top, 6)]))
    return domains


def rounded(values: Any, digits: int = 5) -> list[float]:
    """Significant digits enough for a pixel; keeps the page small."""
    return [float(f"{float(v):.{digits}g}") for v in values]


def log_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Numbers as one writes them for a logarithmic axis from ``low`` to ``high``, and more the less it spans."""
    decades = math.log10(high / low) if high > low else 0.0
    steps = (1, 1.5, 2, 3, 4, 5, 7) if decades < 0.8 else (1, 2, 5) if decades < 2.5 else (1,)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found = [float(f"{step}e{power}") for power in range(first, last + 1) for step in steps]
    # One beyond each end, should the axis reach a little further than its data.
    ticks = [t for t in found if low / 2 <= t <= high * 2]
    return ticks, [f"{tick:,.10g}" for tick in ticks]


def plain_log(axis: Any, low: float, high: float) -> None:
    """Put ``log_ticks`` on a matplotlib axis without moving its limits."""
    from matplotlib import ticker

    limits = axis.get_view_interval()
    ticks, texts = log_ticks(low, high)
    axis.set_minor_locator(ticker.NullLocator())
    kept = [(t, s) for t, s in zip(ticks, texts, strict=True) if limits[0] <= t <= limits[1]]
    axis.set_major_locator(ticker.FixedLocator([t for t, _ in kept]))
    axis.set_major_formatter(ticker.FixedFormatter([s for _, s in kept]))


def hide_unused(axes: Any, used: int) -> None:
    """Switch off the panels of a grid beyond the first `used`."""
    flat: list[Axes] = list(axes.flat)
    for ax in flat[used:]:
        ax.set_axis_off()
