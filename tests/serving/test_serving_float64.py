"""Rows that float32 cannot hold, at fit and at prediction, against the same rows without their offset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clouds import clouds, quick

from mvgraph.errors import UserError
from mvgraph.serving import MultiViewClassifier, join_views

OFFSETS = (0.0, 1e6, 1e7, 1e8)
#: Settings given: those that a method chooses hang on its inner folds, which are drawn by the content of the rows.
GIVEN: dict[str, dict[str, Any]] = {
    "dm-gcn": {},
    "knn-concat": {"k": 3, "weights": "uniform", "temperature": 1.0},
    "label-spreading": {"temperature": 1.0},
}


def grid(n: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Clouds on a grid of 2^-20, which an offset of 1e8 does not round in float64."""
    views, y = clouds(n, seed)
    return {name: np.round(x * 2**20) / 2**20 for name, x in views.items()}, y


def moved(views: dict[str, np.ndarray], offset: float) -> dict[str, np.ndarray]:
    return {**views, "sound": views["sound"] + offset}


def nearest_in(graph: Any, view: str, row: int) -> list[int]:
    a = graph[view]
    return a.indices[a.indptr[row] : a.indptr[row + 1]].tolist()


@pytest.mark.parametrize("method", ["dm-gcn", "knn-concat"])
@pytest.mark.parametrize("scaling", ["zscore", "minmax"])
def test_answers_are_blind_to_an_offset(method: str, scaling: str) -> None:
    views, y = grid(48, 0)
    later, _ = grid(9, 3)
    plain = quick(method, epochs=5, scaling=scaling, options=GIVEN[method]).fit(views, y)
    for offset in OFFSETS[1:]:
        clf = quick(method, epochs=5, scaling=scaling, options=GIVEN[method]).fit(moved(views, offset), y)
        assert clf.fitted_.rows["sound"].dtype == np.float32
        np.testing.assert_allclose(clf.fitted_.rows["sound"], plain.fitted_.rows["sound"], atol=1e-6)
        np.testing.assert_allclose(
            clf.predict_proba(moved(later, offset)), plain.predict_proba(later), atol=1e-4
        )
        # Rows of the fit are known again, each for itself too.
        np.testing.assert_array_equal(clf.predict_proba(moved(views, offset)), clf.label_distributions_)
        one = {name: x[5:6] for name, x in moved(views, offset).items()}
        np.testing.assert_array_equal(clf.predict_proba(one)[0], clf.label_distributions_[5])


@pytest.mark.parametrize("kernel", ["exp", "self-tuning"])
@pytest.mark.parametrize("offset", OFFSETS)
def test_new_rows_get_their_nearest_unscaled(kernel: str, offset: float) -> None:
    views, y = grid(48, 0)
    later, _ = grid(9, 3)
    clf = quick("label-spreading", scaling="none", kernel=kernel).fit(moved(views, offset), y)
    assert clf.fitted_.rows["sound"].dtype == (np.float64 if offset else np.float32)
    graph = clf.fitted_.graph
    assert graph is not None
    rows = clf.fitted_.rows["sound"].astype(np.float64)
    new = moved(later, offset)["sound"].astype(rows.dtype)
    edges = graph.edges("sound", new.astype(clf.fitted_.rows["sound"].dtype), np.ones(9, dtype=bool))
    distance = np.sqrt(((later["sound"][:, None] - views["sound"][None]) ** 2).sum(axis=2))
    wanted = np.sort(np.argsort(distance, axis=1)[:, :4], axis=1)
    np.testing.assert_array_equal(edges.indices.view(9, 4).numpy(), wanted)


@pytest.mark.parametrize("method", ["label-spreading", "late-fusion"])
def test_one_row_and_a_batch_agree_unscaled(method: str, tmp_path: Path) -> None:
    views, y = grid(48, 0)
    later, _ = grid(6, 3)
    clf = quick(method, scaling="none").fit(moved(views, 1e8), y)
    new = moved(later, 1e8)
    batch = clf.predict_proba(new)
    for i in range(6):
        one = {name: x[i : i + 1] for name, x in new.items()}
        np.testing.assert_allclose(clf.predict_proba(one)[0], batch[i], atol=1e-12)
    again = MultiViewClassifier.load(clf.save(tmp_path / "saved"))
    np.testing.assert_array_equal(again.predict_proba(new), batch)
    assert again.fitted_.rows["sound"].dtype == np.float64


@pytest.mark.parametrize("size", [1e-300, 1e200])
def test_sizes_beyond_float32_change_nothing(size: float) -> None:
    views, y = grid(48, 0)
    later, _ = grid(6, 3)
    given: dict[str, Any] = {"scaling": "none", "options": GIVEN["label-spreading"]}
    for kernel in ("exp", "self-tuning", "cosine"):
        plain = quick("label-spreading", kernel=kernel, **given).fit(views, y)
        sized = quick("label-spreading", kernel=kernel, **given).fit(
            {name: x * size for name, x in views.items()}, y
        )
        found = sized.predict_proba({name: x * size for name, x in later.items()})
        np.testing.assert_allclose(found, plain.predict_proba(later), atol=1e-5)
        np.testing.assert_allclose(sized.label_distributions_, plain.label_distributions_, atol=1e-5)


def test_one_table_divides_into_views_of_their_own_types() -> None:
    views, y = grid(48, 0)
    table, slices = join_views(moved(views, 1e8))
    clf = quick("label-spreading", view_slices=slices).fit(table, y)
    named = quick("label-spreading").fit(moved(views, 1e8), y)
    np.testing.assert_array_equal(clf.label_distributions_, named.label_distributions_)
    assert clf._layout.wide == ["sound"]


def test_a_value_beyond_the_type_of_the_fit_is_refused_by_its_place() -> None:
    views, y = clouds()
    clf = quick("concat-logreg").fit(views, y)
    far = {name: x.copy() for name, x in views.items()}
    far["sound"][4, 1] = 1e39
    with pytest.raises(UserError, match="View 'sound', row 4, column 1: the value is 1e\\+39, too large"):
        clf.predict(far)


def test_networks_warn_of_what_they_cannot_hold() -> None:
    views, y = grid(48, 0)
    with pytest.warns(UserWarning, match="which cannot hold view 'sound': column 0 has an offset of 1e"):
        quick(epochs=1, scaling="none").fit(moved(views, 1e8), y)
    huge = {**views, "sound": views["sound"] * 1e200}
    with pytest.raises(UserError, match=r"View 'sound' holds .* in row 0, column 0, beyond float32"):
        quick(epochs=1, scaling="none").fit(huge, y)
