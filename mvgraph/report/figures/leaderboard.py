"""Test accuracy of every method: mean, split deviation, every split, and the oracle that never ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mvgraph.report.figures.base import FAINT, Picture, axis, canvas, layout, render, rounded
from mvgraph.report.style import Look, for_matplotlib, for_plotly, short
from mvgraph.report.tables import Row, Setting, over_splits

CAPTION = (
    "Each small dot is one split (mean over seeds), the large mark their mean with the split deviation as a bar; the "
    "open star is what picking the best epoch by test accuracy would have claimed, and never ranks."
)


def build(setting: Setting, rows: Sequence[Row], looks: Mapping[str, Look], selection: str) -> Picture | None:
    """Mean test accuracy with its deviation, best first; None without rows."""
    if not rows:
        return None
    order = list(reversed(rows))
    splits = {
        r.label: [100 * v for v in over_splits(setting.runs[r.label].done, selection, "accuracy").values()]
        for r in rows
    }
    height = 1.1 + 0.36 * len(rows)
    with canvas(9.6, height) as figure:
        ax = figure.add_subplot()
        for y, row in enumerate(order):
            look, mean = looks[row.label], 100 * row.accuracy.mean
            ax.plot(
                splits[row.label],
                [y] * len(splits[row.label]),
                "o",
                ms=3.5,
                color=look.colour,
                alpha=0.4,
                mew=0,
            )
            if row.accuracy.split is not None:
                ax.plot(
                    [mean - 100 * row.accuracy.split, mean + 100 * row.accuracy.split],
                    [y, y],
                    color=look.colour,
                    lw=1.8,
                )
            ax.plot([mean], [y], look.marker[0], ms=7.5, color=look.colour, mec="white", mew=0.8)
            if row.selections["oracle"] is not None:
                ax.plot([100 * row.selections["oracle"]], [y], "*", ms=8, mfc="none", mec=FAINT, mew=0.9)
        ax.set_yticks(range(len(order)), [for_matplotlib(short(r.label)) for r in order])
        ax.set_ylim(-0.7, len(order) - 0.3)
        ax.grid(axis="y", visible=False)
        ax.set_xlabel("test accuracy, %")
        png, thumbnail = render(figure)
    return Picture(
        "leaderboard",
        "Test accuracy",
        CAPTION,
        "Dot plot of test accuracy in percent, best first: "
        + ", ".join(f"{r.label} {100 * r.accuracy.mean:.1f}" for r in rows)
        + ".",
        png,
        thumbnail,
        {"data": _traces(order, splits, looks), "layout": _layout(order)},
    )


def _traces(
    order: Sequence[Row], splits: Mapping[str, list[float]], looks: Mapping[str, Look]
) -> list[dict[str, object]]:
    traces: list[dict[str, object]] = []
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
                "hovertemplate": "one split: %{x:.2f} %",
            }
        )
        error = {
            "array": rounded([100 * (row.accuracy.split or 0.0)]),
            "color": look.colour,
            "thickness": 2.5,
            "width": 0,
        }
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": rounded([100 * row.accuracy.mean]),
                "y": [y],
                "name": name,
                "error_x": error,
                "marker": {"color": look.colour, "symbol": look.marker[1], "size": 11},
                "hovertemplate": "mean: %{x:.2f} %",
            }
        )
        if row.selections["oracle"] is not None:
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


def _layout(order: Sequence[Row]) -> dict[str, object]:
    ticks = {
        "tickmode": "array",
        "tickvals": list(range(len(order))),
        "ticktext": [for_plotly(short(r.label)) for r in order],
    }
    return layout(
        90 + 34 * len(order),
        showlegend=False,
        xaxis=axis("test accuracy, %"),
        yaxis=axis("", showgrid=False, range=[-0.7, len(order) - 0.3], **ticks),
        margin={"l": 60, "r": 20, "t": 10, "b": 50},
    )
