from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mvgraph.bench import limits
from mvgraph.bench.limits import MemoryLimit, TimeLimit, resident_mib, watched

MIB = 2**20


@pytest.mark.parametrize("exact", [True, False])
def test_the_peak_is_that_of_the_block(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exact:
        monkeypatch.setattr(limits, "_reset_high_water", lambda: False)
    held = np.ones(300 * MIB, dtype=np.uint8)
    del held
    with watched() as usage:
        block = np.ones(150 * MIB, dtype=np.uint8)
        time.sleep(0.15)
        del block
    assert 140 < usage.host - usage.host_before < 220
    assert usage.seconds >= 0.15
    with watched() as second:
        time.sleep(0.01)
    # What was used before the block does not count for it.
    assert second.host < usage.host - 100


def test_time_limit_ends_the_block() -> None:
    before = signal.getsignal(signal.SIGALRM)
    begun = time.perf_counter()
    with pytest.raises(TimeLimit, match=r"0\.2 seconds"), watched(seconds=0.2):
        time.sleep(10)
    assert time.perf_counter() - begun < 2
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert not [t for t in threading.enumerate() if t.name == "mvgraph-memory"]


def hold(mib: int) -> None:
    block = np.ones(mib * MIB, dtype=np.uint8)
    time.sleep(10)
    del block


def test_memory_limit_ends_the_block() -> None:
    begun = time.perf_counter()
    with pytest.raises(MemoryLimit, match="MiB"), watched(memory_mib=resident_mib() + 50):
        hold(200)
    assert time.perf_counter() - begun < 5


def test_limits_away_from_the_main_thread_act_at_the_end() -> None:
    caught: list[Exception] = []

    def work() -> None:
        try:
            with watched(seconds=0.05):
                time.sleep(0.1)
        except TimeLimit as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_an_error_of_the_block_passes_through() -> None:
    with pytest.raises(KeyError), watched(seconds=60, memory_mib=10**6):
        raise KeyError("own")


def test_resident_memory_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    known = resident_mib()

    def refuse(self: Path, *args: object, **keys: object) -> str:
        raise OSError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert resident_mib() == pytest.approx(known, rel=0.2)
    assert limits._high_water_mib() is None
    assert limits.lifetime_peak_mib() >= known * 0.8
