"""Several drivers on one PostgreSQL server, a real one that the test starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import postgres_server
import pytest

from mvgraph.errors import UserError
from mvgraph.tuning import owner, read_record, tune
from mvgraph.tuning.storage import open_storage, quiet

pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'mvgraph[postgres]'")
pytestmark = pytest.mark.skipif(
    postgres_server.binaries() is None,
    reason="no PostgreSQL server here: neither initdb on PATH nor Debian's",
)

PROGRAM = """
import sys
from mvgraph.tuning import tune
method, path, storage, seed, trials = sys.argv[1:]
quiet = {"progress": "none", "mirror": False, "report": False}
tune(method, path, trials=int(trials), inner=1, rate=0.4, storage=storage, seed=int(seed), out="study", **quiet)
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with postgres_server.server() as found:
        yield found


def worker(folder: Path, *words: object, **environment: str) -> subprocess.Popen[bytes]:
    """A driver in a process and a folder of its own."""
    folder.mkdir()
    here = str(Path(__file__).parent)
    env = {**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, words)], cwd=folder, env=env)


def trials_of(address: str, name: str) -> list[optuna.trial.FrozenTrial]:
    with quiet():
        study = optuna.load_study(study_name=name, storage=open_storage(Path(), address))
        return study.get_trials()


def test_two_drivers_at_once_share_one_study(address: str, path: Path, tmp_path: Path) -> None:
    arguments = ("odd_methods:Slow", path, address, 1, 10)
    both = [worker(tmp_path / name, *arguments) for name in ("one", "two")]
    assert [process.wait(180) for process in both] == [0, 0]
    records = [read_record(tmp_path / name / "study") for name in ("one", "two")]
    assert records[0].name == records[1].name
    trials = trials_of(address, records[0].name)
    # Each looks before it asks; both may see the last place free.
    assert len(trials) in (10, 11)
    assert {t.state.name for t in trials} <= {"COMPLETE", "PRUNED"}
    assert len({str(t.params) for t in trials}) == len(trials), "no point was drawn twice"
    marks = {(t.user_attrs[owner.OWNER]["pid"]) for t in trials}
    assert marks == {process.pid for process in both}, "both had a share"
    assert max(len(record.trials) for record in records) == len(trials)
    assert all((tmp_path / name / "study" / "best.yaml").is_file() for name in ("one", "two"))


def test_the_dead_are_buried_and_the_living_left_alone(
    address: str, path: Path, tmp_path: Path, still: dict[str, Any]
) -> None:
    arguments = ("odd_methods:Stuck", path, address, 2, 6)
    processes = {name: worker(tmp_path / name, *arguments, STUCK_AT="1") for name in ("dead", "living")}
    try:
        deadline = time.monotonic() + 120
        while not all((tmp_path / name / "stuck").exists() for name in processes):
            assert all(process.poll() is None for process in processes.values())
            assert time.monotonic() < deadline
            time.sleep(0.1)
        processes["dead"].send_signal(signal.SIGKILL)
        processes["dead"].wait()
        record = tune(
            "odd_methods:Stuck",
            path,
            trials=6,
            inner=1,
            rate=0.4,
            storage=address,
            seed=2,
            out="study",
            **still,
        ).record
        trials = trials_of(address, record.name)
        of = {
            name: [t for t in trials if t.user_attrs[owner.OWNER]["pid"] == p.pid]
            for name, p in processes.items()
        }
        lost = of["dead"][-1]
        assert lost.state.name == "FAIL"
        assert lost.user_attrs["mvgraph:reason"] == "its driver died; its point is tried again"
        assert [t.state.name for t in trials if t.params == lost.params] == ["FAIL", "COMPLETE"]
        running = [t for t in trials if t.state.name == "RUNNING"]
        assert [t.number for t in running] == [of["living"][-1].number]
        assert running[0].user_attrs[owner.ALIVE] > time.time() - 120
        assert len(record.of_state("complete")) == 5, "the living one's is the sixth"
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


def test_no_password_is_kept_or_told(address: str, path: Path, still: dict[str, Any]) -> None:
    secret = address.replace("@", ":hush-hush@")
    summary = tune(
        "odd_methods:Nearest", path, trials=1, inner=1, rate=0.4, storage=secret, seed=3, out="study", **still
    )
    assert "hush" not in Path("study/study.json").read_text()
    assert summary.record.storage.startswith("postgresql://")
    away = "postgresql://me:hush-hush@/base?host=/nowhere"
    with pytest.raises(UserError, match="cannot be used") as told:
        tune("odd_methods:Nearest", path, trials=1, rate=0.4, storage=away, out="other", **still)
    assert "hush" not in str(told.value)
    assert "\n" not in str(told.value)
