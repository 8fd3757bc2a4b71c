"""Canonical JSON and the hash of it: what cell ids are made of."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """A JSON value that means the same: tuples become lists, sets sorted lists, numpy and torch scalars numbers.

    Raises:
        TypeError: the value has no JSON form.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no JSON form")


def finite(value: Any) -> Any:
    """`plain`, with NaN and infinities replaced by None, so that the text is strict JSON."""
    value = plain(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value


def canonical(value: Any) -> str:
    """One text for one meaning: keys sorted, no spaces, shortest float form, 1.0 written as 1.

    Numbers that are equal get the same text, so `k: 10` and `k: 10.0` are the same setting.

    Raises:
        ValueError: NaN or an infinity is inside.
        TypeError: the value has no JSON form.
    """
    return json.dumps(
        _equal_numbers(plain(value)),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
        allow_nan=False,
    )


def _equal_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {key: _equal_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_equal_numbers(item) for item in value]
    return value


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()
