"""Data, a split and a path for searches; every test works in a folder of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

from tuning_data import make_data

from mvgraph.data import MultiViewData, Split, make_splits
from mvgraph.data.h5mu_write import write_h5mu


@pytest.fixture
def data() -> MultiViewData:
    return make_data()


@pytest.fixture
def split(data: MultiViewData) -> Split:
    return make_splits(data, "label-rate", rate=0.5, validation=0.3, n=1)[0]


@pytest.fixture
def path(data: MultiViewData, tmp_path: Path) -> Path:
    found = tmp_path / "tiny.h5mu"
    write_h5mu(data, found)
    return found


@pytest.fixture
def still() -> dict[str, Any]:
    """Arguments of `tune` that write nothing beside the study."""
    return {"progress": "none", "mirror": False, "report": False}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
