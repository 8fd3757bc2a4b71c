"""Learning curves: log-loss and accuracy over epochs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mvgraph.report.figures.base import (
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
from mvgraph.report.series import Curve, curve
from mvgraph.report.style import Look, for_matplotlib, for_plotly, rgba, short
from mvgraph.report.tables import Setting

PANELS = (
    ("train_log_loss", "Training log-loss", 1.0),
    ("validation_log_loss", "Validation log-loss", 1.0),
    ("validation_accuracy", "Validation accuracy, %", 100.0),
    ("test_accuracy", "Test accuracy, %", 100.0),
)
CAPTION = (
    "Lines are means over a method's cells, bands one deviation over them; log-loss stands on a logarithmic axis, and "
    "a validation line that turns upwards while the training line still falls is overfitting."
)


def build(setting: Setting, looks: Mapping[str, Look]) -> Picture | None:
    """Log-loss and accuracy over epochs, mean and band over cells; None without curves."""
    found = {
        name: {
            label: c
            for label, runs in setting.runs.items()
            if (c := curve(runs.done, name)) is not None and len(c.epochs) > 1
        }
        for name, _, _ in PANELS
    }
    labels = [label for label in setting.runs if any(label in curves for curves in found.values())]
    if not labels:
        return None
    with canvas(9.6, 6.4) as figure:
        axes = figure.subplots(2, 2, sharex=True)
        for ax, (name, title, scale) in zip(axes.flat, PANELS, strict=True):
            for label, line in found[name].items():
                look, low, high = looks[label], *_band(line, scale)
                ax.fill_between(line.epochs, low, high, color=look.colour, alpha=0.13, lw=0)
                ax.plot(
                    line.epochs,
                    scale * line.mean,
                    color=look.colour,
                    ls=look.dash[0],
                    lw=1.5,
                    label=for_matplotlib(short(label)),
                )
            ax.set_title(title)
            if scale == 1.0 and found[name]:
                ax.set_yscale("log")
                ax.autoscale_view()
                plain_log(ax.yaxis, *_extent(found[name]))
        for ax in axes[1]:
            ax.set_xlabel("epoch")
        handles = {
            text: handle
            for ax in axes.flat
            for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=min(4, len(handles))
        )
        png, thumbnail = render(figure)
    names = ", ".join(labels)
    return Picture(
        "learning-curves",
        "Learning curves",
        CAPTION,
        f"Four panels over epochs (training and validation log-loss, validation and test accuracy) for {names}.",
        png,
        thumbnail,
        _plotly(found, labels, looks),
    )


def _band(line: Curve, scale: float) -> tuple[np.ndarray, np.ndarray]:
    low, high = scale * (line.mean - line.deviation), scale * (line.mean + line.deviation)
    # A log axis has no place for a band that dips below zero.
    return np.maximum(low, scale * line.mean * 0.05), high


def _extent(curves: Mapping[str, Curve]) -> tuple[float, float]:
    positive = [float(v) for c in curves.values() for v in c.mean if v > 0]
    return (min(positive), max(positive)) if positive else (0.1, 1.0)


def _plotly(
    found: Mapping[str, Mapping[str, Curve]], labels: list[str], looks: Mapping[str, Look]
) -> dict[str, object]:
    traces: list[dict[str, object]] = []
    named: set[str] = set()
    more: dict[str, object] = {}
    notes = []
    for panel, ((name, title, scale), (x, y)) in enumerate(
        zip(PANELS, grid_axes(2, 2), strict=True), start=1
    ):
        number = "" if panel == 1 else str(panel)
        more[f"xaxis{number}"] = axis(
            "epoch" if panel > 2 else "", domain=x, anchor=f"y{number}", matches=None if panel == 1 else "x"
        )
        kind: dict[str, object] = {}
        if scale == 1.0 and found[name]:
            ticks, texts = log_ticks(*_extent(found[name]))
            kind = {"type": "log", "tickmode": "array", "tickvals": ticks, "ticktext": texts}
        more[f"yaxis{number}"] = axis("", domain=y, anchor=f"x{number}", **kind)
        notes.append(panel_title(title, panel))
        for label in labels:
            line = found[name].get(label)
            if line is None:
                continue
            look, (low, high), epochs = looks[label], _band(line, scale), rounded(line.epochs)
            shared = {
                "xaxis": f"x{number}",
                "yaxis": f"y{number}",
                "legendgroup": for_plotly(label),
                "type": "scatter",
            }
            traces.append(
                {
                    **shared,
                    "x": epochs + epochs[::-1],
                    "y": rounded(high, 4) + rounded(low[::-1], 4),
                    "fill": "toself",
                    "fillcolor": rgba(look.colour, 0.13),
                    "line": {"width": 0},
                    "mode": "lines",
                    "hoverinfo": "skip",
                    "showlegend": False,
                }
            )
            traces.append(
                {
                    **shared,
                    "x": epochs,
                    "y": rounded(scale * line.mean, 4),
                    "mode": "lines",
                    "name": for_plotly(label),
                    "line": {"color": look.colour, "dash": look.dash[1], "width": 2},
                    "showlegend": label not in named,
                    "hovertemplate": "epoch %{x}: %{y:.4g}",
                }
            )
            named.add(label)
    return {
        "data": traces,
        "layout": layout(620, annotations=notes, legend={"orientation": "h", "y": -0.13}, **more),
    }
