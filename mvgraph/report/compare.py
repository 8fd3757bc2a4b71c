"""Was it worth it? Methods against the plain baseline, and graph methods against themselves without their graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvgraph.report.style import signed
from mvgraph.report.tables import PAPER_METHODS, REFERENCE, Difference, Row, Setting, difference, over_splits


@dataclass(frozen=True)
class Verdict:
    """One method of the paper against concat-logreg in one setting."""

    setting: str
    label: str
    difference: Difference
    complete: bool

    @property
    def beats(self) -> bool:
        return self.difference.verdict == "ahead"

    @property
    def sentence(self) -> str:
        gap = self.difference
        words = {"ahead": "beats", "behind": "does not beat", "level": "does not clearly beat"}[gap.verdict]
        spread = "" if gap.deviation is None else f" ± {100 * gap.deviation:.1f}"
        tail = "" if self.complete else "; cells are still missing or failed"
        splits = f"better on {gap.wins} of {gap.splits} split{'s' if gap.splits > 1 else ''}"
        return (
            f"{self.label} {words} {REFERENCE} on {self.setting}: {signed(100 * gap.mean)}{spread} points "
            f"({100 * gap.a:.1f} against {100 * gap.b:.1f} %), {splits}{tail}."
        )


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
    deltas: tuple[float, ...]

    @property
    def sentence(self) -> str:
        what, subject = _LESSER.get(self.kind, (self.kind, "the graph"))
        verbs = {"ahead": "helps", "behind": "hurts", "level": "makes no clear difference"}
        effect = f"{subject} {verbs[self.difference.verdict]}"
        gap = self.difference
        spread = "" if gap.deviation is None else f" ± {100 * gap.deviation:.1f}"
        return (
            f"{self.label} against {what}: {signed(100 * gap.mean)}{spread} points "
            f"({100 * gap.a:.1f} against {100 * gap.b:.1f} %), {effect}."
        )


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


def controls(setting: Setting, selection: str) -> list[Control]:
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
        gap = difference(base.done, runs.done, selection)
        if gap is None:
            continue
        left, right = (over_splits(r.done, selection, "accuracy") for r in (base, runs))
        common = [s for s in left if s in right]
        found.append(
            Control(
                base.label,
                label,
                str(runs.control),
                gap,
                tuple(left[s] - right[s] for s in common),
            )
        )
    return found
