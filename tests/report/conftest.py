from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import report_runs

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


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data set, three splits, two seeds, everything done; the report is written."""
    folder = tmp_path_factory.mktemp("finished")
    report_runs.write_run(folder, report_runs.make_cells(list(report_runs.STRENGTH), ["mfeat"], 3, [0, 1]))
    write(folder)
    return folder


@pytest.fixture(scope="session")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, half finished."""
    folder = tmp_path_factory.mktemp("unfinished")
    cells = report_runs.make_cells(list(report_runs.STRENGTH), ["mfeat"], 3, [0, 1])
    report_runs.write_run(folder, cells, half_finished)
    write(folder)
    return folder


@pytest.fixture
def snapshot(finished: Path) -> Iterator[Snapshot]:
    with read(finished) as found:
        yield found


@pytest.fixture
def partial(unfinished: Path) -> Iterator[Snapshot]:
    with read(unfinished) as found:
        yield found
