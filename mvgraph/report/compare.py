"""Was it worth it? Methods against the plain baseline, and graph methods against themselves without their graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvgraph.report.differences import Difference, difference
from mvgraph.report.ranking import ACCURACY, Measure
from mvgraph.report.tables import PAPER_METHODS, REFERENCE, Row, Setting

#: Verdict -> its mark. Where there is no verdict there is no mark, only a dash.
SIGNS = {"ahead": "▲", "level": "◆", "behind": "▼", "none": "–"}


@dataclass(frozen=True)
class Verdict:
    """One method of the paper against concat-logreg in one setting."""

    setting: str
    label: str
    difference: Difference
    complete: bool

    @property
    def sentence(self) -> str:
        gap = self.difference
        words = {
            "ahead": "beats",
            "behind": "does not beat",
            "level": "does not clearly beat",
            "none": "against",
        }[gap.verdict]
        by = "" if gap.measure is ACCURACY else f", by {gap.measure.words}"
        tail = "" if self.complete else "; cells are still missing or failed"
        reason = f"; {gap.test.reason}" if gap.test.reason else ""
        return f"{self.label} {words} {REFERENCE} on {self.setting}{by}: {gap.figures}{reason}{tail}."


#: Control -> the lesser graph in words, and what the difference to it is the effect of.
_LESSER = {
    "identity": ("no edges", "the graph"),
    "shuffled": ("a graph over shuffled nodes", "the graph"),
    "no-siblings": ("no edges inside a group", "seeing siblings"),
    "inductive": ("test rows hanging on the other rows alone", "transduction"),
}


@dataclass(frozen=True)
class Control:
    """A method against the same method with a graph that carries nothing, or less."""

    label: str
    control: str
    kind: str
    difference: Difference

    @property
    def sentence(self) -> str:
        what, subject = _LESSER.get(self.kind, (self.kind, "the graph"))
        gap = self.difference
        verbs = {"ahead": "helps", "behind": "hurts", "level": "makes no clear difference"}
        effect = f"; {subject} {verbs[gap.verdict]}" if gap.verdict in verbs else ""
        reason = f"; {gap.test.reason}" if gap.test.reason else ""
        by = "" if gap.measure is ACCURACY else f", by {gap.measure.words}"
        return f"{self.label} against {what}{by}: {gap.figures}{effect}{reason}."


def verdicts(setting: Setting, rows: Sequence[Row]) -> list[Verdict]:
    """The paper's methods (not their controls) in leaderboard order; empty without concat-logreg."""
    reference = next((r for r in rows if r.method == REFERENCE and not r.control), None)
    if reference is None:
        return []
    return [
        Verdict(
            setting.title,
            row.label,
            row.gap,
            setting.runs[row.label].complete and setting.runs[reference.label].complete,
        )
        for row in rows
        if row.method in PAPER_METHODS and not row.control and row.gap is not None
    ]


def controls(setting: Setting, selection: str, measure: Measure = ACCURACY) -> list[Control]:
    """Each control beside the method it is a control of (same label before the ``@``, else same method)."""
    found = []
    for label, runs in setting.runs.items():
        if not runs.control or not runs.done:
            continue
        plain = [r for r in setting.runs.values() if not r.control and r.done]
        same = [r for r in plain if r.label == label.split("@", 1)[0]] or [
            r for r in plain if r.method == runs.method.split("@", 1)[0]
        ]
        if not same:
            continue
        base = same[0]
        gap = difference(base.done, runs.done, selection, measure)
        if gap is not None:
            found.append(Control(base.label, label, str(runs.control), gap))
    return found
