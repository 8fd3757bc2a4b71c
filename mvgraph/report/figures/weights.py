"""Learned weights: theta per layer and view (Eq. 2 of the paper), and attention per view and common representation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
from mvgraph.report.series import Curve, Share, final_attention, final_theta, from_uniform, theta_curves
from mvgraph.report.style import for_matplotlib, for_plotly, short, view_colour
from mvgraph.report.tables import Setting

Panel = tuple[str, dict[str, Share]]


def theta(setting: Setting) -> Picture | None:
    """Final theta as bars and, where the curves hold it, its path over the epochs."""
    final: list[Panel] = []
    paths: list[tuple[str, dict[str, Curve]]] = []
    for label, runs in setting.runs.items():
        if runs.control:
            continue
        layers = final_theta(runs.done)
        final += [
            (f"{short(label)}, layer {i + 1}", layer) for i, layer in enumerate(layers) if len(layer) > 1
        ]
        walked = theta_curves(runs.done)
        paths += [
            (f"{short(label)}, layer {i + 1}", layer) for i, layer in enumerate(walked) if len(layer) > 1
        ]
    if not final:
        return None
    views = view_names(setting, {view for _, layer in final for view in layer})
    known = {title for title, _ in paths}
    words = [_far(title, layer) for title, layer in final]
    caption = (
        "Left: theta at the end of training, one bar a view, whiskers one deviation over cells, the dashed line an "
        "equal share 1/V. Right: its path over the epochs, on an axis that zooms in. "
    )
    by_title = dict(paths)
    with canvas(9.6, 0.6 + 2.5 * len(final)) as figure:
        axes = figure.subplots(len(final), 2, squeeze=False)
        for (left, right), (title, layer) in zip(axes, final, strict=True):
            _bars(left, title, layer, views)
            if title in known:
                for view, line in by_title[title].items():
                    colour = view_colour(views.index(view)) if view in views else FAINT
                    right.plot(
                        line.epochs, line.mean, color=colour, lw=1.6, label=for_matplotlib(short(view, 18))
                    )
                right.axhline(1 / len(layer), color=FAINT, ls="--", lw=1)
                right.ticklabel_format(axis="y", useOffset=False)
                right.set_title("over the epochs (zoomed)")
                right.set_xlabel("epoch")
                right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
            else:
                right.set_axis_off()
        png, thumbnail = render(figure)
    return Picture(
        "theta",
        "View weights theta",
        caption + " ".join(words),
        "Bars of the learned view weights per method and layer. " + " ".join(words),
        png,
        thumbnail,
        _theta_plotly(final, by_title, views),
    )


def attention(setting: Setting) -> Picture | None:
    """Attention per view and common representation, one panel a method."""
    panels: list[Panel] = []
    for label, runs in setting.runs.items():
        shares = final_attention(runs.done)
        if len(shares) > 1 and not runs.control:
            panels.append((short(label), shares))
    if not panels:
        return None
    names = view_names(setting, {name for _, shares in panels for name in shares})
    panels = [(title, {n: shares[n] for n in names if n in shares}) for title, shares in panels]
    words = [_far(title, shares) for title, shares in panels]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with canvas(9.6, 0.4 + 2.6 * rows) as figure:
        axes = figure.subplots(rows, columns, squeeze=False)
        hide_unused(axes, len(panels))
        for ax, (title, shares) in zip(axes.flat, panels, strict=False):
            _bars(ax, title, shares, names)
        png, thumbnail = render(figure)
    traces: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    notes = []
    for panel, ((title, shares), (x, y)) in enumerate(
        zip(panels, grid_axes(columns, rows), strict=False), start=1
    ):
        _panel(more, panel, x, y)
        notes.append(panel_title(for_plotly(title), panel))
        traces += _bar_traces(panel, shares, names)
    return Picture(
        "attention",
        "Attention",
        "How much of each sample's representation comes from each view and from what the views have in common: mean "
        "over samples, whiskers one deviation over cells, the dashed line an equal share. " + " ".join(words),
        "Bars of mean attention per view. " + " ".join(words),
        png,
        thumbnail,
        {"data": traces, "layout": layout(60 + 300 * rows, annotations=notes, showlegend=False, **more)},
    )


def view_names(setting: Setting, drawn: set[str]) -> list[str]:
    """The data set's views by name, then what is no view (the common representation): one order, one colour each."""
    views = {
        str(view)
        for runs in setting.runs.values()
        for r in runs.done
        for view in r["cell"].get("views") or ()
    }
    return sorted(views) + sorted(drawn - views)


def _far(title: str, shares: Mapping[str, Share]) -> str:
    view, distance = from_uniform(dict(shares))
    direction = "above" if distance >= 0 else "below"
    return f"{title}: furthest from an equal share is {view}, {100 * abs(distance):.1f} % {direction} it."


def _bars(ax: Any, title: str, shares: Mapping[str, Share], names: Sequence[str]) -> None:
    for x, (view, share) in enumerate(shares.items()):
        error = {"yerr": share.deviation, "error_kw": {"lw": 1, "ecolor": FAINT}} if share.deviation else {}
        ax.bar(x, share.mean, color=view_colour(names.index(view)), width=0.65, **error)
    ax.axhline(1 / len(shares), color=FAINT, ls="--", lw=1)
    ax.set_xticks(
        range(len(shares)),
        [for_matplotlib(short(v, 14)) for v in shares],
        rotation=30 if len(shares) > 5 else 0,
    )
    ax.set_title(for_matplotlib(title))
    ax.grid(axis="x", visible=False)
    ax.set_ylim(bottom=0)


def _panel(more: dict[str, Any], panel: int, x: list[float], y: list[float], **extra: Any) -> None:
    number = "" if panel == 1 else str(panel)
    more[f"xaxis{number}"] = axis("", domain=x, anchor=f"y{number}", showgrid=False, **extra)
    more[f"yaxis{number}"] = axis("", domain=y, anchor=f"x{number}")


def _bar_traces(panel: int, shares: Mapping[str, Share], names: Sequence[str]) -> list[dict[str, Any]]:
    number = "" if panel == 1 else str(panel)
    ticks = [for_plotly(short(v, 18)) for v in shares]
    at = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    bar = {
        **at,
        "type": "bar",
        "x": ticks,
        "y": rounded((s.mean for s in shares.values()), 4),
        "error_y": {
            "array": rounded((s.deviation for s in shares.values()), 3),
            "color": FAINT,
            "thickness": 1.2,
            "width": 3,
        },
        "marker": {"color": [view_colour(names.index(v)) for v in shares]},
        "hovertemplate": "%{x}: %{y:.4f}<extra></extra>",
    }
    line = {
        **at,
        "type": "scatter",
        "mode": "lines",
        "x": [ticks[0], ticks[-1]],
        "y": [1 / len(shares)] * 2,
        "line": {"color": FAINT, "dash": "dash", "width": 1.2},
        "hovertemplate": "equal share: %{y:.4f}<extra></extra>",
    }
    return [bar, line]


def _theta_plotly(
    final: Sequence[Panel], paths: Mapping[str, Mapping[str, Curve]], views: Sequence[str]
) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    notes = []
    named: set[str] = set()
    domains = grid_axes(2, len(final), gap_y=0.34 / len(final))
    for row, (title, layer) in enumerate(final):
        left, right = 2 * row + 1, 2 * row + 2
        _panel(more, left, *domains[left - 1])
        notes.append(panel_title(for_plotly(title), left))
        traces += [{**t, "showlegend": False} for t in _bar_traces(left, layer, views)]
        if title not in paths:
            continue
        _panel(more, right, *domains[right - 1])
        notes.append(panel_title("over the epochs (zoomed)", right))
        more[f"xaxis{right}"]["title"]["text"] = "epoch" if row == len(final) - 1 else ""
        for view, line in paths[title].items():
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": rounded(line.epochs),
                    "y": rounded(line.mean),
                    "xaxis": f"x{right}",
                    "yaxis": f"y{right}",
                    "name": for_plotly(view),
                    "legendgroup": for_plotly(view),
                    "showlegend": view not in named,
                    "line": {"color": view_colour(views.index(view)) if view in views else FAINT, "width": 2},
                    "hovertemplate": "epoch %{x}: %{y:.5f}",
                }
            )
            named.add(view)
    legend = {"orientation": "h", "y": -0.12 if len(final) < 3 else -0.06}
    return {"data": traces, "layout": layout(90 + 270 * len(final), annotations=notes, legend=legend, **more)}
