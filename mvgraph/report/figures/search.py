"""How a search went: values by trial, the Pareto front of two figures, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mvgraph.report.figures.base import (
    FAINT,
    INK,
    Picture,
    axis,
    canvas,
    grid_axes,
    layout,
    render,
    rounded,
)
from mvgraph.report.style import METHOD_COLOURS, VIEW_COLOURS, for_matplotlib, for_plotly
from mvgraph.tuning.record import StudyRecord, TrialRecord

BLUE, ORANGE = METHOD_COLOURS[:2]


def words(figure: str) -> str:
    """A figure's name as one reads it."""
    return f"validation {figure.replace('_', '-')}"


def best_so_far(values: Sequence[float], direction: str) -> list[float]:
    """The best of each value and those before it."""
    found: list[float] = []
    for value in values:
        better = min if direction == "minimize" else max
        found.append(better(found[-1], value) if found else value)
    return found


def told(trial: TrialRecord) -> str:
    """A trial in a few lines for its hover, as the HTML that plotly reads."""
    params = "<br>".join(for_plotly(f"{key} {brief(value)}") for key, value in trial.params.items())
    return f"trial {trial.number}<br>{params}"


def brief(value: Any) -> str:
    """A parameter's value, short."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def history(record: StudyRecord) -> Picture | None:
    """Value of each complete trial, the best so far, and where pruned trials ended."""
    complete = record.of_state("complete")
    pruned = [trial for trial in record.of_state("pruned") if trial.curve]
    if not complete:
        return None
    figures = record.figures
    traces: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    with canvas(9.6, 3.4 * len(figures)) as figure:
        axes = figure.subplots(len(figures), 1, squeeze=False, sharex=True)
        for row, ((name, direction), domain) in enumerate(
            zip(figures, grid_axes(1, len(figures)), strict=True)
        ):
            numbers = [t.number for t in complete]
            values = [t.values[row] for t in complete]
            best = best_so_far(values, direction)
            place = 1 if name == "log_loss" else 2
            # A pruned trial's last mean is over fewer epochs or inner splits; it is drawn apart.
            ends = [(t.number, t.curve[-1][place]) for t in pruned]
            ax = axes[row][0]
            ax.step(numbers, best, where="post", color=ORANGE, label="best so far", zorder=1)
            ax.scatter(numbers, values, s=26, color=BLUE, label="complete")
            if ends:
                ax.scatter(*zip(*ends, strict=True), s=26, marker="x", color=FAINT, label="pruned, last seen")
            ax.set_ylabel(words(name))
            number = "" if row == 0 else str(row + 1)
            at = {"xaxis": f"x{number}", "yaxis": f"y{number}", "type": "scatter", "showlegend": row == 0}
            more[f"xaxis{number}"] = axis("trial", domain=domain[0], anchor=f"y{number}")
            more[f"yaxis{number}"] = axis(words(name), domain=domain[1], anchor=f"x{number}")
            traces += [
                {
                    **at,
                    "mode": "lines",
                    "name": "best so far",
                    "legendgroup": "best",
                    "x": numbers,
                    "y": rounded(best),
                    "line": {"color": ORANGE, "shape": "hv"},
                    "hoverinfo": "skip",
                },
                {
                    **at,
                    "mode": "markers",
                    "name": "complete",
                    "legendgroup": "complete",
                    "x": numbers,
                    "y": rounded(values),
                    "text": [told(t) for t in complete],
                    "marker": {"color": BLUE, "size": 9},
                    "hovertemplate": "%{y:.4f}, %{text}<extra></extra>",
                },
                {
                    **at,
                    "mode": "markers",
                    "name": "pruned, last seen",
                    "legendgroup": "pruned",
                    "x": [n for n, _ in ends],
                    "y": rounded(v for _, v in ends),
                    "text": [told(t) for t in pruned],
                    "marker": {"color": FAINT, "symbol": "x", "size": 8},
                    "hovertemplate": "%{y:.4f} when pruned, %{text}<extra></extra>",
                },
            ]
        axes[-1][0].set_xlabel("trial")
        handles, texts = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=3)
        png, thumbnail = render(figure)
    return Picture(
        "search-history",
        "History",
        "Each point is one trial, averaged over the inner splits; the line is the best trial up to there. Crosses "
        "were pruned: their value is what the pruner saw last.",
        f"Validation figures over {len(complete)} complete and {len(pruned)} pruned trials.",
        png,
        thumbnail,
        {"data": traces, "layout": layout(330 * len(figures), **more)},
    )


def front(record: StudyRecord) -> Picture | None:
    """Accuracy against log-loss, where both are the objective."""
    complete = record.of_state("complete")
    if len(record.figures) != 2 or not complete:
        return None
    best = [record.trial(number) for number in record.best]
    with canvas(7.2, 4.4) as figure:
        ax = figure.subplots()
        ax.scatter([t.values[0] for t in complete], [t.values[1] for t in complete], s=26, color=BLUE)
        ax.plot([t.values[0] for t in best], [t.values[1] for t in best], "o--", color=ORANGE, lw=1)
        ax.set_xlabel(words(record.figures[0][0]))
        ax.set_ylabel(words(record.figures[1][0]))
        png, thumbnail = render(figure)
    groups = (("other trials", [t for t in complete if t not in best], BLUE), ("Pareto front", best, ORANGE))
    traces = [
        {
            "type": "scatter",
            "mode": "markers" if name == "other trials" else "lines+markers",
            "name": name,
            "x": rounded(t.values[0] for t in trials),
            "y": rounded(t.values[1] for t in trials),
            "text": [told(t) for t in trials],
            "marker": {"color": colour, "size": 10},
            "line": {"dash": "dash", "width": 1, "color": colour},
            "hovertemplate": "%{x:.4f}, %{y:.4f}, %{text}<extra></extra>",
        }
        for name, trials, colour in groups
    ]
    axes = {"xaxis": axis(words(record.figures[0][0])), "yaxis": axis(words(record.figures[1][0]))}
    return Picture(
        "search-front",
        "Pareto front",
        "No trial is better than one on the front in both figures.",
        f"{len(best)} of {len(complete)} trials form the front of log-loss and accuracy.",
        png,
        thumbnail,
        {"data": traces, "layout": layout(440, **axes)},
    )


def importances(record: StudyRecord) -> Picture | None:
    """Share of the variance each parameter explains (fANOVA, Hutter et al. 2014)."""
    if not record.importances:
        return None
    names = sorted(
        {name for shares in record.importances.values() for name in shares},
        key=lambda name: sum(shares.get(name, 0.0) for shares in record.importances.values()),
    )
    groups: Mapping[str, list[float]] = {
        figure: [100 * shares.get(name, 0.0) for name in names]
        for figure, shares in record.importances.items()
    }
    height = 0.8 / len(groups)
    with canvas(8.0, 1.2 + 0.36 * len(names) * len(groups)) as figure:
        ax = figure.subplots()
        for index, (name, shares) in enumerate(groups.items()):
            places = [p + (index - (len(groups) - 1) / 2) * height for p in range(len(names))]
            ax.barh(places, shares, height=height, color=VIEW_COLOURS[index], label=words(name))
        ax.set_yticks(range(len(names)), [for_matplotlib(name) for name in names], color=INK)
        ax.set_xlabel("share of the variance, %")
        if len(groups) > 1:
            ax.legend()
        png, thumbnail = render(figure)
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": words(name),
            "x": rounded(shares),
            "y": [for_plotly(n) for n in names],
            "marker": {"color": VIEW_COLOURS[index]},
            "hovertemplate": "%{y}: %{x:.1f} %<extra></extra>",
        }
        for index, (name, shares) in enumerate(groups.items())
    ]
    axes = {"xaxis": axis("share of the variance, %"), "yaxis": axis()}
    many = {"showlegend": len(groups) > 1, "barmode": "group"}
    top = "; ".join(
        f"{n} {v:.0f} %"
        for n, v in sorted(zip(names, next(iter(groups.values())), strict=True), key=lambda p: -p[1])[:3]
    )
    return Picture(
        "search-importances",
        "Importances",
        "How much of the variance between trials each parameter explains by itself and with others (fANOVA over the "
        "complete trials). TPE looks where it is good already, so a parameter it has settled looks small.",
        f"Bars of parameter importances; largest: {top}.",
        png,
        thumbnail,
        {"data": traces, "layout": layout(140 + 36 * len(names) * len(groups), **axes, **many)},
    )
