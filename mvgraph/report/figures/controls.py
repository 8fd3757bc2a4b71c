"""With the graph minus without it, split by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mvgraph.report.compare import Control
from mvgraph.report.figures.base import FAINT, Picture, axis, canvas, layout, render, rounded
from mvgraph.report.ranking import Measure
from mvgraph.report.style import Look, for_matplotlib, for_plotly, short


def build(found: Sequence[Control], looks: Mapping[str, Look]) -> Picture | None:
    """Each method beside its controls; None when no control was run."""
    if not found:
        return None
    order = list(reversed(found))
    measure = found[0].difference.measure
    title = f"{measure.words} with the graph minus without it, {measure.gap_unit}"
    better = "right" if measure.sense > 0 else "left"
    with canvas(9.6, 1.1 + 0.42 * len(order)) as figure:
        ax = figure.add_subplot()
        ax.axvline(0, color=FAINT, lw=1.2)
        for y, control in enumerate(order):
            look = looks[control.control]
            ax.plot(
                [measure.scale * d for d in control.difference.deltas],
                [y] * control.difference.splits,
                "o",
                ms=4,
                color=look.colour,
                alpha=0.45,
                mew=0,
            )
            ax.plot(
                [measure.scale * control.difference.mean],
                [y],
                look.marker[0],
                ms=8,
                color=look.colour,
                mec="white",
                mew=0.8,
            )
        ax.set_yticks(range(len(order)), [for_matplotlib(short(_name(c), 44)) for c in order])
        ax.set_ylim(-0.7, len(order) - 0.3)
        ax.grid(axis="y", visible=False)
        ax.set_xlabel(f"{title} ({better} of zero: better with the graph)")
        png, thumbnail = render(figure)
    words = " ".join(c.sentence for c in found)
    return Picture(
        "controls",
        "Graph against no graph",
        f"Each small dot is one split: the method's {measure.words} minus that of the same model on a lesser graph: "
        "without edges (identity), over shuffled nodes, without edges inside a group (no-siblings), or with test rows "
        "hanging on the other rows alone (inductive); the large mark is the mean.",
        f"Dot plot of paired differences. {words}",
        png,
        thumbnail,
        _plotly(order, looks, measure, title),
    )


def _name(control: Control) -> str:
    return f"{control.label} − {control.control}"


def _plotly(
    order: Sequence[Control], looks: Mapping[str, Look], measure: Measure, title: str
) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    form = f"+.{measure.digits + 1}f"
    for y, control in enumerate(order):
        look = looks[control.control]
        shared = {"type": "scatter", "mode": "markers", "name": for_plotly(_name(control))}
        few = {"color": look.colour, "size": 7, "opacity": 0.45}
        large = {"color": look.colour, "size": 12, "symbol": look.marker[1]}
        deltas = [measure.scale * d for d in control.difference.deltas]
        traces.append(
            {
                **shared,
                "x": rounded(deltas),
                "y": [y] * len(deltas),
                "marker": few,
                "hovertemplate": f"one split: %{{x:{form}}}",
            }
        )
        mean = rounded([measure.scale * control.difference.mean])
        traces.append(
            {**shared, "x": mean, "y": [y], "marker": large, "hovertemplate": f"mean: %{{x:{form}}}"}
        )
    ticks = {
        "tickmode": "array",
        "tickvals": list(range(len(order))),
        "ticktext": [for_plotly(short(_name(c), 44)) for c in order],
    }
    return {
        "data": traces,
        "layout": layout(
            100 + 40 * len(order),
            showlegend=False,
            xaxis=axis(title, zeroline=True, rangemode="tozero"),
            yaxis=axis("", showgrid=False, range=[-0.7, len(order) - 0.3], **ticks),
            margin={"l": 60, "r": 20, "t": 10, "b": 50},
        ),
    }
