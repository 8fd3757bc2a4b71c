"""The mirror while a suite runs, through kills, and in both ways of writing it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tracking_runs import client, runs, small_suite

from mvgraph.bench import Ledger, run_suite
from mvgraph.bench.executor import SerialExecutor
from mvgraph.errors import UserError
from mvgraph.tracking import mirror, sqlite_store, template
from mvgraph.tracking.client_store import ClientStore
from mvgraph.tracking.sqlite_store import SqliteStore, UnknownTables

pytest.importorskip("mlflow")
mirror_module = sys.modules["mvgraph.tracking.mirror"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 4 done and 2 failed cells that was never mirrored."""
    place = tmp_path_factory.mktemp("ended")
    run_suite(small_suite(place), place / "run", progress="none", mirror=False)
    return place / "run"


@pytest.fixture
def unmirrored(ended: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ended, tmp_path / "run"))


def content(folder: Path) -> dict[str, Any]:
    """All that MLflow's client reads of a mirror, ids aside."""
    store = client(folder)
    found = {}
    for run in [runs(folder)[0], *runs(folder)[1]]:
        tags = {k: v for k, v in run.data.tags.items() if k not in ("mlflow.parentRunId", "mlflow.user")}
        points = {
            key: sorted((p.step, p.value) for p in store.get_metric_history(run.info.run_id, key))
            for key in run.data.metrics
        }
        inputs = []
        for given in run.inputs.dataset_inputs:
            data = given.dataset
            context = [(tag.key, tag.value) for tag in given.tags]
            inputs.append((data.name, data.digest, data.source_type, data.source, data.profile, *context))
        files = {}
        for artifact in store.list_artifacts(run.info.run_id):
            path = store.download_artifacts(run.info.run_id, artifact.path)
            files[artifact.path] = Path(path).read_text()
        found[run.info.run_name] = {
            "info": (run.info.status, run.info.start_time, run.info.end_time, run.info.lifecycle_stage),
            "params": run.data.params,
            "metrics": run.data.metrics,
            "tags": tags,
            "points": points,
            "inputs": inputs,
            "files": files,
        }
    return found


def assert_in_line(folder: Path) -> None:
    """One run a cell, none RUNNING, whatever its stage; the suite has ended."""
    with Ledger(folder / "ledger.sqlite") as ledger:
        cells = set(ledger.statuses())
    parent, children = runs(folder)
    assert sorted(run.data.tags["mvgraph.cell"] for run in children) == sorted(cells)
    assert parent.info.status == "FAILED"
    assert Counter(run.info.status for run in children) == {"FINISHED": 4, "FAILED": 2}
    with sqlite3.connect(folder / "mlflow.db") as database:
        left = database.execute("SELECT count(*) FROM runs WHERE status = 'RUNNING'").fetchone()
        known = {row[0] for row in database.execute("SELECT run_uuid FROM runs")}
    assert left == (0,)
    assert {path.name for path in (folder / "mlartifacts").iterdir()} <= known
    assert mirror(folder).written == 0


def test_the_quick_way_writes_what_the_client_writes(
    unmirrored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Path(shutil.copytree(unmirrored, tmp_path / "slow"))
    assert mirror(unmirrored).written == 6

    def refuse(path: Path) -> None:
        raise UnknownTables("runs lacks name")

    monkeypatch.setattr(sqlite_store, "_check_tables", refuse)
    assert mirror(slow).written == 6
    assert content(slow) == content(unmirrored)
    assert (mirror(slow).written, mirror(slow).kept) == (0, 6)


def test_the_suite_has_the_leaderboard_and_everybody_the_data(unmirrored: Path) -> None:
    import mlflow

    mirror(unmirrored)
    found = content(unmirrored)
    with Ledger(unmirrored / "ledger.sqlite") as ledger:
        records = ledger.records()
    scores = [
        r["metrics"]["last"]["test"]["accuracy"] for r in records if r["cell"]["label"] == "concat-logreg"
    ]
    suite = found["small"]
    assert suite["metrics"]["score/tiny/concat-logreg/accuracy"] == pytest.approx(sum(scores) / 2)
    assert suite["metrics"]["score/tiny/dm-gcn/log_loss"] > 0
    fingerprint = records[0]["cell"]["fingerprint"]
    for run in found.values():
        ((name, digest, kind, source, profile, context),) = run["inputs"]
        assert (name, digest, kind) == ("tiny", fingerprint[:16], "mvgraph")
        assert fingerprint in source
        assert '"num_rows": 60' in profile
        assert context == ("mlflow.data.context", "evaluation")
        assert run["tags"]["mlflow.source.name"] == "mvgraph run small"
        assert run["tags"]["mlflow.source.type"] == "LOCAL"
    parent = runs(unmirrored)[0]
    # The client looks for tables in the store of the whole process.
    mlflow.set_tracking_uri(f"sqlite:///{unmirrored}/mlflow.db")
    try:
        table = client(unmirrored).load_table(parent.info.experiment_id, "leaderboard.json")
    finally:
        mlflow.set_tracking_uri(None)
    assert set(table["method"]) == {"concat-logreg", "dm-gcn"}
    assert table["accuracy"].max() <= 1


def test_cells_are_there_while_the_suite_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(mirror_module, "LOOK_RATIO", 0.0)
    seen = []

    class Looking(SerialExecutor):
        def wait(self) -> Any:
            # As `mlflow ui` does, in the middle of it.
            parent, children = runs(tmp_path / "run")
            seen.append((parent.info.status, len(children), parent.data.metrics["cells/done"]))
            return super().wait()

    suite = small_suite(tmp_path) | {"methods": ["concat-logreg"]}
    assert run_suite(suite, tmp_path / "run", progress="none", executor=Looking()).notes == []
    assert seen == [("RUNNING", 0, 0.0), ("RUNNING", 1, 1.0)]
    assert runs(tmp_path / "run")[0].info.status == "FINISHED"


KILLED = """
import os, signal, sys
sys.path.insert(0, HERE)
from mvgraph.bench import run_suite
from mvgraph.tracking import mirror
from mvgraph.tracking.sqlite_store import SqliteStore
module = sys.modules["mvgraph.tracking.mirror"]
module.LOOK_EVERY = module.LOOK_RATIO = 0.0
real = SqliteStore.add
def add(self, runs, parent):
    made = real(self, runs, parent)
    if parent is not None and len(self.children()) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return made
SqliteStore.add = add
run_suite(SUITE, "run", progress="none")
"""


def test_a_killed_run_goes_on_and_leaves_nothing_running(tmp_path: Path) -> None:
    suite = small_suite(tmp_path)
    code = KILLED.replace("SUITE", repr(suite)).replace("HERE", repr(str(Path(__file__).parent)))
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert ended.returncode == -signal.SIGKILL
    parent, children = runs(tmp_path / "run")
    assert (parent.info.status, len(children)) == ("RUNNING", 2)
    # The cell that was at work when the driver died is no longer, though the ledger still says so.
    assert mirror(tmp_path / "run").written == 1
    assert runs(tmp_path / "run")[0].info.status == "KILLED"
    summary = run_suite(suite, tmp_path / "run", progress="none")
    assert (summary.cached, summary.ran, summary.notes) == (2, 3, [])
    assert_in_line(tmp_path / "run")


def killed_mirror(folder: Path, where: Callable[[Callable[[], None]], None]) -> None:
    """Mirror in a fork that kills itself where `where` says."""
    child = os.fork()
    if child == 0:
        try:
            where(lambda: os.kill(os.getpid(), signal.SIGKILL))
            mirror(folder)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


@pytest.mark.parametrize(
    ("name", "call"), [("add", 1), ("add", 2), ("_fill", 3), ("update", 1), ("close", 1)]
)
def test_a_mirror_killed_anywhere_is_put_right(unmirrored: Path, name: str, call: int) -> None:
    def where(kill: Callable[[], None]) -> None:
        real, calls = getattr(SqliteStore, name), []

        def counted(*given: Any) -> Any:
            found = real(*given)
            calls.append(1)
            if len(calls) == call:
                kill()
            return found

        setattr(SqliteStore, name, counted)

    killed_mirror(unmirrored, where)
    mirror(unmirrored)
    assert_in_line(unmirrored)


def test_what_the_client_left_running_is_closed(unmirrored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a mirror that went through the client and was killed: stamped or not, they say RUNNING."""
    mirror(unmirrored)
    parent, children = runs(unmirrored)
    store = client(unmirrored)
    for run in [parent, *children[:2]]:
        store.update_run(run.info.run_id, status="RUNNING")
    store.set_tag(children[1].info.run_id, "mvgraph.stamp", "")
    twin = store.create_run(parent.info.experiment_id, tags={"mvgraph.suite": "small"})
    summary = mirror(unmirrored)
    assert (summary.written, summary.kept, summary.removed) == (2, 4, 3)
    assert store.get_run(twin.info.run_id).info.status == "KILLED"
    assert_in_line(unmirrored)


def test_a_database_of_another_mlflow_is_named(unmirrored: Path) -> None:
    mirror(unmirrored)
    with sqlite3.connect(unmirrored / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'abc'")
    database.close()
    with pytest.raises(UserError, match=r"another version of MLflow.*mlflow db upgrade"):
        mirror(unmirrored)


def test_tables_that_are_not_known_are_refused(tmp_path: Path) -> None:
    empty = template.Template().wait()
    for change in (
        "ALTER TABLE runs RENAME COLUMN name TO title",
        "ALTER TABLE params ADD COLUMN kind TEXT",
        "DROP TABLE input_tags",
    ):
        shutil.copyfile(empty, tmp_path / "other.db")
        with sqlite3.connect(tmp_path / "other.db") as database:
            database.execute(change)
        database.close()
        with pytest.raises(UnknownTables):
            SqliteStore(tmp_path, "small", tmp_path / "other.db")
        assert not (tmp_path / "mlflow.db").exists()


def test_a_damaged_empty_database_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = template.Template().wait()
    monkeypatch.setenv("MVGRAPH_CACHE", str(tmp_path))
    (tmp_path / "mlflow").mkdir()
    for suffix in (".db", ".sha256"):
        shutil.copyfile(good.with_suffix(suffix), tmp_path / "mlflow" / good.with_suffix(suffix).name)
    assert template.Template().ready()
    path = tmp_path / "mlflow" / good.name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    made = template.Template()
    assert not made.ready()
    assert made.wait() == path
    made.close()
    assert template.Template().ready()
    sqlite_store._check_tables(path)


def test_the_client_is_kept_for_tables_that_are_not_known() -> None:
    """Both stores answer to the same calls."""
    public = {name for name in vars(SqliteStore) if not name.startswith("_")}
    assert public <= set(vars(ClientStore))
