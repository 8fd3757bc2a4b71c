"""Several runs as one: what is the same counts once, what differs is told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import report_runs
from report_runs import make_cells, write_run

from mvgraph.errors import UserError
from mvgraph.report.merge import read_runs, run_names
from mvgraph.report.tables import leaderboard, settings

FAILED = ("failed", "Traceback\nValueError: odd")


def other(cell: report_runs.Cell, **changes: Any) -> report_runs.Cell:
    """The cell with other settings, and hence another id."""
    return replace(cell, id=sha256(repr((cell.id, changes)).encode()).hexdigest(), **changes)


def boards(folders: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Rows by label, by title of the setting."""
    with read_runs(folders) as snapshot:
        return {
            setting.title: {row.label: row for row in leaderboard(setting, snapshot.selection)}
            for setting in settings(snapshot)
        }


def test_cells_of_two_runs_make_one_table(tmp_path: Path) -> None:
    labels = ["mean-gcn", "dm-gcn", "concat-logreg"]
    every = make_cells(labels, ["mfeat"], 3, [0, 1])
    whole = write_run(tmp_path / "whole", every)
    first = write_run(tmp_path / "first", [c for c in every if c.label != "dm-gcn"])
    second = write_run(tmp_path / "second", [c for c in every if c.label != "mean-gcn"])
    (expected,) = boards([whole]).values()
    (found,) = boards([first, second]).values()
    assert found == expected
    with read_runs([first, second]) as snapshot, read_runs([whole]) as one:
        assert [r["cell"]["id"] for r in snapshot.records] == [r["cell"]["id"] for r in one.records]
        assert snapshot.notes[0] == "This report joins 2 runs: first, second."
        assert snapshot.notes[1] == "6 cells that more than one of them holds count once."
        for record in snapshot.records:
            mine, theirs = (s.predictions(record, "last") for s in (snapshot, one))
            assert (mine.probabilities == theirs.probabilities).all()


def test_the_best_ending_of_a_cell_counts(tmp_path: Path) -> None:
    cells = make_cells(["dm-gcn"], ["mfeat"], 2, [0])
    first = write_run(tmp_path / "a", cells, lambda cell: FAILED if cell.split["index"] else None)
    second = write_run(tmp_path / "b", cells, lambda cell: True if cell.split["index"] else FAILED)
    with read_runs([first, second]) as snapshot:
        kinds = {"records": snapshot.records, "failures": snapshot.failures, "missing": snapshot.missing}
        assert {name: [r["cell"]["split"]["index"] for r in found] for name, found in kinds.items()} == {
            "records": [1],
            "failures": [0],
            "missing": [],
        }


def test_one_label_for_two_settings_is_told_apart(tmp_path: Path) -> None:
    cells = make_cells(["dm-gcn", "concat-logreg"], ["mfeat"], 2, [0])
    wider = [other(c, graph={**c.graph, "k": 20}) if c.label == "dm-gcn" else c for c in cells]
    folders = [write_run(tmp_path / "a", cells), write_run(tmp_path / "b", wider)]
    (found,) = boards(folders).values()
    assert set(found) == {"dm-gcn (a)", "dm-gcn (b)", "concat-logreg"}
    assert all(row.done == row.planned == 2 for row in found.values())
    with read_runs(folders) as snapshot:
        assert any("'dm-gcn (a)' and 'dm-gcn (b)'" in note for note in snapshot.notes)


def test_other_settings_on_other_splits_are_told_apart_too(tmp_path: Path) -> None:
    """No cell of the two runs shares a place, so the settings themselves decide."""
    cells = make_cells(["dm-gcn"], ["mfeat"], 2, [0])
    later = make_cells(["dm-gcn"], ["htad"], 2, [0])
    wider = [other(c, options={"hidden": 8}) for c in later]
    assert {label for rows in boards([write_run(tmp_path / "a", cells), write_run(tmp_path / "b", later)]).values()
            for label in rows} == {"dm-gcn"}  # fmt: skip
    found = boards([tmp_path / "a", write_run(tmp_path / "c", wider)])
    assert {label for rows in found.values() for label in rows} == {"dm-gcn (a)", "dm-gcn (c)"}


def test_two_labels_for_one_setting_are_one_method(tmp_path: Path) -> None:
    cells = make_cells(["dm-gcn"], ["mfeat"], 2, [0])
    renamed = [replace(c, label="ours") for c in [*cells, *make_cells(["dm-gcn"], ["mfeat"], 2, [1])]]
    (found,) = boards([write_run(tmp_path / "a", cells), write_run(tmp_path / "b", renamed)]).values()
    assert [(row.label, row.done) for row in found.values()] == [("dm-gcn", 4)]


@pytest.mark.parametrize("what", ["fingerprint", "splits", "more splits"])
def test_other_data_or_splits_are_kept_apart(tmp_path: Path, what: str) -> None:
    cells = make_cells(["dm-gcn"], ["mfeat"], 2, [0])
    if what == "fingerprint":
        changed = [other(c, fingerprint="f" * 64) for c in cells]
    elif what == "splits":
        changed = [
            other(c, split={**c.split, "hash": sha256(c.split["hash"].encode()).hexdigest()}) for c in cells
        ]
    else:
        changed = make_cells(["dm-gcn"], ["mfeat"], 3, [0])
    folders = [write_run(tmp_path / "a", cells), write_run(tmp_path / "b", changed)]
    found = boards(folders)
    assert set(found) == {"mfeat (a)", "mfeat (b)"}
    assert {title: sum(row.done for row in rows.values()) for title, rows in found.items()} == {
        "mfeat (a)": 2,
        "mfeat (b)": len(changed),
    }
    with read_runs(folders) as snapshot:
        assert any("other content or other splits" in note for note in snapshot.notes)


def test_rates_of_one_run_stay_settings_of_their_own(tmp_path: Path) -> None:
    low, both = (make_cells(["dm-gcn"], ["mfeat"], 2, [0], rates) for rates in ((0.1,), (0.1, 0.2)))
    found = boards([write_run(tmp_path / "a", low), write_run(tmp_path / "b", both)])
    assert list(found) == ["mfeat, 10 % labelled", "mfeat, 20 % labelled"]


def test_the_first_rule_ranks_and_the_difference_is_told(tmp_path: Path) -> None:
    cells = make_cells(["dm-gcn"], ["mfeat"], 2, [0])
    first = write_run(tmp_path / "a", cells, selection="validation")
    with read_runs([first, write_run(tmp_path / "b", cells)]) as snapshot:
        assert snapshot.selection == "validation"
        assert any("different rules (validation, last)" in note for note in snapshot.notes)


def test_names_of_runs_are_as_short_as_can_be(tmp_path: Path) -> None:
    assert run_names([tmp_path / "x" / "run", tmp_path / "y" / "run"]) == ["x/run", "y/run"]
    assert run_names([Path("runs/a"), Path("runs/b")]) == ["a", "b"]
    folder = write_run(tmp_path / "a", make_cells(["dm-gcn"], ["mfeat"], 1, [0]))
    with pytest.raises(UserError, match="given twice"), read_runs([folder, folder]):
        pass
