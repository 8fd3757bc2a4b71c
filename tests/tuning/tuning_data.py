"""Small data that a trial answers in milliseconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvgraph.data import Card, MultiViewData

#: What keeps a fit short.
SHORT: dict[str, Any] = {"training": {"epochs": 6, "evaluate_every": 1}, "options": {"hidden": [8, 8]}}


def make_data(seed: int = 0, n: int = 90) -> MultiViewData:
    """Three overlapping classes in two views, in groups of three rows."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    centres = rng.normal(size=(3, 8)) * 1.3
    views = {
        "near": centres[labels][:, :5] + rng.normal(size=(n, 5)),
        "far": centres[labels][:, 4:] + 2 * rng.normal(size=(n, 4)),
    }
    groups = {"clip": [f"clip{row // 3}" for row in range(n)]}
    return MultiViewData.from_arrays(views, labels, groups=groups, card=Card(name="tiny"))
