"""Whose trial is it, and does that driver live?"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from mvgraph.tuning import owner


def test_i_am_alive() -> None:
    mark = owner.me()
    assert mark["pid"] == os.getpid()
    assert not owner.is_dead(mark, None)
    assert len(mark["place"]) == 16, "a hash: no host is named"


def test_a_process_that_ended_is_dead_even_before_its_parent_looks() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = {"place": owner.place(), "pid": child.pid, "started": owner.started(child.pid)}
    assert not owner.is_dead(mark, None)
    child.kill()
    deadline = time.monotonic() + 30
    while not owner.is_dead(mark, None):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.wait()
    assert owner.is_dead(mark, time.time()), "here the process itself is asked, not its last sign of life"


def test_a_process_id_given_anew_is_another_process() -> None:
    assert owner.is_dead({**owner.me(), "started": "1"}, None)


@pytest.mark.parametrize(
    ("silent", "dead"), [(0.0, False), (owner.STALE - 1, False), (owner.STALE + 1, True)]
)
def test_elsewhere_the_last_sign_of_life_decides(silent: float, dead: bool) -> None:
    elsewhere = {"place": "0" * 16, "pid": os.getpid(), "started": owner.me()["started"]}
    assert owner.is_dead(elsewhere, 1e9, now=1e9 + silent) is dead
    assert owner.is_dead(elsewhere, None)


def test_the_heart_beats_while_the_block_runs() -> None:
    beats: list[float] = []

    def say(moment: float) -> None:
        beats.append(moment)
        if len(beats) == 2:
            raise OSError("the storage is away for a moment")

    with owner.heartbeat(say, every=0.01):
        deadline = time.monotonic() + 30
        while len(beats) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    count = len(beats)
    time.sleep(0.05)
    assert len(beats) == count
    with owner.heartbeat(None):
        pass
