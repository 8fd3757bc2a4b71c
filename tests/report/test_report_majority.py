"""The majority class in every leaderboard: its figures by hand, who is not better than it, and where it is left out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import report_runs
from sklearn import metrics

from mvgraph.report import markdown, sheets, write
from mvgraph.report.assemble import assemble
from mvgraph.report.boards import board
from mvgraph.report.majority import LABEL, MARK, majority_of
from mvgraph.report.page import render
from mvgraph.report.ranking import MEASURES
from mvgraph.report.snapshot import Predictions, Snapshot
from mvgraph.report.tables import settings

#: Of eight test rows six are of class 0: the majority rate is 75 %.
TRUTH = np.array([0, 0, 0, 0, 0, 0, 1, 1])


def made(label: str, accuracies: list[float], method: str | None = None) -> list[dict[str, Any]]:
    found = [report_runs.record(label, i, a, sizes=(90, 10)) for i, a in enumerate(accuracies)]
    for each in found:
        each["cell"]["method"] = method or label
        each["cell"]["protocol"] = {"labelled": {"train_per_class": [60, 30]}}
    return found


def snapshot_of(*records: dict[str, Any]) -> Snapshot:
    known = Predictions(np.full((8, 2), 0.5), TRUTH, ("a", "b"))
    return Snapshot({}, records, predictions=lambda record, selection: known)


def board_of(snapshot: Snapshot, name: str = "accuracy") -> Any:
    (setting,) = settings(snapshot)
    return board(setting, "last", majority_of(snapshot, snapshot.records), MEASURES[name])


def test_its_figures_are_those_of_its_predictions(snapshot: Snapshot) -> None:
    splits = {}
    for record in snapshot.records:
        truth = snapshot.predictions(record, "last").truth  # type: ignore[union-attr]
        splits[record["cell"]["split"]["hash"]] = truth
    frequency = np.array([5, 4, 4, 3]) / 16
    found = board_of(snapshot).majority
    guesses = {key: np.zeros(len(truth), dtype=int) for key, truth in splits.items()}
    assert found.metrics["accuracy"] == pytest.approx(fmean((t == 0).mean() for t in splits.values()))
    assert found.metrics["macro_f1"] == pytest.approx(
        fmean(metrics.f1_score(t, guesses[k], average="macro") for k, t in splits.items())
    )
    assert found.metrics["log_loss"] == pytest.approx(
        fmean(metrics.log_loss(t, np.tile(frequency, (len(t), 1)), labels=range(4)) for t in splits.values())
    )
    assert found.metrics["macro_accuracy"] == pytest.approx(0.25)
    assert (found.rank, found.computed) == (None, True)


def test_it_stands_where_it_belongs_and_takes_no_rank() -> None:
    found = board_of(snapshot_of(*made("good", [0.9]), *made("bad", [0.6])))
    assert [(row.label, row.rank) for row in found.lines] == [("good", 1), (LABEL, None), ("bad", 2)]
    assert [row.label for row in found.rows] == ["good", "bad"]


@pytest.mark.parametrize(
    ("accuracies", "above"),
    [
        ([0.76], True),
        ([0.75], False),
        ([0.74], False),
        # With five splits the test decides: 1.6 points up with a spread of 5 points is not clearly better.
        ([0.70, 0.83, 0.75, 0.80, 0.75], False),
        ([0.80, 0.83, 0.81, 0.80, 0.82], True),
        # The test has no spread to judge by, so the mean decides.
        ([0.80] * 5, True),
        ([0.75] * 5, False),
    ],
)
def test_who_is_better_than_it(accuracies: list[float], above: bool) -> None:
    (row,) = board_of(snapshot_of(*made("m", accuracies))).rows
    assert row.above_majority is above


def test_a_suite_that_ran_it_has_no_second_line_and_it_is_not_marked_by_itself() -> None:
    found = board_of(snapshot_of(*made("majority-class", [0.75]), *made("m", [0.75])))
    assert found.majority is None
    assert {row.label: row.above_majority for row in found.lines} == {"majority-class": None, "m": False}


def test_without_labels_there_is_no_line_and_no_mark() -> None:
    found = board_of(Snapshot({}, [report_runs.record("m", 0, 0.1)]))
    assert found.majority is None
    assert found.rows[0].above_majority is None


def test_every_form_shows_line_mark_and_legend() -> None:
    report = assemble(snapshot_of(*made("good", [0.9]), *made("bad", [0.6])))
    text = markdown.document(report)
    assert re.search(rf"^\| – \| {LABEL} \| 75\.0 .*computed \|$", text, re.MULTILINE)
    assert f"| bad ({MARK}) |" in text
    assert "| good |" in text
    page = render(report)
    assert page.count('<tr class="computed">') == len(MEASURES)
    assert "marks a method that is not clearly better" in page
    lines = sheets.leaderboard(report).splitlines()
    assert "majority_class" in lines[0]
    assert len(lines) == 3


def test_the_suite_and_the_caller_choose_the_figure(
    finished: Path, tmp_path: Path, snapshot: Snapshot
) -> None:
    chosen = assemble(replace(snapshot, suite={**snapshot.suite, "rank_by": "log-loss"}))
    assert chosen.measure.name == "log-loss"
    assert chosen.headline[1].startswith("Lowest mean test log-loss: ")
    page = write(finished, tmp_path, rank_by="macro-f1").read_text(encoding="utf-8")
    assert re.findall(r'value="([a-z0-9-]+)" autocomplete="off" checked', page) == ["macro-f1"]
    shown = re.findall(r'<div class="scroll" data-rank-by="([a-z0-9-]+)"( hidden)?>', page)
    assert [name for name, hidden in shown if not hidden] == ["macro-f1"]
    assert [name for name, _ in shown] == list(MEASURES)
    assert "| rank | method | Macro-F1 (%) |" in (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
