"""Labels of any usual form -> int64 codes 0..C-1 (-1 for unlabelled rows) and the names of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mvgraph.data.door import as_numpy, row_place
from mvgraph.data.frozen import read_only
from mvgraph.errors import UserError


def encode_labels(
    labels: Any, n_samples: int, ids: np.ndarray, classes: Sequence[str] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Encode integer or string labels; None, NaN and the integer -1 mean unlabelled.

    Without `classes`, integers (any base, gaps allowed) become classes in numeric order and strings in
    alphabetical order. With `classes`, strings are looked up there and integers are positions in it.

    Shapes: labels (N,) or (N, 1) -> int64 (N,), and C names.

    Raises:
        UserError: wrong length, an entry that is no label, or a label outside `classes`.
    """
    if labels is None:
        return read_only(np.full(n_samples, -1, dtype=np.int64)), tuple(classes or ())
    array = as_numpy(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.shape[0] == n_samples:
        array = one_hot_codes(array, "Labels")
    if array.ndim != 1:
        raise UserError(f"Labels must be one per sample, not of shape {array.shape}.")
    if array.shape[0] != n_samples:
        raise UserError(f"There are {array.shape[0]} labels, but the views have {n_samples} rows.")
    if array.dtype.kind in "iu":
        numbers: np.ndarray | None = array.astype(np.int64)
        texts: list[str | None] = []
    else:
        numbers, texts = _split_kinds(array, ids)
    if numbers is not None:
        return _encode_integers(numbers, ids, classes)
    return _encode_strings(texts, ids, classes)


def one_hot_codes(matrix: np.ndarray, what: str) -> np.ndarray:
    """The column of the one entry of each row: 1 among 0 or -1, or true among false.

    Shapes: (N, C) -> (N,) int64.

    Raises:
        UserError: other values, or a row with no entry or with several; `what` names the matrix.
    """
    if matrix.dtype.kind not in "biuf" or not np.isin(matrix, (-1, 0, 1)).all():
        raise UserError(
            f"{what} of shape {matrix.shape} must be one value per sample, or hold 0 and 1 with one 1 a row."
        )
    entries = (matrix == 1).sum(axis=1)
    wrong = np.flatnonzero(entries != 1)
    if wrong.size:
        row = int(wrong[0])
        count = "no class" if entries[row] == 0 else f"{int(entries[row])} classes"
        raise UserError(f"{what}, row {row} has {count}: one-hot rows need exactly one 1 each.")
    return np.argmax(matrix == 1, axis=1).astype(np.int64)


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two columns of labels say the same under other names. Shapes: (N,) each."""
    if len(one) != len(other):
        return False
    first, second = (pd.factorize(np.asarray(values).astype(str))[0] for values in (one, other))
    return bool(np.array_equal(first, second))


def _split_kinds(array: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray | None, list[str | None]]:
    """Either all labels as integers, or all as strings with None for unlabelled."""
    if array.dtype.kind == "b":
        return None, [str(bool(value)) for value in array]
    absent = np.asarray(pd.isna(array))
    kinds: dict[str, int] = {}
    numbers = np.full(array.shape[0], -1, dtype=np.int64)
    texts: list[str | None] = [None] * array.shape[0]
    for row, value in enumerate(array.tolist()):
        if absent[row]:
            continue
        if isinstance(value, bytes):
            value = value.decode("utf-8")
        if isinstance(value, str):
            if not value.strip():
                raise UserError(
                    f"The label at {row_place(row, ids)} is an empty string; use None for unlabelled rows."
                )
            texts[row] = value
            kinds.setdefault("text", row)
        elif isinstance(value, bool):
            texts[row] = str(value)
            kinds.setdefault("text", row)
        elif isinstance(value, int | float | np.integer | np.floating) and float(value).is_integer():
            numbers[row] = int(value)
            kinds.setdefault("number", row)
        else:
            raise UserError(
                f"The label at {row_place(row, ids)} is {value!r}; a label must be an integer or a string."
            )
    if len(kinds) == 2:
        raise UserError(
            f"Labels mix numbers ({row_place(kinds['number'], ids)}) and strings "
            f"({row_place(kinds['text'], ids)}); "
            "use one kind."
        )
    return (None, texts) if "text" in kinds else (numbers, texts)


def _encode_integers(
    numbers: np.ndarray, ids: np.ndarray, classes: Sequence[str] | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    if classes is not None:
        wrong = np.flatnonzero((numbers < -1) | (numbers >= len(classes)))
        if wrong.size:
            row = int(wrong[0])
            raise UserError(
                f"The label at {row_place(row, ids)} is {int(numbers[row])}, but with {len(classes)} "
                "classes given "
                f"integer labels must lie in 0..{len(classes) - 1} (or be -1)."
            )
        return read_only(numbers.copy()), tuple(classes)
    values = np.unique(numbers[numbers != -1])
    codes = np.where(numbers == -1, -1, np.searchsorted(values, numbers)).astype(np.int64)
    return read_only(codes), tuple(str(int(value)) for value in values)


def _encode_strings(
    texts: Sequence[str | None], ids: np.ndarray, classes: Sequence[str] | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    names = tuple(sorted({text for text in texts if text is not None})) if classes is None else tuple(classes)
    position = {name: code for code, name in enumerate(names)}
    codes = np.full(len(texts), -1, dtype=np.int64)
    for row, text in enumerate(texts):
        if text is None:
            continue
        if text not in position:
            raise UserError(
                f"The label {text!r} at {row_place(row, ids)} is not among the classes {', '.join(names)}."
            )
        codes[row] = position[text]
    return read_only(codes), names


def check_classes(labels: np.ndarray, classes: Sequence[str]) -> None:
    """Refuse codes outside 0..C-1, names given twice, and classes with fewer than two members.

    Raises:
        UserError: naming the class.
    """
    names = list(classes)
    for name in names:
        if not isinstance(name, str) or not name:
            raise UserError(f"A class name must be a non-empty string, not {name!r}.")
        if names.count(name) > 1:
            raise UserError(f"The class name {name!r} is given twice.")
    if labels.size and (int(labels.min()) < -1 or int(labels.max()) >= len(names)):
        row = int(np.flatnonzero((labels < -1) | (labels >= len(names)))[0])
        raise UserError(f"The label code at row {row} is {int(labels[row])}, outside -1..{len(names) - 1}.")


def check_class_sizes(labels: np.ndarray, classes: Sequence[str], ids: np.ndarray) -> None:
    """Refuse data that cannot be split: a class with no or one member, or one class alone.

    Raises:
        UserError: naming the class, and the row of its only member.
    """
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    for code, count in enumerate(counts):
        if count == 0:
            raise UserError(f"No row carries class {classes[code]!r}; leave it out of the classes.")
        if count == 1:
            row = int(np.flatnonzero(labels == code)[0])
            raise UserError(
                f"Class {classes[code]!r} has one member only, {row_place(row, ids)}; "
                "a class needs at least two to be split into parts."
            )
    if len(classes) == 1:
        raise UserError(
            f"All labelled rows carry class {classes[0]!r}; at least two classes are needed (-1 means "
            "unlabelled)."
        )
