"""Stored scaling is `scale_views`, and goes on with later rows."""

from __future__ import annotations

import numpy as np
import pytest
from clouds import clouds, mask

from mvgraph.data import MultiViewData, scale_views
from mvgraph.data.scaling import KINDS
from mvgraph.errors import UserError
from mvgraph.serving.scaling import StoredScaling


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_the_fit_are_scaled_as_by_scale_views(kind: str, missing: bool) -> None:
    views, labels = clouds(60)
    views["wide"] = np.random.default_rng(0).normal(3, 2, size=(60, 300))
    views["wide"][:, 7] = 0.1
    observed = (
        np.hstack([mask(60, 1), np.ones((60, 1), dtype=bool)]) if missing else np.ones((60, 4), dtype=bool)
    )
    data = MultiViewData.from_arrays(views, labels, observed=observed)
    given = {name: data.views[name] for name in data.view_names}
    found = StoredScaling.fit(kind, given, data.observed).apply(given, data.observed)
    expected = scale_views(data, kind)
    for name in data.view_names:
        np.testing.assert_array_equal(found[name], expected.views[name])


@pytest.mark.parametrize(("kind", "offset", "width"), [("zscore", 2.0, 2.0), ("minmax", 0.0, 4.0)])
def test_later_rows_use_the_numbers_of_the_fit(kind: str, offset: float, width: float) -> None:
    x = np.array([[0.0, 5.0], [4.0, 5.0], [np.float32(1e6), 5.0]], dtype=np.float32)
    seen = np.array([[True], [True], [False]])
    scaling = StoredScaling.fit(kind, {"a": x}, seen)
    later = np.array([[10.0, 9.0]], dtype=np.float32)
    found = scaling.apply({"a": later}, np.ones((1, 1), dtype=bool))["a"]
    np.testing.assert_allclose(found, [[(10 - offset) / width, 0.0]])


def test_mistakes_are_named() -> None:
    x = {"a": np.array([[0.0], [1e-30]], dtype=np.float32)}
    one = np.ones((2, 1), dtype=bool)
    with pytest.raises(UserError, match="scaling='standard': choose one of none, zscore"):
        StoredScaling.fit("standard", x, one)
    far = {"a": np.array([[0.0], [1e30]], dtype=np.float32)}
    with pytest.raises(UserError, match="View 'a', row 1: the scaled values are too large"):
        StoredScaling.fit("minmax", x, one).apply(far, one)
