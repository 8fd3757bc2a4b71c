"""A tiny data set and suite: every cell takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvgraph.data import Card, MultiViewData
from mvgraph.data.h5mu_write import write_h5mu


def make_tiny(seed: int = 0, n: int = 60) -> MultiViewData:
    """Three well separated classes in two views."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    centres = rng.normal(size=(3, 6)) * 2
    views = {
        "near": centres[labels][:, :4] + rng.normal(size=(n, 4)),
        "far": centres[labels][:, 2:] + 2 * rng.normal(size=(n, 4)),
    }
    return MultiViewData.from_arrays(views, labels, card=Card(name="tiny"))


@pytest.fixture
def tiny() -> Callable[..., MultiViewData]:
    return make_tiny


@pytest.fixture
def data_path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.h5mu"
    write_h5mu(make_tiny(), path)
    return path


@pytest.fixture
def suite(data_path: Path) -> dict[str, Any]:
    return {
        "name": "small",
        "datasets": [str(data_path)],
        "methods": ["concat-logreg", "dm-gcn", "dm-gcn@identity"],
        "splits": {"scheme": "label-rate", "rate": 0.3, "validation": 0.3, "n": 2},
        "graph": {"k": 3},
        "training": {"epochs": 4, "evaluate_every": 2},
    }
