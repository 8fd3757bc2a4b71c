"""Labels with marks of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mvgraph.errors import UserError
from mvgraph.serving.labels import as_labels, encode, unlabelled_rows


@pytest.mark.parametrize(
    ("y", "mark", "codes", "classes"),
    [
        ([3, -1, 5, 3], -1, [0, -1, 1, 0], [3, 5]),
        ([3, -1, 5, 3], None, [1, 0, 2, 1], [-1, 3, 5]),
        ([3, -1, 5, 3], 5, [1, 0, -1, 1], [-1, 3]),
        (["b", "a", -1, "b"], -1, [1, 0, -1, 1], ["a", "b"]),
        (["b", "a", None, "b"], -1, [1, 0, -1, 1], ["a", "b"]),
        (["b", "a", float("nan"), "b"], -1, [1, 0, -1, 1], ["a", "b"]),
        (np.array(["b", "a", "-1", "b"]), -1, [1, 0, -1, 1], ["a", "b"]),
        (["b", "a", "?", "b"], "?", [1, 0, -1, 1], ["a", "b"]),
        (np.array([2, None, 7, 2], dtype=object), -1, [0, -1, 1, 0], [2, 7]),
        ([0.0, 1.0, -1.0], -1, [0, 1, -1], [0.0, 1.0]),
        (np.array([True, False]), -1, [1, 0], [False, True]),
        (pd.Series(["x", "y", None]), -1, [0, 1, -1], ["x", "y"]),
        (pd.Series(["x", "y", "x"], dtype="category"), -1, [0, 1, 0], ["x", "y"]),
        ([0, 1, 2], "?", [0, 1, 2], [0, 1, 2]),
    ],
)
def test_codes_and_classes(y: Any, mark: Any, codes: list[int], classes: list[Any]) -> None:
    found, names = encode(as_labels(y), mark)
    assert found.tolist() == codes
    assert names.tolist() == classes
    assert unlabelled_rows(as_labels(y), mark).tolist() == [code == -1 for code in codes]


@pytest.mark.parametrize(
    ("y", "mark", "says"),
    [
        (None, -1, "requires y to be passed, but the target y is None"),
        ([1, 1, -1], -1, r"hold 1 class \(-1 marks rows without a label; if it is a class of yours"),
        ([1, 1, 1], -1, "hold 1 class; at least two"),
        ([-1, -1], -1, "hold 0 classes"),
        ([0.5, 1.5, 2.5], -1, "Unknown label type"),
        ([0.0, np.nan, 1.0], -1, "Input y contains NaN"),
        ([0.0, np.inf, 1.0], None, "Input y contains NaN or infinity"),
        (["a", 1, "b"], -1, "Unknown label type"),
    ],
)
def test_what_is_no_label_is_refused(y: Any, mark: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        encode(as_labels(y), mark)


def test_the_users_mistake_is_a_user_error() -> None:
    with pytest.raises(UserError):
        encode(as_labels([1, 1]), -1)
