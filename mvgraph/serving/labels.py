"""Labels of a partly labelled fit: classes, codes, and which rows have none."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from mvgraph.errors import UserError


def as_labels(y: Any) -> np.ndarray:
    """(N,) labels as an array; a column becomes a vector with scikit-learn's warning.

    Raises:
        UserError: (a ValueError) no labels at all, or not one a row.
    """
    if y is None:
        raise UserError(
            "This MultiViewClassifier estimator requires y to be passed, but the target y is None; without any "
            "labelled row there is nothing to learn."
        )
    if isinstance(y, list | tuple) and len({isinstance(value, str) for value in y}) > 1:
        # numpy would write numbers and None among strings as text.
        mixed = np.empty(len(y), dtype=object)
        mixed[:] = y
        y = mixed
    return np.asarray(column_or_1d(y, warn=True))


def unlabelled_rows(y: np.ndarray, mark: Any) -> np.ndarray:
    """Which rows have no label: those equal to `mark`, and None and NaN among objects.

    A mark of None says that every row has a label. Among strings a mark that is a number is looked for as its
    text too, since numpy turns ["a", -1] into ["a", "-1"].

    Shapes:
        y: (N,) -> (N,) bool.
    """
    if mark is None:
        return np.zeros(y.shape, dtype=bool)
    if y.dtype.kind in "OTU":
        text = str(mark)
        marks = [value is None or value is pd.NA or _equal(value, mark, text) for value in y.tolist()]
        return np.array(marks, dtype=bool).reshape(y.shape)
    if isinstance(mark, str):
        return np.zeros(y.shape, dtype=bool)
    return np.asarray(y == mark)


def encode(y: np.ndarray, mark: Any) -> tuple[np.ndarray, np.ndarray]:
    """Codes (-1 for unlabelled rows) and the classes, sorted.

    Shapes:
        y: (N,) -> codes (N,) int64, classes (C,).
    Raises:
        UserError: (a ValueError) labels that are no classes, or fewer than two classes.
    """
    bare = unlabelled_rows(y, mark)
    known = y[~bare]
    if known.dtype.kind == "O" and known.size and all(isinstance(v, Real) for v in known.tolist()):
        known = np.array(known.tolist())
    if known.dtype.kind == "O" and len({isinstance(value, str) for value in known.tolist()}) > 1:
        raise UserError("Unknown label type: labels mix numbers and strings; use one kind.")
    if known.dtype.kind == "f" and not np.isfinite(known).all():
        raise UserError("Input y contains NaN or infinity; mark rows without a label by `unlabelled`.")
    if known.size:
        check_classification_targets(known)
    classes, found = np.unique(known, return_inverse=True)
    if len(classes) < 2:
        hint = f" ({mark!r} marks rows without a label; if it is a class of yours, set unlabelled=None)"
        raise UserError(
            f"The labelled rows hold {len(classes)} class{'' if len(classes) == 1 else 'es'}"
            f"{hint if bare.any() else ''}; at least two classes are needed."
        )
    codes = np.full(y.shape, -1, dtype=np.int64)
    codes[~bare] = found
    return codes, classes


def _equal(value: Any, mark: Any, text: str) -> bool:
    if isinstance(value, float) and np.isnan(value):
        return True
    if isinstance(value, str) != isinstance(mark, str):
        return bool(isinstance(value, str) and value == text)
    return bool(value == mark)
