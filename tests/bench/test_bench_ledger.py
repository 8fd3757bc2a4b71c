from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mvgraph.bench import Ledger, run_suite
from mvgraph.bench.cell import Arrays
from mvgraph.bench.plan import make_plan
from mvgraph.bench.schema import VERSION
from mvgraph.bench.suite import parse_suite
from mvgraph.errors import UserError


def arrays() -> Arrays:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), size=4).astype(np.float32)
    return Arrays(
        ("a", "b", "c"),
        {"validation": np.arange(0), "test": np.arange(4) * 3},
        {"validation": np.arange(0), "test": np.array([0, 1, 2, 0])},
        {name: {"validation": p[:0], "test": p} for name in ("last", "validation")},
    )


@pytest.fixture
def planned(suite: dict[str, Any], tmp_path: Path) -> Any:
    checked = parse_suite(suite)
    cells = make_plan(checked)
    ledger = Ledger(tmp_path / "run" / "ledger.sqlite", create=True)
    ledger.plan(cells, checked)
    return ledger, cells, checked


def record(cell: Any) -> dict[str, Any]:
    return {
        "cell": cell.to_json(),
        "status": "done",
        "seconds": {"total": 1.0},
        "metrics": {},
        "parameters": 3,
    }


def test_statuses_follow_a_cell(planned: Any) -> None:
    ledger, cells, _ = planned
    one = cells[0].id
    assert list(ledger.statuses()) == [cell.id for cell in cells]
    ledger.start(one)
    assert ledger.status(one) == "running"
    assert {m["status"] for m in ledger.missing()} == {"planned", "running"}
    ledger.release(one)
    assert ledger.status(one) == "planned"
    ledger.start(one)
    ledger.fail(one, "failed", "Traceback\nValueError: odd")
    failure = ledger.failures()[0]
    assert (failure["reason"], failure["attempts"], failure["cell"]["id"]) == ("ValueError: odd", 2, one)
    ledger.finish(one, record(cells[0]), arrays())
    assert ledger.failures() == []
    assert ledger.records()[0]["parameters"] == 3
    with pytest.raises(ValueError, match="gone"):
        ledger.fail(one, "gone", None)
    for missing in (ledger.start, ledger.status, ledger.labels):
        with pytest.raises(KeyError, match="never planned"):
            missing("no such cell")


def test_probabilities_come_back_bit_for_bit_and_are_stored_once(planned: Any) -> None:
    ledger, cells, _ = planned
    given = arrays()
    for cell in cells[:2]:
        ledger.finish(cell.id, record(cell), given)
    found = ledger.probabilities(cells[0].id, "validation")
    assert np.array_equal(found["test"], given.probabilities["last"]["test"])
    assert found["test"].dtype == np.float32
    assert found["validation"].shape == (0, 3)
    assert found["test_rows"].tolist() == [0, 3, 6, 9]
    assert ledger.labels(cells[0].id)["test"].tolist() == [0, 1, 2, 0]
    assert ledger.labels(cells[0].id)["test"].dtype == np.int64
    assert ledger.probabilities(cells[0].id, "oracle") is None
    assert ledger.probabilities(cells[2].id) is None
    with sqlite3.connect(ledger.path) as db:
        # Equal content is one blob: rows, labels, probabilities, and one for everything empty.
        assert db.execute("SELECT count(*) FROM blobs").fetchone()[0] == 4


def test_a_record_is_kept_whole_or_not_at_all(planned: Any) -> None:
    ledger, cells, _ = planned
    ledger.start(cells[0].id)
    broken = arrays()
    object.__setattr__(broken, "probabilities", {"last": {"test": np.zeros(3, np.float32)}})
    with pytest.raises(sqlite3.Error):
        ledger.finish(cells[0].id, record(cells[0]), broken)
    assert ledger.status(cells[0].id) == "running"
    assert ledger.labels(cells[0].id) == {}
    with pytest.raises(ValueError, match="float"):
        ledger.finish(cells[0].id, {**record(cells[0]), "parameters": float("nan")}, arrays())


def test_planning_again_adds_and_forgets_nothing(planned: Any, suite: dict[str, Any]) -> None:
    ledger, cells, checked = planned
    ledger.finish(cells[0].id, record(cells[0]), arrays())
    ledger.start(cells[1].id)
    ledger.plan(cells, checked)
    assert (ledger.status(cells[0].id), ledger.status(cells[1].id)) == ("done", "planned")
    more = parse_suite({**suite, "seeds": [1]})
    ledger.plan(make_plan(more), more)
    assert ledger.records() == []
    assert len(ledger.records(everything=True)) == 1
    assert len(ledger.statuses(everything=True)) == 12
    with sqlite3.connect(ledger.path) as db:
        assert db.execute("SELECT count(*) FROM suite").fetchone()[0] == 2


def test_one_plain_file_remains(planned: Any) -> None:
    ledger, _, _ = planned
    ledger.close()
    assert [path.name for path in ledger.path.parent.iterdir()] == ["ledger.sqlite"]
    with sqlite3.connect(ledger.path) as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "delete"


def test_export(suite: dict[str, Any], tmp_path: Path) -> None:
    run_suite(suite, tmp_path / "run", limit=4, progress="none", mirror=False)
    with Ledger(tmp_path / "run" / "ledger.sqlite") as ledger:
        frame = ledger.frame()
        paths = ledger.export(tmp_path / "out")
        accuracy = {r["cell"]["id"]: r["metrics"]["last"]["test"]["accuracy"] for r in ledger.records()}
    assert [path.name for path in paths] == ["cells.parquet", "cells.csv"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["cells.csv", "cells.parquet"]
    parquet, csv = pd.read_parquet(paths[0]), pd.read_csv(paths[1])
    assert len(frame) == len(parquet) == len(csv) == 6
    assert parquet["status"].tolist() == ["done"] * 4 + ["planned"] * 2
    for table in (frame, parquet, csv):
        found = dict(zip(table["id"], table["metrics.last.test.accuracy"], strict=True))
        assert {i: a for i, a in found.items() if a == a} == pytest.approx(accuracy)


def test_files_that_are_no_ledger_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no ledger at"):
        Ledger(tmp_path / "none.sqlite")
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to look at " * 40)
    with pytest.raises(UserError, match="not a ledger"):
        Ledger(tmp_path / "text.sqlite", create=True)
    with sqlite3.connect(tmp_path / "other.sqlite") as db:
        db.execute("CREATE TABLE t (a)")
    for create in (True, False):
        with pytest.raises(UserError, match="no ledger of version"):
            Ledger(tmp_path / "other.sqlite", create=create)
    with sqlite3.connect(tmp_path / "later.sqlite") as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(UserError, match=f"it says {VERSION + 1}"):
        Ledger(tmp_path / "later.sqlite", create=True)
