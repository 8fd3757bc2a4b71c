"""A view that is left out of a prediction is one that no row has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from clouds import clouds, quick

from mvgraph.data import MultiViewData
from mvgraph.errors import UserError
from mvgraph.serving import MultiViewClassifier

METHODS = ("dm-gcn", "label-spreading", "late-fusion")
M = 6


@pytest.fixture(scope="module")
def fitted() -> dict[str, MultiViewClassifier]:
    views, y = clouds()
    return {method: quick(method, epochs=3).fit(views, y) for method in METHODS}


@pytest.fixture(scope="module")
def later() -> dict[str, np.ndarray]:
    return clouds(M, seed=3)[0]


def explicit(clf: MultiViewClassifier, later: dict[str, np.ndarray], *absent: str) -> np.ndarray:
    """The answers when zeros and a mask are given."""
    views = {name: np.zeros_like(x) if name in absent else x for name, x in later.items()}
    return clf.predict_proba(views, observed={name: np.zeros(M, dtype=bool) for name in absent})


@pytest.mark.parametrize("method", METHODS)
def test_absent_views_are_views_that_no_row_has(
    method: str, fitted: dict[str, MultiViewClassifier], later: dict[str, np.ndarray]
) -> None:
    clf = fitted[method]
    given = {"sight": later["sight"], "text": later["text"]}
    wanted = explicit(clf, later, "sound")
    none, no = np.zeros(M, dtype=bool), {"sound": np.zeros(M)}
    ways: list[tuple[Any, Any]] = [
        (given, None),
        ({**given, "sound": None}, None),
        (given, no),
        (given, {"sound": none, "text": ~none}),
        (given, np.ones((M, 2), dtype=bool)),
        (given, np.array([[True, False, True]] * M)),
        (MultiViewData.from_arrays(given, None), None),
        (MultiViewData.from_arrays(given, None), no),
    ]
    for x, observed in ways:
        np.testing.assert_array_equal(clf.predict_proba(x, observed=observed), wanted)
    np.testing.assert_array_equal(
        clf.predict_proba({"text": later["text"]}), explicit(clf, later, "sight", "sound")
    )
    np.testing.assert_array_equal(clf.predict(given), clf.classes_[wanted.argmax(axis=1)])


def test_rows_may_lack_a_given_view_beside_an_absent_one(
    fitted: dict[str, MultiViewClassifier], later: dict[str, np.ndarray]
) -> None:
    clf = fitted["late-fusion"]
    some = np.arange(M) != 2
    views = {name: later[name] for name in ("sight", "text")}
    found = clf.predict_proba(views, observed={"text": some})
    zeros = np.zeros(M, dtype=bool)
    wanted = clf.predict_proba(later, observed={"text": some, "sound": zeros})
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(
        clf.predict_proba(views, observed=np.stack([some | True, some], axis=1)), wanted
    )


def test_lists_say_none(later: dict[str, np.ndarray]) -> None:
    views, y = clouds()
    order = ["sight", "sound", "text"]
    clf = quick("late-fusion").fit([views[name] for name in order], y)
    named = quick("late-fusion").fit(views, y)
    found = clf.predict_proba([later["sight"], None, later["text"]])
    np.testing.assert_array_equal(found, explicit(named, later, "sound"))
    with pytest.raises(
        UserError, match="The list holds 2 views, but the fit had 3; give them in that order, None"
    ):
        clf.predict([later["sight"], later["text"]])


def test_what_contradicts_itself_is_refused(
    fitted: dict[str, MultiViewClassifier], later: dict[str, np.ndarray]
) -> None:
    clf = fitted["late-fusion"]
    given = {"sight": later["sight"], "text": later["text"]}
    cases: list[tuple[Any, str]] = [
        (
            {"sound": np.arange(M) == 3},
            "observed says that row 3 has view 'sound', but that view is not given",
        ),
        (np.array([[True, True, True]] * M), "observed says that row 0 has view 'sound'"),
        ({"sound": np.zeros(M + 1)}, f"one entry for each of the {M} rows"),
        ({"smell": np.zeros(M)}, "observed names view 'smell'"),
        (np.ones((M, 1)), f"{M} x 3 booleans"),
        ({"sight": np.zeros(M), "text": np.zeros(M)}, "Row 0 has no view at all"),
    ]
    for observed, says in cases:
        with pytest.raises(UserError, match=says):
            clf.predict(given, observed=observed)


def test_the_mask_of_a_multi_view_data_follows_its_names(later: dict[str, np.ndarray]) -> None:
    """Whatever the order of the views at the fit."""
    views, y = clouds()
    turned = {name: views[name] for name in ("text", "sound", "sight")}
    clf = quick("late-fusion").fit(turned, y)
    seen = np.arange(M) != 2
    data = MultiViewData.from_arrays(later, None, observed={"sight": seen})
    np.testing.assert_array_equal(clf.predict_proba(data), clf.predict_proba(later, observed={"sight": seen}))


def test_the_version_is_saved(fitted: dict[str, MultiViewClassifier], tmp_path: Any) -> None:
    import json

    import mvgraph

    folder = fitted["late-fusion"].save(tmp_path / "saved")
    described = json.loads((folder / "classifier.json").read_text())
    assert described["mvgraph"] == mvgraph.__version__
    described |= {"format": 2, "mvgraph": "9.0"}
    (folder / "classifier.json").write_text(json.dumps(described))
    with pytest.raises(UserError, match=f"which mvgraph {mvgraph.__version__} reads; mvgraph 9.0 wrote it"):
        MultiViewClassifier.load(folder)
