from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvgraph.bench.canonical import canonical, digest, finite, plain

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


@given(VALUES)
def test_free_of_key_order_and_readable_again(value: Any) -> None:
    assert digest(value) == digest(reversed_keys(value))
    assert json.loads(canonical(value)) == value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (5e-4, 0.0005),
        (1, 1.0),
        ((1, 2), [1, 2]),
        (np.float64(0.1), 0.1),
        (np.array([1, 2]), [1, 2]),
        (-0.0, 0),
    ],
)
def test_equal_values_have_one_text(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), ("1", 1), (None, 0), ([1, 2], [2, 1]), (0.1, 0.1000001)]
)
def test_different_values_have_different_texts(one: Any, other: Any) -> None:
    assert canonical(one) != canonical(other)


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        plain(object())
    with pytest.raises(ValueError, match="float"):
        canonical(float("nan"))


def test_finite_writes_what_is_not_a_number_as_null() -> None:
    assert finite({"a": [1.0, float("nan")], "b": float("inf")}) == {"a": [1.0, None], "b": None}
