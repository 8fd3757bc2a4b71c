"""The fingerprint: the same for the same numbers, another for any other."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.data import Fingerprint, MultiViewData, fingerprint
from mvgraph.data.fingerprint import view_hash


def make(views: dict[str, np.ndarray], **options: object) -> MultiViewData:
    return MultiViewData.from_arrays(views, np.arange(8) % 2, **options)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.permutations(range(4)))
def test_order_and_names_of_views_do_not_matter(seed: int, order: list[int]) -> None:
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=(8, width)) for width in (2, 2, 3, 1)]
    one = make({f"v{i}": array for i, array in enumerate(arrays)})
    other = make({f"w{place}": arrays[i] for place, i in enumerate(order)})
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint.digest == other.fingerprint.digest


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 7), st.integers(0, 2))
def test_any_other_value_label_or_mask_matters(seed: int, row: int, column: int) -> None:
    array = np.random.default_rng(seed).normal(size=(8, 3))
    other = array.copy()
    other[row, column] += 1.0
    second = np.ones((8, 1))
    digest = make({"a": array, "b": second}).fingerprint.digest
    assert make({"a": other, "b": second}).fingerprint.digest != digest
    mask = {"b": np.arange(8) != row}
    assert make({"a": array, "b": second}, observed=mask).fingerprint.digest != digest
    swapped = MultiViewData.from_arrays({"a": array, "b": second}, (np.arange(8) + 1) % 2)
    assert swapped.fingerprint.digest != digest


def test_a_missing_row_is_not_a_row_of_zeros() -> None:
    zero = np.ones((8, 2))
    zero[3] = 0.0
    views = {"a": zero, "b": np.ones((8, 1))}
    hidden = make(views, observed={"a": np.arange(8) != 3})
    np.testing.assert_array_equal(hidden.views["a"], make(views).views["a"])
    assert hidden.fingerprint != make(views).fingerprint


def test_negative_zero_is_zero_and_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    present = np.ones(5, dtype=bool)
    array = np.arange(15, dtype=np.float32).reshape(5, 3)
    whole = view_hash(array, present)
    monkeypatch.setattr(fingerprint, "BLOCK_VALUES", 6)
    assert view_hash(array, present) == whole
    negative = array.copy()
    negative[0, 0] = -0.0
    assert view_hash(negative, present) == whole


def test_json_round_trip_and_digest() -> None:
    found = make({"a": np.ones((8, 2))}).fingerprint
    assert (found.n_samples, found.n_classes, found.class_counts) == (8, 2, (4, 4))
    assert found.views[0][0] == 2
    assert found.digest == hashlib.sha256(found.to_json().encode()).hexdigest()
    assert Fingerprint.from_json(found.to_json()) == found
    assert json.loads(found.to_json())["class_counts"] == [4, 4]


def test_it_is_computed_once() -> None:
    data = make({"a": np.ones((8, 2))})
    assert data.fingerprint is data.fingerprint
