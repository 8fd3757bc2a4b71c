from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import report_runs

from mvgraph.data.cache import locked
from mvgraph.report import write
from mvgraph.report.snapshot import Snapshot, read

TIMEOUT = ("timeout", "Traceback (most recent call last):\n  somewhere\nTimeLimit: more than 600 s")


def half_finished(cell: report_runs.Cell) -> tuple[str, str] | bool | None:
    """at-gcn lost split 1 from seed 0; label-spreading has not run on split 2."""
    if cell.label == "at-gcn" and cell.split["index"] == 1 and cell.seed == 0:
        return TIMEOUT
    if cell.label == "label-spreading" and cell.split["index"] == 2:
        return None
    return True


def written_once(
    factory: pytest.TempPathFactory, name: str, fate: Callable[..., tuple[str, str] | bool | None]
) -> Path:
    """A run with its report, made by the first of the processes that share this test run. Nobody changes it."""
    base = factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "reports"
    folder = shared / name
    with locked(shared / f"{name}.lock"):
        if not (shared / f"{name}.done").is_file():
            cells = report_runs.make_cells(list(report_runs.STRENGTH), ["mfeat"], 3, [0, 1])
            folder.mkdir()
            report_runs.write_run(folder, cells, fate)
            write(folder)
            (shared / f"{name}.done").touch()
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data set, three splits, two seeds, everything done; the report is written."""
    return written_once(tmp_path_factory, "finished", lambda cell: True)


@pytest.fixture(scope="session")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, half finished."""
    return written_once(tmp_path_factory, "unfinished", half_finished)


@pytest.fixture
def snapshot(finished: Path) -> Iterator[Snapshot]:
    with read(finished) as found:
        yield found


@pytest.fixture
def partial(unfinished: Path) -> Iterator[Snapshot]:
    with read(unfinished) as found:
        yield found
