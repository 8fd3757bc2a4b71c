"""Views side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def side_by_side(views: Mapping[str, np.ndarray], rows: np.ndarray | None = None) -> np.ndarray:
    """All views in the order of their names; what a row does not have holds zeros.

    Shapes:
        views[v]: (N, d_v); rows: (M,) row numbers, None for all -> (M, sum d_v)
    """
    names = sorted(views)
    return np.concatenate([views[name] if rows is None else views[name][rows] for name in names], axis=1)


def with_gaps(views: Mapping[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
    """All views in the order of their names, NaN where a row lacks one.

    Shapes:
        views[v]: (N, d_v); observed: (N, V) -> (N, sum d_v) float32, or float64 where a view is
    """
    parts = [np.where(observed[:, [v]], views[name], np.nan) for v, name in enumerate(sorted(views))]
    return np.concatenate(parts, axis=1)
