"""Boosted trees: scikit-learn's on the columns side by side, with NaN for missing views."""

from __future__ import annotations

import numpy as np
import pytest
from blobs import CLASSES, answers, later_rows, make_data, make_split
from sklearn.ensemble import HistGradientBoostingClassifier

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.training import fit

TREES = {"max_iter": 8, "max_leaf_nodes": 5, "min_samples_leaf": 2, "max_features": 1.0}
OPTIONS = {**TREES, "temperature": 1.0}


def columns(data: MultiViewData) -> np.ndarray:
    x = [data.views[name].copy() for name in data.view_names]
    for v in range(len(x)):
        x[v][~data.observed[:, v]] = np.nan
    return np.hstack(x)


@pytest.mark.parametrize("missing", [False, True])
def test_equal_to_scikit_learn(missing: bool) -> None:
    data, split = make_data(missing=missing), make_split()
    result = fit("hist-gradient-boosting", data, split, options=OPTIONS, seed=4)
    x = columns(data)
    reference = HistGradientBoostingClassifier(early_stopping=False, random_state=4, **TREES)
    reference.fit(x[split.train], data.labels[split.train])
    np.testing.assert_allclose(result.probabilities(), reference.predict_proba(x), atol=1e-6)
    assert CLASSES * 8 <= result.parameters <= CLASSES * 8 * (2 * 5 - 1)


@pytest.mark.parametrize("missing", [False, True])
def test_rows_that_come_later(missing: bool) -> None:
    data, split = make_data(missing=missing), make_split()
    model = fit("hist-gradient-boosting", data, split, options=OPTIONS).model
    rows = later_rows(data, missing=missing)
    x = [np.where(rows.observed[:, [v]], rows.views[n], np.nan) for v, n in enumerate(data.view_names)]
    expected = model.model_.predict_proba(np.hstack(x))  # type: ignore[attr-defined]
    np.testing.assert_allclose(answers(model, rows), expected, atol=1e-6)


def test_a_class_that_no_training_row_has_gets_nothing() -> None:
    data, split = make_data(), make_split()
    rows = split.train[data.labels[split.train] != 1]
    part = Split(rows, split.validation, split.test)
    assert not fit("hist-gradient-boosting", data, part, options=OPTIONS).probabilities()[:, 1].any()
    with pytest.raises(UserError, match="at least two classes"):
        fit("hist-gradient-boosting", data, Split(rows[data.labels[rows] == 0], split.validation, split.test))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_iter": 0}, "max_iter=0; give at least 1"),
        ({"max_leaf_nodes": 1}, "max_leaf_nodes=1; give at least 2"),
        ({"learning_rate": 0.0}, "give a positive rate"),
        ({"l2": -1.0}, "penalty of at least 0"),
    ],
)
def test_mistakes_are_named(options: dict[str, float], says: str) -> None:
    with pytest.raises(UserError, match=says):
        fit("hist-gradient-boosting", make_data(), make_split(), options=options)
