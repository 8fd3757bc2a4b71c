"""Snapshot -> everything a report says, before it is written in any form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mvgraph.report import context, groups
from mvgraph.report.boards import Board, boards
from mvgraph.report.compare import Control, Verdict
from mvgraph.report.facts import Fact, facts
from mvgraph.report.figures import Picture, cost, curves, leaderboard, predictions, ranks, weights
from mvgraph.report.figures import controls as control_figure
from mvgraph.report.incomplete import Incomplete, incomplete
from mvgraph.report.majority import majority_of
from mvgraph.report.ranking import MEASURES, Measure, measure_named
from mvgraph.report.snapshot import IMPORTED, Snapshot
from mvgraph.report.stats import Comparison, comparisons
from mvgraph.report.style import Look, looks
from mvgraph.report.tables import REFERENCE, Row, Setting, method_order, settings


@dataclass(frozen=True)
class SettingReport:
    """One data set under one protocol, with its tables, sentences and figures.

    `boards` holds a leaderboard for every figure that can rank; `board` is the one by the figure of the report.
    """

    setting: Setting
    measure: Measure
    boards: Mapping[str, Board]
    pictures: list[Picture]
    unranked: list[str]
    without: list[str]
    imported: list[str]
    groups: groups.Groups | None = None
    incomplete: Incomplete | None = None
    facts: Sequence[Fact] = ()

    @property
    def board(self) -> Board:
        return self.boards[self.measure.name]

    @property
    def rows(self) -> list[Row]:
        return self.board.rows

    @property
    def verdicts(self) -> list[Verdict]:
        return self.board.verdicts

    @property
    def controls(self) -> list[Control]:
        return self.board.controls


@dataclass(frozen=True)
class ComparisonReport:
    """A comparison over several settings by the figure of the report, its pictures, and the same by every figure."""

    comparison: Comparison
    pictures: list[Picture]
    by: Mapping[str, Comparison]


@dataclass(frozen=True)
class Report:
    """Everything a page shows, read and computed once."""

    snapshot: Snapshot
    measure: Measure
    settings: list[SettingReport]
    comparisons: list[ComparisonReport]
    looks: Mapping[str, Look]
    card: list[context.CardLine]
    environment: list[tuple[str, list[tuple[str, int]]]]
    configurations: list[context.Configuration]
    failures: list[context.Trouble]
    missing: list[context.Trouble]
    statuses: list[tuple[str, int]]

    @property
    def pictures(self) -> list[Picture]:
        """Every picture of the report, comparisons first."""
        drawn = [c.pictures for c in self.comparisons] + [s.pictures for s in self.settings]
        return [picture for pictures in drawn for picture in pictures]

    @property
    def verdicts(self) -> list[Verdict]:
        """The paper's methods against the reference by the figure of the report, over all settings."""
        return self.verdicts_by(self.measure.name)

    def verdicts_by(self, name: str) -> list[Verdict]:
        """The same by any figure that can rank."""
        return [v for s in self.settings for v in s.boards[name].verdicts]

    @property
    def headline(self) -> list[str]:
        """The report in a few sentences, only from its numbers."""
        return [*_progress(self), *self.headline_by(self.measure.name)]

    @property
    def progress(self) -> list[str]:
        """How much of the plan is done."""
        return _progress(self)

    def headline_by(self, name: str) -> list[str]:
        """Who leads, and what may be said about it, by any figure that can rank."""
        return _leaders(self, MEASURES[name])


def assemble(snapshot: Snapshot, rank_by: str | None = None) -> Report:
    """Compute tables, comparisons and pictures from what the ledger holds.

    Args:
        rank_by: the figure that ranks, a name of `mvgraph.report.ranking.MEASURES`; by default that of the suite.

    Raises:
        UserError: nothing ranks by `rank_by`.
    """
    measure = measure_named(rank_by, snapshot.suite)
    found = settings(snapshot)
    order = method_order(snapshot, (label for s in found for label in s.runs))
    control = {label: runs.control for s in found for label, runs in s.runs.items()}
    look = looks((label, control[label]) for label in order)
    single = len(found) == 1
    parts = [_setting(snapshot, setting, look, measure, single) for setting in found]
    by = {m.name: {c.title: c for c in comparisons(found, snapshot.selection, m)} for m in MEASURES.values()}
    compared = []
    for number, (title, comparison) in enumerate(by[measure.name].items(), start=1):
        tag = "" if number == 1 else f"-{number}"
        drawn = [ranks.critical_difference(comparison, look), ranks.pairwise(comparison)]
        everyone = {name: found[title] for name, found in by.items() if title in found}
        pictures = [replace(p, name=p.name + tag) for p in drawn if p]
        compared.append(ComparisonReport(comparison, pictures, everyone))
    statuses = Counter(str(r.get("status") or "planned") for r in (*snapshot.failures, *snapshot.missing))
    return Report(
        snapshot=snapshot,
        measure=measure,
        settings=parts,
        comparisons=compared,
        looks=look,
        card=context.protocol_card(snapshot),
        environment=context.environments(snapshot),
        configurations=context.configurations(snapshot, order),
        failures=context.troubles(snapshot.failures),
        missing=context.troubles(snapshot.missing),
        statuses=[("done", len(snapshot.records)), *sorted(statuses.items())],
    )


def _setting(
    snapshot: Snapshot, setting: Setting, look: Mapping[str, Look], measure: Measure, single: bool
) -> SettingReport:
    selection = snapshot.selection
    majority = majority_of(snapshot, (r for runs in setting.runs.values() for r in runs.done))
    all_boards = boards(setting, selection, majority)
    board = all_boards[measure.name]
    rows, found = board.rows, board.controls
    cells = {
        row.label: [
            p
            for r in setting.runs[row.label].done
            if (p := snapshot.predictions(r, selection)) is not None and len(p.truth)
        ]
        for row in rows
    }
    drawn = [
        leaderboard.build(setting, board, look, selection),
        cost.build(rows, look),
        curves.build(setting, look),
        weights.theta(setting),
        weights.attention(setting),
        control_figure.build(found, look),
        predictions.confusions(cells),
        predictions.calibration(cells, look),
    ]
    return SettingReport(
        setting=setting,
        measure=measure,
        boards=all_boards,
        pictures=[p if single else replace(p, name=f"{p.name}-{setting.slug}") for p in drawn if p],
        unranked=[row.label for row in rows if row.rank is None],
        without=[label for label, runs in setting.runs.items() if not runs.done],
        imported=[label for label, runs in setting.runs.items() if runs.method.startswith(IMPORTED)],
        groups=groups.section(setting, rows, selection),
        incomplete=incomplete(setting, rows, selection),
        facts=facts(setting, majority),
    )


def _progress(report: Report) -> list[str]:
    total = sum(n for _, n in report.statuses)
    done = len(report.snapshot.records)
    sentences = [*report.snapshot.notes, f"{done} of {total} planned cells are done."]
    if report.failures:
        sentences.append(f"{len(report.failures)} ended without a result (listed below).")
    if report.missing:
        sentences.append(f"{len(report.missing)} not run yet, so ranks in brackets are provisional.")
    return sentences


def _leaders(report: Report, measure: Measure) -> list[str]:
    sentences, leaders = [], []
    for part in report.settings:
        best = [r for r in part.boards[measure.name].rows if r.rank == 1]
        if best:
            names = " and ".join(r.label for r in best)
            leaders.append(f"{names} with {measure.amount(best[0].score.mean)} on {part.setting.title}")
    if leaders:
        what = "Highest" if measure.sense > 0 else "Lowest"
        sentences.append(f"{what} mean test {measure.words}: {'; '.join(leaders)}.")
    found = report.verdicts_by(measure.name)
    tested = [v for v in found if v.difference.verdict != "none"]
    behind = [v for v in tested if v.difference.verdict != "ahead"]
    if tested and not behind:
        which = "on every data set here" if len(tested) == len(found) else "wherever there is a verdict"
        sentences.append(f"Every method of the paper that ran beats {REFERENCE} {which}.")
    elif behind:
        names = "; ".join(f"{v.label} on {v.setting}" for v in behind)
        sentences.append(f"These methods of the paper do not clearly beat {REFERENCE}: {names}.")
    if len(tested) < len(found):
        places = "; ".join(dict.fromkeys(v.setting for v in found if v.difference.verdict == "none"))
        sentences.append(
            f"No verdict against {REFERENCE} on {places} (the reason stands with each difference)."
        )
    return sentences
