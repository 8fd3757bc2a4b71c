"""Confusion matrices and reliability, both from the stored test probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mvgraph.report.figures.base import (
    FAINT,
    Picture,
    axis,
    canvas,
    grid_axes,
    hide_unused,
    layout,
    panel_title,
    render,
    rounded,
)
from mvgraph.report.predictions import confusion, largest_confusion, reliability, row_shares
from mvgraph.report.snapshot import Predictions
from mvgraph.report.style import Look, for_matplotlib, for_plotly, short

# Perceptually even and readable in grey; from nothing (white) to all (deep blue).
_SCALE: list[list[Any]] = [
    [0.0, "#f7fbff"],
    [0.15, "#c6dbef"],
    [0.4, "#6baed6"],
    [0.7, "#2171b5"],
    [1.0, "#08306b"],
]
_COLUMNS = 3


def confusions(cells: Mapping[str, Sequence[Predictions]]) -> Picture | None:
    """A grid of row-normalised confusion matrices, one a method. ``cells`` maps label -> its cells, best first."""
    counts = {label: confusion(found) for label, found in cells.items() if found}
    if not counts:
        return None
    names = class_names(next(found for found in cells.values() if found)[0], len(next(iter(counts.values()))))
    columns = min(_COLUMNS, len(counts))
    rows = -(-len(counts) // columns)
    with canvas(9.6, 3.3 * rows + 0.2) as figure:
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("mistakes", [(at, c) for at, c in _SCALE])
        axes = figure.subplots(rows, columns, squeeze=False)
        hide_unused(axes, len(counts))
        for index, (ax, (label, matrix)) in enumerate(zip(axes.flat, counts.items(), strict=False)):
            # The square root spreads the rare mistakes, which are what one looks for.
            ax.imshow(np.sqrt(row_shares(matrix)), cmap=colours, vmin=0, vmax=1, interpolation="nearest")
            ax.set_title(for_matplotlib(short(label)))
            ax.grid(visible=False)
            _ticks(ax, names)
            if index >= len(counts) - columns:
                ax.set_xlabel("predicted class")
            if index % columns == 0:
                ax.set_ylabel("true class")
        png, thumbnail = render(figure)
    words = [_words(label, matrix, names) for label, matrix in list(counts.items())[:3]]
    return Picture(
        "confusion",
        "Confusion matrices",
        "Rows are true classes, columns predicted ones, shares of the true class over all test rows of all cells; the "
        "colour goes by the square root, so that rare mistakes show. " + " ".join(words),
        "Grid of confusion matrices, one a method. " + " ".join(words),
        png,
        thumbnail,
        _confusion_plotly(counts, columns, rows, names),
    )


def calibration(cells: Mapping[str, Sequence[Predictions]], looks: Mapping[str, Look]) -> Picture | None:
    """Reliability diagram: top-1 confidence against how often it was right."""
    found = {label: reliability(c) for label, c in cells.items() if c}
    if not found:
        return None
    with canvas(9.6, 4.8) as figure:
        ax = figure.add_subplot()
        ax.plot([0, 1], [0, 1], color=FAINT, ls="--", lw=1)
        for label, r in found.items():
            look = looks[label]
            ax.plot(
                r.confidence,
                r.accuracy,
                color=look.colour,
                ls=look.dash[0],
                lw=1.4,
                label=for_matplotlib(short(label)),
            )
            ax.scatter(
                r.confidence, r.accuracy, s=6 + 90 * r.share, color=look.colour, marker=look.marker[0], lw=0
            )
        ax.set_xlabel("confidence (largest probability)")
        ax.set_ylabel("share that was right")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        png, thumbnail = render(figure)
    line = {"type": "scatter", "mode": "lines", "line": {"color": FAINT, "dash": "dash", "width": 1.2}}
    traces: list[dict[str, Any]] = [
        {**line, "x": [0, 1], "y": [0, 1], "hoverinfo": "skip", "showlegend": False}
    ]
    for label, r in found.items():
        look = looks[label]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": rounded(r.confidence, 4),
                "y": rounded(r.accuracy, 4),
                "customdata": rounded(100 * r.share, 3),
                "name": for_plotly(label),
                "line": {"color": look.colour, "dash": look.dash[1], "width": 1.8},
                "marker": {
                    "color": look.colour,
                    "symbol": look.marker[1],
                    "size": rounded(5 + 14 * np.sqrt(r.share), 3),
                },
                "hovertemplate": "confidence %{x:.2f}, right %{y:.2f}, %{customdata:.1f} % of rows",
            }
        )
    axes = {"xaxis": axis("confidence (largest probability)"), "yaxis": axis("share that was right")}
    return Picture(
        "calibration",
        "Calibration",
        "A method whose line lies on the dashed diagonal means what its probabilities say; below it, it is too sure of "
        "itself, above it too modest. Larger marks hold more test rows; bins of fewer than 10 are left out.",
        f"Reliability diagram of {', '.join(found)}.",
        png,
        thumbnail,
        {"data": traces, "layout": layout(500, margin={"l": 60, "r": 20, "t": 10, "b": 50}, **axes)},
    )


def class_names(cell: Predictions, n_classes: int) -> list[str]:
    """The data set's own names where the ledger has them, else numbers."""
    return list(cell.classes) if len(cell.classes) == n_classes else [str(c) for c in range(n_classes)]


def _ticks(ax: Any, names: Sequence[str]) -> None:
    step = -(-len(names) // 12)
    at = range(0, len(names), step)
    texts = [for_matplotlib(short(names[c], 10)) for c in at]
    ax.set_xticks(at, texts, rotation=45 if max(map(len, texts)) > 3 else 0)
    ax.set_yticks(at, texts)


def _words(label: str, matrix: np.ndarray, names: Sequence[str]) -> str:
    worst = largest_confusion(matrix)
    if worst is None:
        return f"{label}: no mistake."
    return f"{label}: most often class {names[worst[0]]} taken for {names[worst[1]]} ({100 * worst[2]:.1f} % of it)."


def _confusion_plotly(
    counts: Mapping[str, np.ndarray], columns: int, rows: int, names: Sequence[str]
) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    notes = []
    domains = grid_axes(columns, rows, gap_x=0.07, gap_y=0.3 / max(rows, 2))
    for panel, ((label, matrix), (x, y)) in enumerate(zip(counts.items(), domains, strict=False), start=1):
        number = "" if panel == 1 else str(panel)
        shares = row_shares(matrix)
        at = list(range(0, len(names), -(-len(names) // 12)))
        texts = [for_plotly(short(names[c], 10)) for c in at]
        steps = {"tickmode": "array", "tickvals": at, "ticktext": texts, "showgrid": False, "ticks": ""}
        more[f"xaxis{number}"] = axis("", domain=x, anchor=f"y{number}", constrain="domain", **steps)
        more[f"yaxis{number}"] = axis(
            "",
            domain=y,
            anchor=f"x{number}",
            scaleanchor=f"x{number}",
            autorange="reversed",
            constrain="domain",
            **steps,
        )
        notes.append(panel_title(for_plotly(short(label)), panel))
        traces.append(
            {
                "type": "heatmap",
                "z": [rounded(row, 3) for row in np.sqrt(shares)],
                "customdata": [
                    [[int(n), float(f"{100 * s:.3g}")] for n, s in zip(a, b, strict=True)]
                    for a, b in zip(matrix, shares, strict=True)
                ],
                "xaxis": f"x{number}",
                "yaxis": f"y{number}",
                "colorscale": _SCALE,
                "zmin": 0,
                "zmax": 1,
                "showscale": False,
                "name": for_plotly(label),
                "hovertemplate": "true %{y}, predicted %{x}: %{customdata[1]} % (%{customdata[0]} rows)",
            }
        )
    return {"data": traces, "layout": layout(50 + 330 * rows, annotations=notes, **more)}
