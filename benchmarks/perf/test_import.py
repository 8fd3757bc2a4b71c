"""Importing a `.npz` of five views: 500 MB at the paper's scale; peak under 1.3 x its size, `data show` under 3 s."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from floors import copy_floor
from memory import fresh_peak_mib
from workload import Scale

from mvgraph.data import convert, load

Note = Callable[..., None]
MEGABYTES = {"small": 25, "paper": 500}
N_VIEWS = 5
#: Peak beside what the process held before, in sizes of the file.
MOST_MEMORY = 1.3
#: Modules that are imported on the way and one block of values: bytes that do not grow with the file.
FIXED_BYTES = 12 << 20


@pytest.fixture(scope="module", params=["float32", "float64"])
def archive(request: pytest.FixtureRequest, scale: Scale, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five views of equal size and labels."""
    rows = 20_000 if scale.name == "paper" else 2_000
    kind = np.dtype(request.param)
    width = MEGABYTES[scale.name] * 10**6 // N_VIEWS // rows // kind.itemsize
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("import") / f"{kind}.npz"
    views = {
        f"view{i}": rng.standard_normal((rows, width), dtype=np.float32).astype(kind) for i in range(N_VIEWS)
    }
    np.savez(path, y=np.arange(rows) % 10, **views)
    return path


def size_of(path: Path) -> dict[str, Any]:
    return {"megabytes": path.stat().st_size / 1e6, "kind": path.stem}


def floor_of(path: Path, rates: dict[str, float], *, writes: bool = True) -> dict[str, Any]:
    """The file read once, and its values written once as float32."""
    size = path.stat().st_size
    return copy_floor(size, writes * size * 4 // np.dtype(path.stem).itemsize).note(rates)


def test_load_every_view(benchmark: Any, note: Note, archive: Path, rates: dict[str, float]) -> None:
    """All views in memory at once, as float32."""
    action = "import sys; from mvgraph.data import load\ndef action(): return load(sys.argv[1]).in_memory()"
    peak = fresh_peak_mib(action, str(archive))
    note(
        f"load .npz, {archive.stem}",
        "mvgraph",
        extra_peak_mib=peak,
        sizes=peak * 2**20 / archive.stat().st_size,
        **size_of(archive),
        **floor_of(archive, rates),
    )
    benchmark.pedantic(lambda: load(archive).in_memory(), rounds=3)
    assert peak * 2**20 < MOST_MEMORY * archive.stat().st_size + FIXED_BYTES


def test_convert(benchmark: Any, note: Note, archive: Path, tmp_path: Path, rates: dict[str, float]) -> None:
    """One view in memory at a time."""
    action = "import sys; from mvgraph.data import convert\ndef action(): return convert(*sys.argv[1:])"
    peak = fresh_peak_mib(action, str(archive), str(tmp_path / "fresh.h5mu"))
    note(
        f"convert .npz, {archive.stem}",
        "mvgraph",
        extra_peak_mib=peak,
        sizes=peak * 2**20 / archive.stat().st_size,
        **size_of(archive),
        **floor_of(archive, rates),
    )
    benchmark.pedantic(lambda: convert(archive, tmp_path / "m.h5mu"), rounds=3)
    assert peak * 2**20 < MOST_MEMORY * archive.stat().st_size + FIXED_BYTES


def test_show(benchmark: Any, note: Note, archive: Path, rates: dict[str, float]) -> None:
    """`mvgraph data show` as a user runs it, start of the interpreter and fingerprint included."""
    pytest.importorskip("typer")
    command = [sys.executable, "-m", "mvgraph", "data", "show", str(archive)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    floor = floor_of(archive, rates, writes=False)
    note(f"data show .npz, {archive.stem}", "mvgraph", cpu_seconds=cpu, **size_of(archive), **floor)
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=3)
