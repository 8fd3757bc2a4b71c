"""Several data sets: the critical-difference diagram and the matrix of pairwise tests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mvgraph.report.figures.base import Picture, axis, canvas, layout, render, rounded
from mvgraph.report.stats import Comparison
from mvgraph.report.style import Look, for_matplotlib, for_plotly, short

ALPHA = 0.05
# Diverging and colour-blind safe (orange for worse, blue for better), pale enough for black numbers everywhere.
_SCALE: list[list[Any]] = [[0.0, "#eda36f"], [0.5, "#f4f4f4"], [1.0, "#84bbe0"]]


def critical_difference(comparison: Comparison, looks: Mapping[str, Look]) -> Picture | None:
    """Average ranks on a line; a bar joins methods that the corrected tests cannot tell apart."""
    if comparison.p_values is None or comparison.friedman is None:
        return None
    import pandas
    import scikit_posthocs

    # Numbers in place of names: a name may hold braces or dollars, and only sets of numbers keep their order.
    names = list(range(len(comparison.labels)))
    ranks = pandas.Series(comparison.mean_ranks, index=names)
    matrix = pandas.DataFrame(comparison.p_values, index=names, columns=names)
    with canvas(9.6, 1.3 + 0.27 * len(names)) as figure:
        ax = figure.add_subplot()
        ax.grid(visible=False)
        ax.spines["top"].set_visible(True)
        ax.tick_params(axis="x", length=4, color="#999999")
        drawn = scikit_posthocs.critical_difference_diagram(
            ranks,
            matrix,
            alpha=ALPHA,
            ax=ax,
            color_palette={i: looks[label].colour for i, label in enumerate(comparison.labels)},
            crossbar_props={"color": "#444444", "linewidth": 2.5},
            label_fmt_left="{label}",
            label_fmt_right="{label}",
            text_h_margin=0.05,
        )
        for text in drawn["labels"]:
            index = int(text.get_text())
            name, value = (
                for_matplotlib(short(comparison.labels[index])),
                f"{comparison.mean_ranks[index]:.2f}",
            )
            text.set_text(f"{name}  {value} " if text.get_ha() == "right" else f" {value}  {name}")
            text.set_color("#222222")
        ax.set_xticks(range(math.floor(ranks.min()), math.ceil(ranks.max()) + 1))
        png, thumbnail = render(figure)
    return Picture(
        "critical-difference",
        "Critical-difference diagram",
        "Average rank over the data sets, best on the left; a bar joins methods that the corrected tests cannot "
        "tell apart (cliques can deceive: the pairwise matrix has the last word).",
        "Average ranks: "
        + ", ".join(f"{n} {r:.2f}" for n, r in zip(comparison.labels, comparison.mean_ranks, strict=True))
        + ".",
        png,
        thumbnail,
        None,
    )


def pairwise(comparison: Comparison) -> Picture | None:
    """Wins minus losses of each row method against each column method, with the corrected p; None without tests."""
    if comparison.p_values is None:
        return None
    names = comparison.labels
    wins = _net_wins(comparison)
    size = len(names)
    largest = float(len(comparison.blocks))
    with canvas(9.6, 1.6 + 0.42 * size) as figure:
        from matplotlib.colors import LinearSegmentedColormap

        ax = figure.add_subplot()
        colours = LinearSegmentedColormap.from_list("duel", [(at, c) for at, c in _SCALE])
        ax.imshow(wins, cmap=colours, vmin=-largest, vmax=largest, aspect="auto")
        for i in range(size):
            for j in range(size):
                if i != j:
                    ax.text(j, i, _cell(comparison, wins, i, j), ha="center", va="center", fontsize=8)
        ax.set_xticks(range(size), [for_matplotlib(short(n, 18)) for n in names], rotation=40, ha="right")
        ax.set_yticks(range(size), [for_matplotlib(short(n)) for n in names])
        ax.grid(visible=False)
        png, thumbnail = render(figure)
    ticks = [for_plotly(short(n)) for n in names]
    heat = {
        "type": "heatmap",
        "x": list(range(size)),
        "y": list(range(size)),
        "z": [rounded(row) for row in wins],
        "text": [["" if i == j else _cell(comparison, wins, i, j) for j in range(size)] for i in range(size)],
        "texttemplate": "%{text}",
        "textfont": {"color": "#111111", "size": 11},
        "colorscale": _SCALE,
        "zmin": -largest,
        "zmax": largest,
        "showscale": False,
        "hovertemplate": "%{text}<extra></extra>",
    }
    shared: dict[str, Any] = {
        "tickmode": "array",
        "tickvals": list(range(size)),
        "ticktext": ticks,
        "showgrid": False,
    }
    return Picture(
        "pairwise",
        "Pairwise matrix",
        "Data sets on which the row's method has the better mean, minus those where the column's has, with the "
        "Holm-corrected Wilcoxon p in brackets (* under 0.05); blue: more of the row's.",
        "Matrix of wins minus losses between all pairs of methods.",
        png,
        thumbnail,
        {
            "data": [heat],
            "layout": layout(
                140 + 40 * size,
                xaxis=axis("", tickangle=-40, **shared),
                yaxis=axis("", autorange="reversed", **shared),
            ),
        },
    )


def _net_wins(comparison: Comparison) -> np.ndarray:
    ranks = comparison.ranks
    return (ranks[:, :, None] < ranks[:, None, :]).sum(axis=0) - (ranks[:, :, None] > ranks[:, None, :]).sum(
        axis=0
    )


def _cell(comparison: Comparison, wins: np.ndarray, i: int, j: int) -> str:
    assert comparison.p_values is not None
    text = f"{int(wins[i, j]):+d}".replace("-", "−").replace("+0", "0")
    p = comparison.p_values[i, j]
    return f"{text} ({p:.2g}{'*' if p < ALPHA else ''})"
