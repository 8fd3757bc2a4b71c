"""kill -9 in the middle of a trial: nothing finished is lost, nothing is left running, the search goes on as before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest

from mvgraph.errors import UserError
from mvgraph.tuning import tune
from mvgraph.tuning.driver import REASON, give_back
from mvgraph.tuning.sampler import SeededTPE, counts
from mvgraph.tuning.storage import JOURNAL, locked, mend, open_storage, quiet, shown

PROGRAM = """
import sys
from mvgraph.tuning import tune
quiet = {"progress": "none", "mirror": False, "report": False}
tune("odd_methods:Stuck", sys.argv[1], trials=8, inner=1, rate=0.4, out="study", **quiet)
"""


def start(path: Path, stuck_at: int) -> subprocess.Popen[bytes]:
    """A search in a process of its own that gets stuck in its fit number `stuck_at`; returns once it is."""
    here = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": here, "STUCK_AT": str(stuck_at), "OMP_NUM_THREADS": "1"}
    Path("stuck").unlink(missing_ok=True)
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], env=environment)
    deadline = time.monotonic() + 120
    while not Path("stuck").exists():
        assert process.poll() is None, "it ended before it got stuck"
        assert time.monotonic() < deadline, "it never got stuck"
        time.sleep(0.05)
    return process


def states() -> list[str]:
    with quiet():
        storage = open_storage(Path("study"), None)
        study = optuna.load_study(study_name=None, storage=storage)
        return [trial.state.name for trial in study.get_trials(deepcopy=False)]


def test_killed_twice_and_gone_on(path: Path, still: dict[str, Any]) -> None:
    for stuck_at, finished in ((3, 3), (6, 5)):
        process = start(path, stuck_at)
        with pytest.raises(UserError, match="Another search is writing to study"):
            tune("odd_methods:Stuck", path, trials=8, inner=1, rate=0.4, out="study", **still)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert states().count("COMPLETE") == finished
        assert states().count("RUNNING") == 1
    # A line that the kill tore.
    with Path("study", JOURNAL).open("ab") as file:
        file.write(b'{"op_code":5,"wor')
    record = tune("odd_methods:Stuck", path, trials=8, inner=1, rate=0.4, out="study", **still).record
    assert "RUNNING" not in states()
    assert "WAITING" not in states()
    whole = tune("odd_methods:Nearest", path, trials=8, inner=1, rate=0.4, out="whole", **still).record
    kept = [t for t in record.trials if t.state != "abandoned"]
    assert [(t.params, t.values) for t in kept] == [(t.params, t.values) for t in whole.trials]
    lost = record.of_state("abandoned")
    assert [t.number for t in lost] == [3, 6]
    assert {t.reason for t in lost} == {"its driver died; its point is tried again"}


def test_a_point_that_kills_its_driver_three_times_is_left_alone() -> None:
    with quiet():
        study = optuna.create_study(sampler=SeededTPE(0))
        ranges = {"options.x": optuna.distributions.FloatDistribution(0, 1)}
        for _ in range(3):
            give_back(study, study.ask(ranges).number, "its driver died", ranges)
        other = study.ask(ranges)
    trials = study.get_trials(deepcopy=False)
    assert [counts(trial) for trial in trials] == [False, False, True, False]
    assert [trial.state.name for trial in trials] == ["FAIL", "FAIL", "FAIL", "RUNNING"]
    assert len({trial.params["options.x"] for trial in trials[:3]}) == 1
    assert trials[2].user_attrs[REASON] == "its driver died, for the 3. time"
    assert other.params != trials[2].params


def test_a_point_not_wholly_drawn_comes_out_the_same_from_its_seed() -> None:
    ranges = {f"options.{name}": optuna.distributions.FloatDistribution(0, 1) for name in "xy"}
    with quiet():
        study = optuna.create_study(sampler=SeededTPE(0))
        half = study.ask({"options.x": ranges["options.x"]})
        give_back(study, half.number, "its driver died", ranges)
        again = study.ask(ranges)
    assert again.params["options.x"] == half.params["options.x"]


def test_a_queued_point_that_died_before_it_was_drawn_is_queued_again() -> None:
    ranges = {"options.x": optuna.distributions.FloatDistribution(0, 1)}
    with quiet():
        study = optuna.create_study(sampler=SeededTPE(0))
        study.enqueue_trial({"options.x": 0.25})
        give_back(study, study.ask().number, "its driver died", ranges)
        assert study.ask(ranges).params == {"options.x": 0.25}


def test_two_that_ask_at_once_draw_different_points() -> None:
    ranges = {"options.x": optuna.distributions.FloatDistribution(0, 1)}
    with quiet():
        study = optuna.create_study(sampler=SeededTPE(0))
        points = {study.ask(ranges).params["options.x"] for _ in range(4)}
    assert len(points) == 4


@pytest.mark.parametrize("torn", [b"", b'{"op', b"{}x\n", b'{"op_code"\n{"', b"\xff\x00\n"])
def test_a_torn_end_of_a_journal_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    whole = b'{"a":1}\n{"b":[' + b"0," * 70_000 + b"2]}\n"
    path = tmp_path / "journal.log"
    path.write_bytes(whole + torn)
    mend(path)
    assert path.read_bytes() == whole
    path.write_bytes(torn)
    mend(path)
    assert path.read_bytes() == b""


def test_the_folder_is_free_again_when_its_holder_ends(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(UserError, match="Another search"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_an_address_is_shown_without_its_password() -> None:
    assert shown("postgresql://me:secret@host:5432/base") == "postgresql://me@host:5432/base"
    assert shown("postgresql:///base") == "postgresql:///base"
    assert shown("sqlite:///here.db") == "sqlite:///here.db"
