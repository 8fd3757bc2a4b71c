"""Where a search looked: parallel coordinates, and value against cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mvgraph.report.figures.base import (
    FAINT,
    Picture,
    axis,
    canvas,
    grid_axes,
    layout,
    log_ticks,
    plain_log,
    render,
    rounded,
)
from mvgraph.report.figures.search import BLUE, ORANGE, brief, told, words
from mvgraph.report.style import for_matplotlib, for_plotly, rgba
from mvgraph.tuning.record import StudyRecord, TrialRecord

#: Trials drawn in parallel coordinates: the best so many; more lines say less.
MOST_LINES = 150


@dataclass(frozen=True)
class Rail:
    """One axis of the parallel coordinates: every value's height in 0..1, and what stands at both ends."""

    name: str
    heights: list[float]
    ticks: list[tuple[float, str]]


def rail(name: str, values: list[Any], kind: dict[str, Any] | None = None) -> Rail:
    """Heights of `values`: numbers by their range (by its logarithm where the search did so), others in order."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        log = bool((kind or {}).get("log")) and min(values) > 0
        scaled = [math.log(value) if log else float(value) for value in values]
        low, high = min(scaled), max(scaled)
        width = (high - low) or 1.0
        ends = (
            [(0.0, brief(min(values))), (1.0, brief(max(values)))]
            if high > low
            else [(0.0, brief(values[0]))]
        )
        return Rail(name, [(value - low) / width for value in scaled], ends)
    options = sorted({str(value) for value in values})
    step = 1.0 / max(len(options) - 1, 1)
    ticks = [(index * step, option) for index, option in enumerate(options)]
    return Rail(name, [options.index(str(value)) * step for value in values], ticks)


def parallel(record: StudyRecord) -> Picture | None:
    """One line a complete trial through the values of all its parameters, the best in colour."""
    sign = 1.0 if record.figures[0][1] == "minimize" else -1.0
    complete = sorted(record.of_state("complete"), key=lambda t: (sign * t.values[0], t.number))[:MOST_LINES]
    names = sorted({name for trial in complete for name in trial.params})
    complete = [trial for trial in complete if set(names) <= set(trial.params)]
    if len(complete) < 2 or not names:
        return None
    space = record.spec["space"]
    rails = [rail(name, [trial.params[name] for trial in complete], space.get(name)) for name in names]
    rails.append(rail(words(record.figures[0][0]), [trial.values[0] for trial in complete]))
    best = {trial.number for trial in complete[: max(1, len(complete) // 10)]} | set(record.best)
    places = list(range(len(rails)))
    with canvas(9.6, 4.6) as figure:
        ax = figure.subplots()
        for index, trial in reversed(list(enumerate(complete))):
            good = trial.number in best
            ax.plot(
                places,
                [r.heights[index] for r in rails],
                color=ORANGE if good else BLUE,
                alpha=0.95 if good else 0.25,
                lw=1.6 if good else 0.9,
                zorder=3 if good else 2,
            )
        for place, found in zip(places, rails, strict=True):
            ax.axvline(place, color=FAINT, lw=0.8, zorder=1)
            for height, text in found.ticks:
                ax.annotate(
                    for_matplotlib(text), (place, height), (3, 2), textcoords="offset points", fontsize=7.5
                )
        heads = [for_matplotlib(r.name.replace(".", ".\n", 1)) for r in rails]
        ax.set_xticks(places, heads, fontsize=8)
        ax.set_yticks([])
        ax.grid(False)
        png, thumbnail = render(figure)
    return Picture(
        "search-parallel",
        "Parallel coordinates",
        f"A line is a trial ({len(complete)} complete ones); the best tenth is orange. Where orange lines meet, the "
        "search found a value that matters; where they spread, it does not.",
        f"Parallel coordinates of {len(complete)} trials over {len(names)} parameters.",
        png,
        thumbnail,
        _plotly_rails(complete, rails, best),
    )


def _plotly_rails(trials: list[TrialRecord], rails: list[Rail], best: set[int]) -> dict[str, Any]:
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": list(range(len(rails))),
            "y": rounded(r.heights[index] for r in rails),
            "line": {
                "color": ORANGE if trial.number in best else rgba(BLUE, 0.3),
                "width": 2.2 if trial.number in best else 1,
            },
            "text": told(trial),
            "hovertemplate": "%{text}<extra></extra>",
            "showlegend": False,
        }
        for index, trial in reversed(list(enumerate(trials)))
    ]
    notes = [
        {
            "x": place,
            "y": height,
            "text": for_plotly(text),
            "showarrow": False,
            "xanchor": "left",
            "yanchor": "bottom",
            "font": {"size": 11},
        }
        for place, found in enumerate(rails)
        for height, text in found.ticks
    ]
    heads = [for_plotly(r.name).replace(".", ".<br>", 1).replace(" ", "<br>", 1) for r in rails]
    more = {
        "xaxis": axis(
            tickmode="array",
            tickvals=list(range(len(rails))),
            ticktext=heads,
            tickangle=0,
            tickfont={"size": 11},
            range=[-0.1, len(rails) - 0.4],
        ),
        "yaxis": axis(showticklabels=False, showgrid=False, range=[-0.06, 1.1]),
        "annotations": notes,
        "hovermode": "closest",
    }
    return {"data": traces, "layout": layout(480, **more)}


def cost(record: StudyRecord) -> Picture | None:
    """The first figure against seconds of fitting and against parameters."""
    complete = record.of_state("complete")
    name = record.figures[0][0]
    panels = [
        (title, [(t, value) for t in complete if (value := get(t)) > 0])
        for title, get in (
            ("seconds of fitting a trial", lambda t: t.fit_seconds),
            ("parameters", lambda t: t.parameters),
        )
    ]
    panels = [(title, points) for title, points in panels if len({value for _, value in points}) > 1]
    if not panels:
        return None
    best = set(record.best)
    traces: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    with canvas(9.6, 4.0) as figure:
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)
        for index, ((title, points), domain) in enumerate(
            zip(panels, grid_axes(len(panels), 1), strict=True), start=1
        ):
            costs = [float(value) for _, value in points]
            values = [t.values[0] for t, _ in points]
            colours = [ORANGE if t.number in best else BLUE for t, _ in points]
            ax = axes[0][index - 1]
            ax.scatter(costs, values, s=30, color=colours)
            ax.set_xscale("log")
            ax.margins(0.1)
            ax.autoscale_view()
            plain_log(ax.xaxis, min(costs), max(costs))
            ax.set_xlabel(title)
            number = "" if index == 1 else str(index)
            ticks, texts = log_ticks(min(costs), max(costs))
            more[f"xaxis{number}"] = axis(
                title,
                domain=domain[0],
                anchor=f"y{number}",
                type="log",
                tickmode="array",
                tickvals=ticks,
                ticktext=texts,
            )
            more[f"yaxis{number}"] = axis(
                words(name) if index == 1 else "",
                domain=domain[1],
                anchor=f"x{number}",
                **({} if index == 1 else {"matches": "y"}),
            )
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "xaxis": f"x{number}",
                    "yaxis": f"y{number}",
                    "x": rounded(costs),
                    "y": rounded(values),
                    "marker": {"color": colours, "size": 10},
                    "text": [told(t) for t, _ in points],
                    "hovertemplate": "%{y:.4f} at %{x:.4g}, %{text}<extra></extra>",
                    "showlegend": False,
                }
            )
        axes[0][0].set_ylabel(words(name))
        png, thumbnail = render(figure)
    spent = sum(t.seconds for t in record.trials)
    return Picture(
        "search-cost",
        "Cost",
        f"Every complete trial by what it cost (logarithmic), the best in orange. All trials together took "
        f"{spent:,.0f} s, pruned and failed ones included.",
        f"Scatter of {words(name)} over {' and '.join(title for title, _ in panels)}.",
        png,
        thumbnail,
        {"data": traces, "layout": layout(420, **more)},
    )
