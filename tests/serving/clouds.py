"""Small data in several views for the tests of the serving room."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvgraph.serving import MultiViewClassifier

WIDTHS = {"sight": 4, "sound": 3, "text": 2}
#: Enough for separated clouds, quick enough for a test.
QUICK: dict[str, Any] = {"k": 4, "epochs": 30, "lr": 1e-2, "random_state": 0}


def clouds(n: int = 48, seed: int = 0, n_classes: int = 3) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Views (n, d_v) float64 of three separated classes 0, 1, 2, and labels (n,)."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % n_classes)
    centres = {name: np.random.default_rng(7).normal(size=(n_classes, 4)) * 5 for name in WIDTHS}
    return {name: centres[name][labels, :d] + rng.normal(size=(n, d)) for name, d in WIDTHS.items()}, labels


def partly(labels: np.ndarray, seed: int = 1) -> np.ndarray:
    """Two thirds of the labels hidden."""
    return np.where(np.random.default_rng(seed).random(len(labels)) < 1 / 3, labels, -1)


def quick(method: Any = "dm-gcn", **parameters: Any) -> MultiViewClassifier:
    """A classifier that is fitted in a moment."""
    return MultiViewClassifier(method, **{**QUICK, **parameters})


def mask(n: int, seed: int) -> np.ndarray:
    """(n, 3) bool: about a fifth of the entries is missing, no row is without any view."""
    observed = np.random.default_rng(seed).random((n, len(WIDTHS))) > 0.2
    observed[~observed.any(axis=1), 0] = True
    return observed
