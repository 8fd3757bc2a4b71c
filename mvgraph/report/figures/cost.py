"""Accuracy against what it costs: training seconds and parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mvgraph.report.figures.base import (
    FAINT,
    INK,
    Picture,
    axis,
    canvas,
    grid_axes,
    layout,
    log_ticks,
    panel_title,
    plain_log,
    render,
    rounded,
)
from mvgraph.report.style import Look, for_matplotlib, for_plotly, short
from mvgraph.report.tables import Row

Point = tuple[str, float, float]


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points no other beats on both: nothing cheaper (or as cheap) is better (or as good). By rising cost."""
    front: list[Point] = []
    best = float("-inf")
    for point in sorted(points, key=lambda p: (p[1], -p[2], p[0])):
        if point[2] > best:
            front.append(point)
            best = point[2]
    return front


def _seconds(row: Row) -> float | None:
    return row.seconds["training"]


def _parameters(row: Row) -> float | None:
    return row.parameters


PANELS: tuple[tuple[str, Callable[[Row], float | None]], ...] = (
    ("training seconds a cell", _seconds),
    ("parameters", _parameters),
)


def build(rows: Sequence[Row], looks: Mapping[str, Look]) -> Picture | None:
    """Accuracy against seconds and parameters, Pareto front marked; None without figures."""
    panels = []
    for title, cost in PANELS:
        points = [(r.label, c, 100 * r.accuracy.mean) for r in rows if (c := cost(r)) is not None and c > 0]
        if len(points) > 1:
            panels.append((title, points, pareto(points)))
    if not panels:
        return None
    without = sorted(r.label for r in rows if not r.parameters)
    note = f" Without parameters, so only in the panel of seconds: {', '.join(without)}." if without else ""
    with canvas(9.6, 4.6) as figure:
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)
        for ax, (title, points, front) in zip(axes.flat, panels, strict=True):
            ax.step(
                [p[1] for p in front],
                [p[2] for p in front],
                where="post",
                color=FAINT,
                ls="--",
                lw=1,
                zorder=1,
            )
            best = {p[0] for p in front}
            for label, x, y in points:
                look = looks[label]
                edge = (
                    {"edgecolors": INK, "linewidths": 1.6}
                    if label in best
                    else {"edgecolors": "white", "linewidths": 0.6}
                )
                ax.scatter(
                    [x],
                    [y],
                    s=64,
                    marker=look.marker[0],
                    color=look.colour,
                    label=for_matplotlib(short(label)),
                    **edge,
                )
            ax.set_xscale("log")
            ax.margins(0.12)
            ax.autoscale_view()
            plain_log(ax.xaxis, min(p[1] for p in points), max(p[1] for p in points))
            ax.set_xlabel(title)
        axes.flat[0].set_ylabel("test accuracy, %")
        handles, texts = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=4)
        png, thumbnail = render(figure)
    fronts = "; ".join(f"{title}: {', '.join(p[0] for p in front)}" for title, _, front in panels)
    return Picture(
        "cost-accuracy",
        "Accuracy against cost",
        "Further up is more accurate, further left cheaper (logarithmic); ringed methods form the Pareto front, where "
        f"nothing cheaper is as good. {note}".strip(),
        f"Scatter of test accuracy over cost. Pareto front by {fronts}.",
        png,
        thumbnail,
        _plotly(panels, looks),
    )


def _plotly(
    panels: Sequence[tuple[str, list[Point], list[Point]]], looks: Mapping[str, Look]
) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    notes = []
    named: set[str] = set()
    for panel, ((title, points, front), (x, y)) in enumerate(
        zip(panels, grid_axes(len(panels), 1), strict=True), start=1
    ):
        number = "" if panel == 1 else str(panel)
        at_ticks, texts = log_ticks(min(p[1] for p in points), max(p[1] for p in points))
        ticks = {"tickmode": "array", "tickvals": at_ticks, "ticktext": texts}
        more[f"xaxis{number}"] = axis(title, domain=x, anchor=f"y{number}", type="log", **ticks)
        more[f"yaxis{number}"] = axis("test accuracy, %" if panel == 1 else "", domain=y, anchor=f"x{number}")
        if panel > 1:
            more[f"yaxis{number}"]["matches"] = "y"
        notes.append(panel_title(f"Accuracy over {title}", panel))
        at = {"type": "scatter", "xaxis": f"x{number}", "yaxis": f"y{number}"}
        traces.append(
            {
                **at,
                "mode": "lines",
                "x": rounded(p[1] for p in front),
                "y": rounded(p[2] for p in front),
                "line": {"color": FAINT, "dash": "dash", "width": 1.4, "shape": "hv"},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
        best = {p[0] for p in front}
        for label, cost, accuracy in points:
            look = looks[label]
            # The page recolours a front ring to its ink, so that it shows on dark paper too.
            ring = {"color": INK if label in best else "rgba(0,0,0,0)", "width": 2 if label in best else 0}
            traces.append(
                {
                    **at,
                    "mode": "markers",
                    "x": rounded([cost]),
                    "y": rounded([accuracy]),
                    "name": for_plotly(label),
                    "legendgroup": for_plotly(label),
                    "showlegend": label not in named,
                    "marker": {"color": look.colour, "symbol": look.marker[1], "size": 12, "line": ring},
                    "hovertemplate": "%{y:.2f} % at %{x:.4g}" + (" (Pareto front)" if label in best else ""),
                }
            )
            named.add(label)
    return {
        "data": traces,
        "layout": layout(470, annotations=notes, legend={"orientation": "h", "y": -0.22}, **more),
    }
