"""Snapshot -> everything a report says, before it is written in any form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mvgraph.report import context, groups
from mvgraph.report.compare import Control, Verdict, controls, verdicts
from mvgraph.report.figures import Picture, cost, curves, leaderboard, predictions, ranks, weights
from mvgraph.report.figures import controls as control_figure
from mvgraph.report.snapshot import IMPORTED, Snapshot
from mvgraph.report.stats import Comparison, comparisons
from mvgraph.report.style import Look, looks
from mvgraph.report.tables import REFERENCE, Row, Setting, method_order, settings
from mvgraph.report.tables import leaderboard as rows_of


@dataclass(frozen=True)
class SettingReport:
    """One data set under one protocol, with its tables, sentences and figures."""

    setting: Setting
    rows: list[Row]
    verdicts: list[Verdict]
    controls: list[Control]
    pictures: list[Picture]
    unranked: list[str]
    without: list[str]
    imported: list[str]
    groups: groups.Groups | None = None


@dataclass(frozen=True)
class ComparisonReport:
    """A comparison over several settings, and its pictures."""

    comparison: Comparison
    pictures: list[Picture]


@dataclass(frozen=True)
class Report:
    """Everything a page shows, read and computed once."""

    snapshot: Snapshot
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
        """Who beats the reference, over all settings."""
        return [v for s in self.settings for v in s.verdicts]

    @property
    def headline(self) -> list[str]:
        """The report in a few sentences, only from its numbers."""
        return _headline(self)


def assemble(snapshot: Snapshot) -> Report:
    """Compute tables, comparisons and pictures from what the ledger holds."""
    found = settings(snapshot)
    order = method_order(snapshot, (label for s in found for label in s.runs))
    control = {label: runs.control for s in found for label, runs in s.runs.items()}
    look = looks((label, control[label]) for label in order)
    single = len(found) == 1
    parts = [_setting(snapshot, setting, look, single) for setting in found]
    compared = []
    for number, comparison in enumerate(comparisons(found, snapshot.selection), start=1):
        tag = "" if number == 1 else f"-{number}"
        drawn = [ranks.critical_difference(comparison, look), ranks.pairwise(comparison)]
        compared.append(ComparisonReport(comparison, [replace(p, name=p.name + tag) for p in drawn if p]))
    statuses = Counter(str(r.get("status") or "planned") for r in (*snapshot.failures, *snapshot.missing))
    return Report(
        snapshot=snapshot,
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


def _setting(snapshot: Snapshot, setting: Setting, look: Mapping[str, Look], single: bool) -> SettingReport:
    selection = snapshot.selection
    rows = rows_of(setting, selection)
    found = controls(setting, selection)
    cells = {
        row.label: [
            p
            for r in setting.runs[row.label].done
            if (p := snapshot.predictions(r, selection)) is not None and len(p.truth)
        ]
        for row in rows
    }
    drawn = [
        leaderboard.build(setting, rows, look, selection),
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
        rows=rows,
        verdicts=verdicts(setting, rows),
        controls=found,
        pictures=[p if single else replace(p, name=f"{p.name}-{setting.slug}") for p in drawn if p],
        unranked=[row.label for row in rows if row.rank is None],
        without=[label for label, runs in setting.runs.items() if not runs.done],
        imported=[label for label, runs in setting.runs.items() if runs.method.startswith(IMPORTED)],
        groups=groups.section(setting, rows, selection),
    )


def _headline(report: Report) -> list[str]:
    total = sum(n for _, n in report.statuses)
    done = len(report.snapshot.records)
    sentences = [*report.snapshot.notes, f"{done} of {total} planned cells are done."]
    if report.failures:
        sentences.append(f"{len(report.failures)} ended without a result (listed below).")
    if report.missing:
        sentences.append(f"{len(report.missing)} not run yet, so ranks in brackets are provisional.")
    leaders = []
    for part in report.settings:
        best = [r for r in part.rows if r.rank == 1]
        if best:
            names = " and ".join(r.label for r in best)
            leaders.append(f"{names} with {100 * best[0].accuracy.mean:.1f} % on {part.setting.title}")
    if leaders:
        sentences.append(f"Highest mean test accuracy: {'; '.join(leaders)}.")
    behind = [v for v in report.verdicts if not v.beats]
    if report.verdicts and not behind:
        sentences.append(f"Every method of the paper that ran beats {REFERENCE} on every data set here.")
    elif behind:
        names = "; ".join(f"{v.label} on {v.setting}" for v in behind)
        sentences.append(f"These methods of the paper do not clearly beat {REFERENCE}: {names}.")
    return sentences
