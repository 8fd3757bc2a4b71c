"""Scaling against a slow float64 reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.data import MultiViewData, Split, scale_views, scaling
from mvgraph.errors import UserError

N = 20
SPLIT = Split(np.arange(6), [6, 7], np.arange(8, N))


def make(seed: int = 0) -> MultiViewData:
    rng = np.random.default_rng(seed)
    views = {"a": rng.normal(50.0, 9.0, size=(N, 4)), "b": rng.uniform(-3, 1e4, size=(N, 3))}
    views["a"][:, 2] = 0.1  # constant, and not exact in binary
    views["b"][5] = 0.0
    observed = np.ones((N, 2), dtype=bool)
    observed[[2, 9], 0] = False
    return MultiViewData.from_arrays(views, np.arange(N) % 2, observed=observed)


def reference(data: MultiViewData, view: str, kind: str, rows: list[int]) -> np.ndarray:
    """Column by column in plain Python."""
    column_of = data.view_names.index(view)
    values = data.views[view].astype(float)
    result = np.zeros_like(values)
    fit = [row for row in rows if data.observed[row, column_of]]
    for row in range(N):
        if not data.observed[row, column_of]:
            continue
        length = math.sqrt(sum(x * x for x in values[row]))
        for j in range(values.shape[1]):
            column = [values[i, j] for i in fit]
            mean = math.fsum(column) / len(column)
            deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in column) / len(column))
            low, high = min(column), max(column)
            if kind == "l2":
                result[row, j] = values[row, j] / length if length else 0.0
            elif low == high:
                result[row, j] = 0.0
            elif kind == "zscore":
                result[row, j] = (values[row, j] - mean) / deviation
            else:
                result[row, j] = (values[row, j] - low) / (high - low)
    return result


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["zscore", "minmax", "l2"]), st.sampled_from(["all", "train"]))
def test_against_the_reference(seed: int, kind: str, scope: str) -> None:
    data = make(seed)
    scaled = scale_views(data, kind, scope, SPLIT)
    rows = list(range(N)) if scope == "all" else SPLIT.train.tolist()
    for view in data.view_names:
        np.testing.assert_allclose(
            scaled.views[view], reference(data, view, kind, rows), rtol=2e-6, atol=2e-6
        )
    np.testing.assert_array_equal(scaled.observed, data.observed)
    assert scaled.labels.tolist() == data.labels.tolist()


@pytest.mark.parametrize("kind", ["zscore", "minmax"])
def test_constant_columns_become_exactly_zero(kind: str) -> None:
    assert not scale_views(make(), kind).views["a"][:, 2].any()


def test_training_scope_does_not_see_other_rows() -> None:
    data = make()
    poisoned = {name: view.copy() for name, view in data.views.items()}
    poisoned["b"][SPLIT.test] *= 1000.0
    one = scale_views(data, "zscore", "train", SPLIT)
    other = scale_views(data.with_views(poisoned), "zscore", "train", SPLIT)
    np.testing.assert_array_equal(one.views["b"][SPLIT.train], other.views["b"][SPLIT.train])


def test_column_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scale_views(make(), "zscore")
    monkeypatch.setattr(scaling, "BLOCK_COLUMNS", 2)
    assert scale_views(make(), "zscore").fingerprint == whole.fingerprint


def test_none_is_the_data_itself() -> None:
    data = make()
    assert scale_views(data, "none") is data


def test_refusals() -> None:
    data = make()
    with pytest.raises(UserError, match=r"no scaling 'z-score'.*zscore"):
        scale_views(data, "z-score")
    with pytest.raises(UserError, match="no scaling scope 'test'"):
        scale_views(data, "zscore", "test")
    with pytest.raises(UserError, match="needs the split"):
        scale_views(data, "zscore", "train")
    with pytest.raises(UserError, match="training row 30"):
        scale_views(data, "zscore", "train", Split([30], [], [1]))
    with pytest.raises(UserError, match="'a' is observed for no training row"):
        scale_views(data, "zscore", "train", Split([2, 9], [], [1]))
