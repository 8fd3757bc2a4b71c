"""A study in, a report folder out: one offline page and its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvgraph.report import forms
from mvgraph.report.context import flatten
from mvgraph.report.figures import Picture
from mvgraph.report.figures.search import brief, front, history, importances, words
from mvgraph.report.figures.search_space import cost, parallel
from mvgraph.report.output import _replace
from mvgraph.report.page import _file, environment, packed_plotly
from mvgraph.tuning.record import StudyRecord, TrialRecord

_STATES = ("complete", "pruned", "failed", "abandoned")


@dataclass(frozen=True)
class StudyReport:
    """Everything the page says."""

    record: StudyRecord
    headline: list[str]
    pictures: list[Picture]
    statuses: list[tuple[str, int]]
    start: TrialRecord | None
    winners: list[TrialRecord]
    protocol: list[tuple[str, str]]
    environment: list[tuple[str, str]]


def write_study(record: StudyRecord, folder: str | Path) -> Path:
    """Write `index.html` and PNG figures of a study, finished or not.

    Args:
        record: the study; nothing else is read.
        folder: where to write.

    Returns:
        The path of `index.html`.
    """
    folder = Path(folder)
    report = assemble_study(record)
    folder.mkdir(parents=True, exist_ok=True)
    for picture in report.pictures:
        _replace(folder / f"{picture.name}.png", picture.png)
    page = folder / "index.html"
    _replace(page, render_study(report).encode("utf-8"))
    return page


def assemble_study(record: StudyRecord) -> StudyReport:
    """A study in sentences, tables and figures."""
    drawn = [history(record), front(record), importances(record), parallel(record), cost(record)]
    first = next((t for t in record.trials if t.number == 0 and t.settings == record.spec["base"]), None)
    facts = {
        key: value for key, value in record.spec.items() if key not in ("space", "base", "seen", "source")
    }
    return StudyReport(
        record=record,
        headline=_headline(record, first),
        pictures=[picture for picture in drawn if picture],
        statuses=[(state, n) for state in _STATES if (n := len(record.of_state(state)))],
        start=first,
        winners=[record.trial(number) for number in record.best],
        protocol=[(key.replace("_", " ").replace(".", ": "), value) for key, value in flatten(facts).items()],
        environment=list({**flatten(record.environment), **flatten(record.versions)}.items()),
    )


def _headline(record: StudyRecord, first: TrialRecord | None) -> list[str]:
    spec = record.spec
    counted = [t for t in record.trials if t.state != "abandoned"]
    sentences = [
        f"{len(counted)} trials of {spec['label']} on {spec['dataset']}, each averaged over "
        f"{forms.plural(spec['inner'], 'inner split')} of the training and validation rows; labels of test rows were "
        "hidden from all of them."
    ]
    if not record.best:
        return [*sentences, "No trial is complete yet."]
    for index, (name, _) in enumerate(record.figures):
        if len(record.figures) == 1:
            best = record.trial(record.best[0])
            text = f"Best {words(name)}: {best.values[index]:.4f} (trial {best.number})"
            if first is not None and first.values:
                text += f"; the settings it began with reach {first.values[index]:.4f}"
            sentences.append(f"{text}.")
    if len(record.figures) > 1:
        sentences.append(
            f"{forms.plural(len(record.best), 'trial')} on the Pareto front of log-loss and accuracy."
        )
    sentences.append(
        "These figures chose the trial, so they flatter it: run best.yaml for figures on rows that no trial saw."
    )
    return sentences


def render_study(report: StudyReport) -> str:
    """The page. All from the study goes through autoescape or into JSON."""
    figures: dict[str, Any] = {p.name: p.plotly for p in report.pictures if p.plotly is not None}
    return (
        environment()
        .from_string(_file("study.html.j2"))
        .render(
            report=report,
            record=report.record,
            brief=brief,
            words=words,
            flatten=flatten,
            figures=figures,
            plotly=packed_plotly() if figures else "",
        )
    )
