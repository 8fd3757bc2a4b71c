"""Freed memory is kept while a network trains, and given back afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from mvgraph.training import memory
from mvgraph.training.memory import kept_memory

pytestmark = pytest.mark.skipif(memory._glibc() is None, reason="the C library is not glibc")

#: Writes to a fresh block of 48 MiB ten times and counts the pages that the system had to bring.
SCRIPT = """
import contextlib, json, resource, sys
import torch
from mvgraph.training.memory import kept_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(12 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

plain, size = faults(), resident()
with kept_memory(), kept_memory():
    faults()  # until small blocks have found places that are in nobody's way
    kept, held = faults(), resident()
print(json.dumps({"plain": plain, "kept": kept, "grown": held - size, "left": resident() - size}))
"""
BLOCK = 48 * 2**20


def measured(**environment: str) -> dict[str, int]:
    """What the script prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found


def test_blocks_come_back_without_new_pages() -> None:
    found = measured()
    # Pages may be huge ones: fewer faults, but still some for each of ten blocks.
    assert found["kept"] * 5 < found["plain"]
    assert found["grown"] > BLOCK / 2 > found["left"]


def test_the_users_own_setting_is_left_alone() -> None:
    found = measured(MALLOC_TRIM_THRESHOLD_="131072")
    assert found["kept"] * 2 > found["plain"]


@kept_memory()
def fail() -> None:
    assert memory._holders == 2
    raise ZeroDivisionError


def test_the_last_to_leave_gives_memory_back() -> None:
    assert memory._holders == 0
    with kept_memory():
        with pytest.raises(ZeroDivisionError):
            fail()
        assert memory._holders == 1
    assert memory._holders == 0
