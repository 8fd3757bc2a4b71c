"""Labels of any form become codes and class names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mvgraph.data.labels import encode_labels
from mvgraph.errors import UserError

CASES: list[tuple[str, Any, list[int], tuple[str, ...]]] = [
    ("from 0", [0, 1, 0, 2], [0, 1, 0, 2], ("0", "1", "2")),
    ("from 1", np.array([1, 2, 1, 3]), [0, 1, 0, 2], ("1", "2", "3")),
    ("gaps, numeric order", [10, 9, 100, -1], [1, 0, 2, -1], ("9", "10", "100")),
    ("column", np.array([[1], [2], [1], [2]]), [0, 1, 0, 1], ("1", "2")),
    ("uint8", np.array([3, 4, 3, 4], dtype=np.uint8), [0, 1, 0, 1], ("3", "4")),
    ("float with nan", np.array([1.0, np.nan, 2.0, 1.0]), [0, -1, 1, 0], ("1", "2")),
    ("strings", ["tram", "bus", None, "tram"], [1, 0, -1, 1], ("bus", "tram")),
    ("strings with nan", ["b", float("nan"), "a", "b"], [1, -1, 0, 1], ("a", "b")),
    ("bytes", np.array([b"b", b"a", b"b", b"a"]), [1, 0, 1, 0], ("a", "b")),
    ("booleans", [True, False, True, False], [1, 0, 1, 0], ("False", "True")),
    ("categorical", pd.Series(["b", "a", None, "b"], dtype="category"), [1, 0, -1, 1], ("a", "b")),
    ("nullable", pd.Series([2, 1, None, 2], dtype="Int64"), [1, 0, -1, 1], ("1", "2")),
    ("tensor", torch.tensor([5, 6, -1, 5]), [0, 1, -1, 0], ("5", "6")),
    ("none", None, [-1, -1, -1, -1], ()),
]
IDS = np.array(["p", "q", "r", "s"])


@pytest.mark.parametrize(("labels", "codes", "names"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_codes_and_names(labels: Any, codes: list[int], names: tuple[str, ...]) -> None:
    found, classes = encode_labels(labels, 4, IDS)
    assert found.dtype == np.int64
    assert not found.flags.writeable
    assert found.tolist() == codes
    assert classes == names


def test_given_classes_fix_the_order() -> None:
    assert encode_labels(["b", "a", None, "b"], 4, IDS, ("b", "a"))[0].tolist() == [0, 1, -1, 0]
    assert encode_labels([1, 0, -1, 1], 4, IDS, ("b", "a"))[0].tolist() == [1, 0, -1, 1]


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0.5, 1, 2, 3], None, r"row 0 \(id 'p'\) is 0.5"),
        (["a", 1, "b", 2], None, r"mix numbers \(row 1 \(id 'q'\)\) and strings \(row 0"),
        (["a", "", "b", "c"], None, r"row 1 \(id 'q'\) is an empty string"),
        ([object(), 1, 2, 3], None, "must be an integer or a string"),
        (np.ones((4, 3)), None, "row 0 has 3 classes: one-hot rows"),
        (np.full((4, 3), 0.5), None, "hold 0 and 1 with one 1 a row"),
        (["a", "c", "a", "c"], ("a", "b"), r"'c' at row 1 \(id 'q'\) is not among the classes a, b"),
        ([0, 2, 0, 1], ("a", "b"), r"row 1 \(id 'q'\) is 2.* 0\.\.1"),
    ],
)
def test_refusals_name_the_row(labels: Any, classes: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        encode_labels(labels, 4, IDS, classes)
