"""Runs on a tiny data set: what is kept, what is computed again, and what an interrupt leaves."""

from __future__ import annotations

import copy
import io
import json
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvgraph.bench import Ledger, run_suite
from mvgraph.bench.cell import run_cell
from mvgraph.bench.executor import Outcome, SerialExecutor
from mvgraph.bench.material import Material
from mvgraph.bench.plan import Cell, make_plan
from mvgraph.bench.progress import Plain
from mvgraph.bench.suite import parse_suite
from mvgraph.errors import UserError


def run(suite: dict[str, Any], out: Path, **keys: Any) -> Any:
    return run_suite(suite, out, **{"progress": "none", "mirror": False, **keys})


def ledger_of(out: Path) -> Ledger:
    return Ledger(out / "ledger.sqlite")


class Counting(SerialExecutor):
    """Runs cells, counts them, and breaks in before one of them."""

    def __init__(
        self, break_after: int | None = None, error: type[BaseException] = KeyboardInterrupt
    ) -> None:
        super().__init__()
        self.count = 0
        self._break_after, self._error = break_after, error

    def wait(self) -> Outcome:
        if self.count == self._break_after:
            raise self._error
        self.count += 1
        return super().wait()


class Failing(SerialExecutor):
    """Every cell of one method fails with an error of our choice."""

    def __init__(self, method: str, error: Exception) -> None:
        super().__init__(run=self._broken)
        self._method, self._error = method, error

    def _broken(self, cell: Cell) -> Any:
        if cell.label == self._method:
            raise self._error
        return run_cell(cell)


def without_times(record: dict[str, Any]) -> dict[str, Any]:
    record = copy.deepcopy(record)
    for name in ("seconds", "peak_memory_mib", "started"):
        del record[name]
    return record


def test_a_run_keeps_everything(suite: dict[str, Any], tmp_path: Path) -> None:
    summary = run(suite, tmp_path / "run")
    assert (summary.cells, summary.ran, summary.done, summary.failed, summary.missing) == (6, 6, 6, 0, 0)
    ledger = ledger_of(tmp_path / "run")
    assert ledger.counts()["done"] == 6
    assert ledger.suite()["name"] == "small"
    for record in ledger.records():
        json.dumps(record, allow_nan=False)
        assert set(record["metrics"]) == {"last", "validation", "oracle"}
        assert record["seconds"].keys() == {"data", "graph", "training", "inference", "total", "cell"}
        assert record["seconds"]["total"] >= record["seconds"]["training"] > 0
        assert record["peak_memory_mib"]["host"] > 50
        assert record["versions"]["torch"]
        stored = ledger.probabilities(record["cell"]["id"], "last")
        labels = ledger.labels(record["cell"]["id"])
        assert stored is not None
        accuracy = (stored["test"].argmax(1) == labels["test"]).mean()
        assert accuracy == pytest.approx(record["metrics"]["last"]["test"]["accuracy"])
        assert stored["validation"].shape == (record["cell"]["split"]["sizes"]["validation"], 3)
        assert np.array_equal(stored["test_rows"], labels["test_rows"])
        assert ledger.classes(record["cell"]["id"]) == ("0", "1", "2")
        oracle = record["metrics"]["oracle"]["test"]["accuracy"]
        assert oracle >= record["metrics"]["last"]["test"]["accuracy"]
        uses_graph = record["cell"]["method"] == "dm-gcn"
        assert (record["seconds"]["graph"] > 0) == uses_graph
        assert bool(record["curves"]) == uses_graph
        assert record["selected_epoch"]["last"] == (4 if uses_graph else None)


def test_the_second_run_computes_nothing(suite: dict[str, Any], tmp_path: Path) -> None:
    run(suite, tmp_path / "run")
    before = ledger_of(tmp_path / "run").records()
    summary = run(suite, tmp_path / "run", executor=Counting(break_after=0, error=AssertionError))
    assert (summary.cached, summary.ran) == (6, 0)
    assert ledger_of(tmp_path / "run").records() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError])
def test_an_interrupted_run_continues(
    suite: dict[str, Any], tmp_path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        run(suite, tmp_path / "run", executor=Counting(break_after=2, error=error))
    ledger = ledger_of(tmp_path / "run")
    assert ledger.counts() | {"done": 2, "planned": 4, "running": 0} == ledger.counts()
    assert len(ledger.missing()) == 4
    kept = ledger.records()
    ledger.close()
    second = Counting()
    summary = run(suite, tmp_path / "run", executor=second)
    assert (summary.cached, second.count, summary.missing) == (2, 4, 0)
    assert ledger_of(tmp_path / "run").records()[:2] == kept


def test_a_killed_driver_leaves_a_ledger_that_continues(suite: dict[str, Any], tmp_path: Path) -> None:
    script = f"""
        import json, os
        from mvgraph.bench import run_suite
        from mvgraph.bench.executor import SerialExecutor

        class Killed(SerialExecutor):
            count = 0
            def wait(self):
                if self.count == 1:
                    os.kill(os.getpid(), 9)
                self.count += 1
                return super().wait()

        suite = json.loads({json.dumps(suite)!r})
        run_suite(suite, {str(tmp_path / "run")!r}, progress="none", mirror=False, executor=Killed())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True)
    assert done.returncode == -9, done.stderr.decode()
    assert (
        ledger_of(tmp_path / "run").counts() | {"done": 1, "running": 1}
        == ledger_of(tmp_path / "run").counts()
    )
    summary = run(suite, tmp_path / "run")
    assert (summary.cached, summary.ran, summary.missing) == (1, 5, 0)


def test_a_failure_is_kept_and_tried_again_only_on_request(suite: dict[str, Any], tmp_path: Path) -> None:
    broken = Failing("dm-gcn", UserError("View 'near' is odd."))
    summary = run(suite, tmp_path / "run", executor=broken)
    assert (summary.done, summary.failed, summary.missing) == (4, 2, 2)
    failure = ledger_of(tmp_path / "run").failures()[0]
    assert failure["status"] == "failed"
    assert failure["reason"] == "View 'near' is odd."
    assert "Traceback" in failure["traceback"]
    assert "_broken" in failure["traceback"]
    assert str(Path.cwd()) not in failure["traceback"]
    assert (run(suite, tmp_path / "run").ran, len(ledger_of(tmp_path / "run").failures())) == (0, 2)
    summary = run(suite, tmp_path / "run", retry=("failed",))
    assert (summary.ran, summary.done, summary.missing) == (2, 2, 0)
    assert ledger_of(tmp_path / "run").failures() == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), "oom"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "oom"),
        (ZeroDivisionError("by zero"), "failed"),
    ],
)
def test_ways_to_fail(suite: dict[str, Any], tmp_path: Path, error: Exception, status: str) -> None:
    run(suite, tmp_path / "run", executor=Failing("dm-gcn", error))
    assert {f["status"] for f in ledger_of(tmp_path / "run").failures()} == {status}


def test_limits_end_a_cell_and_not_the_run(suite: dict[str, Any], tmp_path: Path) -> None:
    suite["methods"] = ["concat-logreg", {"method": "dm-gcn", "training": {"epochs": 200000}}]
    suite["splits"]["n"] = 1
    suite["limits"] = {"seconds": 0.7, "memory_mib": None}
    summary = run(suite, tmp_path / "run")
    assert (summary.done, summary.failed) == (1, 1)
    assert ledger_of(tmp_path / "run").failures()[0]["status"] == "timeout"
    suite["limits"] = {"seconds": None, "memory_mib": 1}
    run(suite, tmp_path / "run", retry=("timeout",))
    assert [f["status"] for f in ledger_of(tmp_path / "run").failures()] == ["oom"]


def test_a_cell_is_the_same_in_whatever_order(suite: dict[str, Any]) -> None:
    cells = make_plan(parse_suite({**suite, "methods": ["dm-gcn", "dm-gcn@shuffled", "concat-mlp"]}))
    shared = Material()
    forward = {cell.id: run_cell(cell, shared) for cell in cells}
    np.random.default_rng(0)
    for cell in reversed(cells):
        record, arrays = run_cell(cell)
        assert without_times(record) == without_times(forward[cell.id][0])
        for selection, parts in arrays.probabilities.items():
            for part, values in parts.items():
                assert np.array_equal(values, forward[cell.id][1].probabilities[selection][part])


def test_graphs_are_built_once(suite: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from mvgraph.bench import material as module

    built = []
    real = module.build_graph
    monkeypatch.setattr(module, "build_graph", lambda *a, **k: built.append(1) or real(*a, **k))
    material = Material()
    seconds = {run_cell(c, material)[0]["seconds"]["graph"] for c in make_plan(parse_suite(suite)) if c.graph}
    assert len(built) == 1
    assert len(seconds) == 1
    scoped = Material()
    for cell in make_plan(parse_suite({**suite, "scaling": {"scope": "train"}})):
        run_cell(cell, scoped)
    assert len(built) == 3


def test_limit_runs_the_first_cells(suite: dict[str, Any], tmp_path: Path) -> None:
    assert (run(suite, tmp_path / "run", limit=1).ran, run(suite, tmp_path / "run", limit=2).ran) == (1, 2)
    assert run(suite, tmp_path / "run", limit=0).missing == 3
    with pytest.raises(UserError, match="limit"):
        run(suite, tmp_path / "run", limit=-1)
    with pytest.raises(UserError, match="retry"):
        run(suite, tmp_path / "run", retry=("done",))


def test_dry_run_writes_nothing_and_learns_from_the_ledger(suite: dict[str, Any], tmp_path: Path) -> None:
    summary = run(suite, tmp_path / "run", dry_run=True)
    assert not (tmp_path / "run").exists()
    assert (summary.estimate.to_run, summary.estimate.unknown, summary.ran) == (6, 6, 0)
    run(suite, tmp_path / "run", limit=2)
    before = (tmp_path / "run" / "ledger.sqlite").read_bytes()
    summary = run(suite, tmp_path / "run", dry_run=True)
    assert (tmp_path / "run" / "ledger.sqlite").read_bytes() == before
    assert (summary.estimate.cached, summary.estimate.to_run, summary.estimate.unknown) == (2, 4, 0)
    seconds = {r["cell"]["label"]: r["seconds"]["cell"] for r in ledger_of(tmp_path / "run").records()}
    assert summary.estimate.seconds == pytest.approx(3 * seconds["dm-gcn"] + seconds["concat-logreg"])
    assert "6 cells, 2 cached, 4 to run; about" in summary.sentence()


def test_a_changed_suite_keeps_what_is_done(suite: dict[str, Any], tmp_path: Path) -> None:
    run(suite, tmp_path / "run")
    smaller = {**suite, "methods": ["concat-logreg", {"method": "late-fusion", "label": "late"}]}
    summary = run(smaller, tmp_path / "run")
    assert (summary.cells, summary.cached, summary.ran) == (4, 2, 2)
    ledger = ledger_of(tmp_path / "run")
    assert {r["cell"]["label"] for r in ledger.records()} == {"concat-logreg", "late"}
    assert len(ledger.records(everything=True)) == 8
    assert [m["method"] for m in ledger.suite()["methods"]] == ["concat-logreg", "late-fusion"]
    ledger.close()
    renamed = {
        **suite,
        "methods": [{"method": "dm-gcn", "label": "ours"}, "concat-logreg", "dm-gcn@identity"],
    }
    assert run(renamed, tmp_path / "run").ran == 0
    assert "ours" in {r["cell"]["label"] for r in ledger_of(tmp_path / "run").records()}


def test_data_that_changed_is_planned_anew(
    suite: dict[str, Any], tmp_path: Path, data_path: Path, tiny: Any
) -> None:
    from mvgraph.data.h5mu_write import write_h5mu

    cells = make_plan(parse_suite(suite))
    run(suite, tmp_path / "run")
    write_h5mu(tiny(seed=1), data_path)
    with pytest.raises(UserError, match="has changed since"):
        run_cell(cells[0])
    assert run(suite, tmp_path / "run").ran == 6


def test_a_method_that_cannot_run_is_skipped_with_its_reason(
    suite: dict[str, Any], tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from mvgraph.data.h5mu_write import write_h5mu
    from mvgraph.fusion.dm_gcn import DMGCN

    data = tiny()
    mask = np.array(data.observed)
    mask[3, 0] = False
    write_h5mu(data.with_observed(mask), tmp_path / "gaps.h5mu")
    monkeypatch.setattr(DMGCN, "tags", replace(DMGCN.tags, missing_views=False))
    suite |= {"datasets": [str(tmp_path / "gaps.h5mu")], "methods": ["dm-gcn"]}
    summary = run(suite, tmp_path / "run")
    assert (summary.ran, summary.missing) == (0, 2)
    failure = ledger_of(tmp_path / "run").failures()[0]
    assert failure["status"] == "skipped"
    assert "lack a view" in failure["reason"]
    monkeypatch.undo()
    assert run(suite, tmp_path / "run").done == 2


def test_only_one_driver_at_a_time(suite: dict[str, Any], tmp_path: Path) -> None:
    class Nested(SerialExecutor):
        def wait(self) -> Outcome:
            with pytest.raises(UserError, match="Another run"):
                run(suite, tmp_path / "run")
            return super().wait()

    assert run(suite, tmp_path / "run", limit=1, executor=Nested()).done == 1


def test_an_executor_with_several_slots(suite: dict[str, Any], tmp_path: Path) -> None:
    class Backwards(SerialExecutor):
        slots = 3
        most = 0

        def wait(self) -> Outcome:
            self.most = max(self.most, len(self._queue))
            self._queue.rotate(1)
            return super().wait()

    executor = Backwards()
    assert run(suite, tmp_path / "run", executor=executor).done == 6
    assert executor.most == 3
    other = Backwards()
    with pytest.raises(KeyboardInterrupt):
        run(suite, tmp_path / "two", executor=Breaking())
    assert ledger_of(tmp_path / "two").counts()["running"] == 0
    assert run(suite, tmp_path / "two", executor=other).missing == 0


class Breaking(SerialExecutor):
    slots = 3

    def wait(self) -> Outcome:
        raise KeyboardInterrupt


def test_plain_progress_is_one_line_a_cell(suite: dict[str, Any], tmp_path: Path) -> None:
    stream = io.StringIO()
    run(
        suite, tmp_path / "run", progress=Plain(stream), executor=Failing("dm-gcn", ValueError("odd\nindeed"))
    )
    lines = stream.getvalue().splitlines()
    assert len(lines) == 7
    assert "6 cells, 0 cached" in lines[0]
    assert lines[1].startswith("[1/6] tiny concat-logreg split 0 seed 0: done in ")
    assert "test accuracy" in lines[1]
    assert lines[2].endswith("(ValueError: odd)")


def test_the_bar_works_where_there_is_no_terminal(suite: dict[str, Any], tmp_path: Path, capsys: Any) -> None:
    run(suite, tmp_path / "run", progress="bar", executor=Failing("dm-gcn", ValueError("odd")))
    assert "ValueError: odd" in capsys.readouterr().err
    with pytest.raises(ValueError, match="progress"):
        run(suite, tmp_path / "run2", progress="loud")


def test_a_mirror_that_fails_costs_nothing(
    suite: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mvgraph.bench import watch

    def broken(folder: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(watch, "import_reference", lambda reference: broken)
    summary = run(suite, tmp_path / "run", limit=1, mirror=True)
    assert summary.done == 1
    assert "disk full" in summary.notes[0]


def test_unscaled_views_that_float32_cannot_hold_are_told(suite: dict[str, Any], tmp_path: Path) -> None:
    from mvgraph.data import MultiViewData
    from mvgraph.data.h5mu_write import write_h5mu

    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    views = {"time": labels[:, None] + rng.normal(size=(60, 2)) + 1e8, "b": rng.normal(size=(60, 2))}
    write_h5mu(MultiViewData.from_arrays(views, labels), tmp_path / "stamps.h5mu")
    suite |= {"datasets": [str(tmp_path / "stamps.h5mu")], "methods": ["knn-concat"]}
    unscaled = run(suite | {"scaling": {"kind": "none"}}, tmp_path / "none", limit=1)
    (note,) = unscaled.notes
    assert "View 'time' is held in float64: column" in note
    scaled = run(suite | {"scaling": {"kind": "zscore"}}, tmp_path / "zscore", limit=1)
    assert (scaled.notes, scaled.done) == ([], 1)


def test_runs_share_graphs_on_disk(
    suite: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mvgraph.graph import build as module

    searched = []
    real = module.knn
    monkeypatch.setattr(module, "knn", lambda *a, **k: searched.append(1) or real(*a, **k))
    monkeypatch.setenv("MVGRAPH_GRAPHS", str(tmp_path / "graphs"))
    run(suite, tmp_path / "one")
    first = len(searched)
    assert first > 0
    run(suite, tmp_path / "two")
    assert len(searched) == first
    one, two = ({r["cell"]["id"]: r for r in ledger_of(tmp_path / name).records()} for name in ("one", "two"))
    for name, record in one.items():
        assert without_times(record) == without_times(two[name])
        assert record["seconds"]["graph"] == two[name]["seconds"]["graph"]


@pytest.mark.parametrize("what", ["probabilities", "labels"])
def test_damaged_arrays_are_never_reported_and_made_anew_by_the_next_run(
    suite: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    from mvgraph.report.snapshot import read

    suite["splits"]["n"] = 1
    run(suite, tmp_path / "run")
    with ledger_of(tmp_path / "run") as ledger:
        before = {r["cell"]["id"]: without_times(r) for r in ledger.records()}
        wanted = {identity: ledger.probabilities(identity) for identity in before}
    damage = sqlite3.connect(tmp_path / "run" / "ledger.sqlite")
    column = {"probabilities": "blob", "labels": "labels"}[what]
    (name,) = damage.execute(f"SELECT {column} FROM {what} WHERE part = 'test' LIMIT 1").fetchone()
    (data,) = damage.execute("SELECT data FROM blobs WHERE hash = ?", (name,)).fetchone()
    damage.execute("UPDATE blobs SET data = ? WHERE hash = ?", (data[:-1] + bytes([data[-1] ^ 1]), name))
    damage.commit()
    damage.close()
    hit = 1 if what == "probabilities" else 3
    with read(tmp_path / "run") as snapshot:
        found = [snapshot.predictions(record, "last") for record in snapshot.records]
        snapshot.predictions(snapshot.records[0], "last")
    assert found.count(None) == hit
    told = capsys.readouterr().err.splitlines()
    assert len(told) == hit
    assert "are damaged; run the suite again" in told[0]
    summary = run(suite, tmp_path / "run")
    assert (summary.ran, summary.missing) == (hit, 0)
    assert f"Stored arrays of {hit} cells were damaged" in summary.notes[0]
    with ledger_of(tmp_path / "run") as ledger:
        assert {r["cell"]["id"]: without_times(r) for r in ledger.records()} == before
        for identity, arrays in wanted.items():
            again = ledger.probabilities(identity)
            assert again is not None
            assert arrays is not None
            for part, values in arrays.items():
                np.testing.assert_array_equal(again[part], values)
    assert run(suite, tmp_path / "run").ran == 0


def test_only_and_rerun_choose_by_method_and_data(suite: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run(suite, out, only=["dm-gcn"]).ran == 2
    both = run(suite, out, only=["dm-gcn", "concat-logreg", "tiny"])
    assert (both.ran, both.cached, both.missing) == (2, 2, 2)
    assert run(suite, out, only=["tiny"], limit=1).ran == 1
    assert run(suite, out).ran == 1
    with ledger_of(out) as ledger:
        before = {r["cell"]["id"]: r["started"] for r in ledger.records()}
    again = run(suite, out, rerun=["dm-gcn@identity"])
    assert (again.ran, again.cached, again.missing) == (2, 4, 0)
    with ledger_of(out) as ledger:
        labels = {r["cell"]["label"] for r in ledger.records() if r["started"] != before[r["cell"]["id"]]}
    assert labels == {"dm-gcn@identity"}
    assert run(suite, out, rerun=["tiny"], only=["concat-logreg"], dry_run=True).estimate.to_run == 2
    for keys, words in (
        ({"only": ["dm-gnc"]}, "only names 'dm-gnc'.*did you mean 'dm-gcn'"),
        ({"rerun": ["mfeat"]}, "rerun names 'mfeat', which is no method or data set of the suite"),
        ({"rerun": "dm-gcn"}, "give a list"),
    ):
        with pytest.raises(UserError, match=words):
            run(suite, out, **keys)


def test_an_earlier_result_stays_until_the_new_one_is_there(suite: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(suite, out)
    with ledger_of(out) as ledger:
        before = ledger.records()
    with pytest.raises(KeyboardInterrupt):
        run(suite, out, rerun=["tiny"], executor=Counting(break_after=2))
    with ledger_of(out) as ledger:
        assert ledger.counts()["done"] == 6
    failed = run(suite, out, rerun=["dm-gcn"], executor=Failing("dm-gcn", ValueError("no luck")))
    assert (failed.failed, failed.missing) == (2, 0)
    assert failed.notes[0] == (
        "The earlier result of dm-gcn on tiny, split 0, stays: run again it ended as failed (ValueError: no luck)."
    )
    with ledger_of(out) as ledger:
        assert [without_times(r) for r in ledger.records()] == [without_times(r) for r in before]
