"""The figure that ranks, for every method: mean, split deviation, every split, and the oracle that never ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mvgraph.report.boards import Board
from mvgraph.report.figures.base import FAINT, Picture, axis, canvas, layout, render, rounded
from mvgraph.report.ranking import ACCURACY, Measure
from mvgraph.report.scores import over_splits
from mvgraph.report.style import Look, for_matplotlib, for_plotly, short
from mvgraph.report.tables import Row, Setting

CAPTION = "Each small dot is one split (mean over seeds), the large mark their mean with the split deviation as a bar."
ORACLE = " The open star is what picking the best epoch by test accuracy would have claimed, and never ranks."
LINE = " The dashed line is the majority class."


def build(setting: Setting, board: Board, looks: Mapping[str, Look], selection: str) -> Picture | None:
    """Mean of the test figure that ranks, with its deviation, best first; None without rows."""
    rows, measure = board.rows, board.measure
    if not rows:
        return None
    order = list(reversed(rows))
    splits = {
        r.label: [
            measure.scale * v
            for v in over_splits(setting.runs[r.label].done, selection, measure.key).values()
        ]
        for r in rows
    }
    line = None if board.majority is None else measure.scale * board.majority.score.mean
    title = f"test {measure.words}, {measure.unit}"
    height = 1.1 + 0.36 * len(rows)
    with canvas(9.6, height) as figure:
        ax = figure.add_subplot()
        if line is not None:
            ax.axvline(line, color=FAINT, ls="--", lw=1)
        for y, row in enumerate(order):
            look, mean = looks[row.label], measure.scale * row.score.mean
            ax.plot(
                splits[row.label],
                [y] * len(splits[row.label]),
                "o",
                ms=3.5,
                color=look.colour,
                alpha=0.4,
                mew=0,
            )
            if row.score.split is not None:
                half = measure.scale * row.score.split
                ax.plot(
                    [mean - half, mean + half],
                    [y, y],
                    color=look.colour,
                    lw=1.8,
                )
            ax.plot([mean], [y], look.marker[0], ms=7.5, color=look.colour, mec="white", mew=0.8)
            if measure is ACCURACY and row.selections["oracle"] is not None:
                ax.plot([100 * row.selections["oracle"]], [y], "*", ms=8, mfc="none", mec=FAINT, mew=0.9)
        ax.set_yticks(range(len(order)), [for_matplotlib(short(r.label)) for r in order])
        ax.set_ylim(-0.7, len(order) - 0.3)
        ax.grid(axis="y", visible=False)
        ax.set_xlabel(title)
        png, thumbnail = render(figure)
    return Picture(
        "leaderboard",
        f"Test {measure.words}",
        CAPTION + (ORACLE if measure is ACCURACY else "") + ("" if line is None else LINE),
        f"Dot plot of test {measure.words} ({measure.unit}), best first: "
        + ", ".join(f"{r.label} {measure.text(r.score.mean)}" for r in rows)
        + ".",
        png,
        thumbnail,
        {"data": _traces(order, splits, looks, measure), "layout": _layout(order, title, line)},
    )


def _traces(
    order: Sequence[Row], splits: Mapping[str, list[float]], looks: Mapping[str, Look], measure: Measure
) -> list[dict[str, object]]:
    traces: list[dict[str, object]] = []
    form = f".{measure.digits + 1}f"
    for y, row in enumerate(order):
        look, values = looks[row.label], splits[row.label]
        name = for_plotly(row.label)
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": rounded(values),
                "y": [y] * len(values),
                "name": name,
                "marker": {"color": look.colour, "size": 6, "opacity": 0.4},
                "hovertemplate": f"one split: %{{x:{form}}} {measure.unit}",
            }
        )
        error = {
            "array": rounded([measure.scale * (row.score.split or 0.0)]),
            "color": look.colour,
            "thickness": 2.5,
            "width": 0,
        }
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": rounded([measure.scale * row.score.mean]),
                "y": [y],
                "name": name,
                "error_x": error,
                "marker": {"color": look.colour, "symbol": look.marker[1], "size": 11},
                "hovertemplate": f"mean: %{{x:{form}}} {measure.unit}",
            }
        )
        if measure is ACCURACY and row.selections["oracle"] is not None:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "x": rounded([100 * row.selections["oracle"]]),
                    "y": [y],
                    "name": name,
                    "marker": {"color": FAINT, "symbol": "star-open", "size": 10},
                    "hovertemplate": "test oracle, never ranks: %{x:.2f} %",
                }
            )
    return traces


def _layout(order: Sequence[Row], title: str, line: float | None) -> dict[str, object]:
    dashes = {"color": FAINT, "dash": "dash", "width": 1.2}
    at = {
        "type": "line",
        "x0": line,
        "x1": line,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "layer": "below",
        "line": dashes,
    }
    ticks = {
        "tickmode": "array",
        "tickvals": list(range(len(order))),
        "ticktext": [for_plotly(short(r.label)) for r in order],
    }
    return layout(
        90 + 34 * len(order),
        showlegend=False,
        xaxis=axis(title),
        shapes=[] if line is None else [at],
        yaxis=axis("", showgrid=False, range=[-0.7, len(order) - 0.3], **ticks),
        margin={"l": 60, "r": 20, "t": 10, "b": 50},
    )
