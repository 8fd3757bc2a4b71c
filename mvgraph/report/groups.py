"""Groups in a report: what the neighbours of test rows are made of, and what averaging over a group is worth.

Everything is read from the `audit` part of records, or given by `mvgraph.audit`, which measures more of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mvgraph.evaluation import PairedTest
from mvgraph.report.differences import difference
from mvgraph.report.scores import over_splits
from mvgraph.report.snapshot import Record
from mvgraph.report.tables import Row, Setting

DASH = "–"


@dataclass(frozen=True)
class Sheet:
    """One table of text."""

    name: str
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str


@dataclass(frozen=True)
class Groups:
    """The section of one setting: its kind of group, one sentence or none, and tables."""

    group: str
    sentence: str
    sheets: tuple[Sheet, ...]


def section(setting: Setting, rows: Sequence[Row], selection: str) -> Groups | None:
    """What the records of a setting tell about groups; None where no data set has any.

    The sentence needs a method on the whole graph, without the edges inside a group and without any edge.
    """
    records = [record for row in rows for record in setting.runs[row.label].done if record.get("audit")]
    if not records:
        return None
    group = str(records[0]["audit"]["group"])
    sheets = [_averaged(setting, rows, selection, group)]
    with_graph = [record for record in records if record["audit"].get("graph")]
    if with_graph:
        first = min(with_graph, key=lambda record: int((record["cell"].get("split") or {}).get("index") or 0))
        sheets += figure_sheets(first["audit"]["graph"])
    return Groups(group, _sentence(setting, rows, selection, group), tuple(sheets))


def figure_sheets(figures: Mapping[str, Any]) -> list[Sheet]:
    """Tables of the figures of one graph (see `mvgraph.graph.audit.graph_figures`)."""
    near = figures["near_duplicates"]
    return [
        Sheet(
            "audit-neighbours",
            "Neighbours of test rows",
            ("group", "view", "own group (%)", "by chance (%)", "train-test pairs"),
            tuple(
                (kind, view, percent(s["own"]), percent(s["chance"], 2), str(figures["crossing"][kind][view]))
                for kind, views in figures["neighbours"].items()
                for view, s in views.items()
            ),
            f"Mean over {figures['test_rows']} test rows of the share of neighbours from the row's own group, the "
            "same if neighbours were drawn at random, and pairs of a training and a test row of one group that an "
            "edge joins.",
        ),
        Sheet(
            "audit-homophily",
            "Homophily before and after fusion",
            ("graph", "edges (%)", "weight (%)"),
            tuple((name, percent(h["edges"]), percent(h["weight"])) for name, h in _homophily(figures)),
            "Share of the edges, and of their weight, that join rows of one class.",
        ),
        Sheet(
            "audit-duplicates",
            "Near duplicates",
            ("view", "rows", "pairs", "train-test pairs", "nearest"),
            tuple(
                (view, str(told["rows"]), str(told["pairs"]), str(told["train_test_pairs"]), _nearest(told))
                for view, told in near["views"].items()
            ),
            f"Rows nearer to each other than {near['fraction']:g} of the mean distance of the view.",
        ),
    ]


def gain_sentence(
    group: str,
    method: str,
    whole: float,
    no_siblings: float,
    none: float,
    inductive: float | None,
    averaged: tuple[str, float],
    test: PairedTest,
) -> str:
    """What a method's difference by its graph is made of, in one sentence.

    The difference is that to the same model without any edge; the part of it that goes with the edges inside a
    group is smoothing over the group. Only a test speaks of a gain; without one the figures stand for themselves.

    Args:
        whole, no_siblings, none, inductive: test accuracies, 0 to 1.
        averaged: a method without a graph, and its accuracy when averaged over each group.
        test: of the differences to no edges at all, one a split.
    """
    whole, no_siblings, none = 100 * whole, 100 * no_siblings, 100 * none
    gain = whole - none
    alone = (
        ""
        if inductive is None
        else f"with test rows hanging on the other rows alone it reaches {100 * inductive:.1f} %; "
    )
    rest = f"{alone}averaging the probabilities of {averaged[0]} over each {group} reaches {100 * averaged[1]:.1f} %"
    lost = max(0.0, min(whole - no_siblings, gain))
    if test.verdict == "higher":
        return (
            f"Of the {gain:.1f} points that the graph gains for {method} ({none:.1f} % without edges, {whole:.1f} % "
            f"with them), {lost:.1f} ({100 * lost / gain:.0f} %) go when the edges inside each {group} are taken "
            f"away, so that much is smoothing over the {group}; {rest}."
        )
    share = (
        f"; {lost:.1f} of the {gain:.1f} points ({100 * lost / gain:.0f} %) go with the edges inside each {group}"
        if gain > 0
        else ""
    )
    judged = {"level": "no clear difference", "lower": "the graph hurts", "none": test.reason}[test.verdict]
    return (
        f"{method} reaches {whole:.1f} % with its whole graph, {no_siblings:.1f} % without the edges inside each "
        f"{group} and {none:.1f} % without any edge{share}; of whole graph against none: {judged}; {rest}."
    )


def percent(share: float | None, digits: int = 1) -> str:
    """A share in percent, a dash where there is none."""
    return DASH if share is None else f"{100 * share:.{digits}f}"


def _averaged(setting: Setting, rows: Sequence[Row], selection: str, group: str) -> Sheet:
    found = []
    for row in rows:
        done = setting.runs[row.label].done
        accuracy, loss = (averaged_mean(done, selection, metric) for metric in ("accuracy", "log_loss"))
        if accuracy is not None and loss is not None:
            plain = row.metrics.get("log_loss")
            found.append(
                (
                    row.label,
                    percent(row.accuracy.mean),
                    percent(accuracy),
                    DASH if plain is None else f"{plain:.3f}",
                    f"{loss:.3f}",
                )
            )
    return Sheet(
        "audit-averaged",
        f"Scores averaged over the {group}",
        (
            "method",
            "accuracy (%)",
            f"averaged over the {group} (%)",
            "log-loss",
            f"averaged over the {group}",
        ),
        tuple(found),
        f"Averaged: every test row has the mean probabilities of the test rows of its {group}, which a protocol that "
        "shows one row at a time does not allow.",
    )


def averaged_mean(records: Sequence[Record], selection: str, metric: str) -> float | None:
    """Mean over cells of a test figure of probabilities averaged over groups, None where there is none."""
    values = [((r.get("audit") or {}).get("averaged") or {}).get(selection, {}).get(metric) for r in records]
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known else None


def _sentence(setting: Setting, rows: Sequence[Row], selection: str, group: str) -> str:
    def cells(method: str, control: str | None) -> list[Record]:
        done = [
            r.done for r in setting.runs.values() if r.method.split("@")[0] == method and r.control == control
        ]
        return done[0] if done else []

    def accuracy(method: str, control: str | None) -> float | None:
        values = list(over_splits(cells(method, control), selection, "accuracy").values())
        return fmean(values) if values else None

    found = []
    for method in {row.method.split("@")[0]: None for row in rows}:
        scores = [accuracy(method, control) for control in (None, "no-siblings", "identity", "inductive")]
        gap = difference(cells(method, None), cells(method, "identity"), selection)
        if None not in scores[:3] and gap is not None:
            found.append((method, scores, gap))
    rivals = [
        (f"{row.method.split('@')[0]} without a graph" if row.control else row.label, value)
        for row in rows
        if (row.control == "identity" or not _has_graph(setting, row))
        and (value := averaged_mean(setting.runs[row.label].done, selection, "accuracy")) is not None
    ]
    if not found or not rivals:
        return ""
    method, scores, gap = max(found, key=lambda each: (each[1][0] or 0.0) - (each[1][2] or 0.0))
    whole, siblings, none, inductive = scores
    assert whole is not None
    assert siblings is not None
    assert none is not None
    return gain_sentence(
        group, method, whole, siblings, none, inductive, max(rivals, key=lambda rival: rival[1]), gap.test
    )


def _has_graph(setting: Setting, row: Row) -> bool:
    return any(record["cell"].get("graph") for record in setting.runs[row.label].done)


def _homophily(figures: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    found = figures["homophily"]
    yield from found["views"].items()
    yield "mean of the views", found["mean"]
    for layer, values in enumerate(found["theta"], start=1):
        yield f"weighted by theta, layer {layer}", values


def _nearest(told: Mapping[str, Any]) -> str:
    if not told["nearest"]:
        return DASH
    pair = told["nearest"][0]
    return f"{pair['rows'][0]} and {pair['rows'][1]}, distance {pair['distance']:.3g}"
