"""`MultiViewData`: what it holds, that it cannot be changed, and every refusal at its door."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from mvgraph.data import Card, LazyViews, MultiViewData, Split
from mvgraph.errors import UserError

N = 12


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"video": rng.normal(size=(N, 5)), "audio": rng.normal(size=(N, 3))}


def labels() -> np.ndarray:
    return np.arange(N) % 3


def make(**changes: Any) -> MultiViewData:
    parts: dict[str, Any] = {"views": arrays(), "labels": labels()} | changes
    return MultiViewData.from_arrays(**parts)


def test_attributes_shapes_and_order() -> None:
    given = arrays()
    data = make(groups={"clip": np.arange(N) // 2}, card=Card(name="toy"))
    assert data.view_names == ("audio", "video")
    assert data.view_dims == {"audio": 3, "video": 5}
    assert (data.n_samples, data.n_views, data.n_classes, data.name) == (N, 2, 3, "toy")
    assert data.classes == ("0", "1", "2")
    assert data.labels.dtype == np.int64
    assert data.class_counts.tolist() == [4, 4, 4]
    assert data.observed.shape == (N, 2)
    assert data.observed.all()
    assert data.ids.tolist() == [str(i) for i in range(N)]
    assert data.groups["clip"].tolist() == [str(i // 2) for i in range(N)]
    for name, view in data.views.items():
        assert view.dtype == np.float32
        assert view.flags.c_contiguous
        np.testing.assert_array_equal(view, given[name].astype(np.float32))
    assert repr(data) == "MultiViewData('toy': 12 samples, views audio 3, video 5; 3 classes)"


def test_nothing_can_be_changed_from_inside_or_outside() -> None:
    mine = np.ones((N, 2), dtype=np.float32)
    codes = labels()
    mask = np.ones((N, 1), dtype=bool)
    data = make(views={"a": mine}, labels=codes, observed=mask)
    mine[0, 0] = 7.0
    codes[0] = 2
    mask[0, 0] = False
    assert data.views["a"][0, 0] == 1.0
    assert data.labels[0] == 0
    assert data.observed[0, 0]
    for array in (data.views["a"], data.labels, data.ids, data.observed):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]
    with pytest.raises(FrozenInstanceError):
        data.labels = codes  # type: ignore[misc]
    with pytest.raises(TypeError):
        data.views["b"] = mine  # type: ignore[index]


def test_a_read_only_float32_array_is_taken_without_a_copy_but_a_read_only_window_is_not() -> None:
    mine = np.ones((N, 2), dtype=np.float32)
    window = mine[:]
    window.setflags(write=False)
    data = make(views={"a": window})
    mine[0, 0] = 5.0
    assert data.views["a"][0, 0] == 1.0
    owned = np.ones((N, 2), dtype=np.float32)
    owned.setflags(write=False)
    assert np.shares_memory(make(views={"a": owned}).views["a"], owned)


@pytest.mark.parametrize(
    "convert",
    [
        pytest.param(lambda a: a.tolist(), id="list"),
        pytest.param(torch.tensor, id="torch"),
        pytest.param(lambda a: torch.tensor(a, requires_grad=True), id="torch-grad"),
        pytest.param(lambda a: pd.DataFrame(a), id="pandas"),
        pytest.param(lambda a: scipy.sparse.csr_array(a), id="sparse"),
        pytest.param(lambda a: a.astype(object), id="objects"),
        pytest.param(np.asfortranarray, id="fortran"),
        pytest.param(lambda a: a.astype(">f8"), id="big-endian"),
    ],
)
def test_every_usual_form_gives_the_same_data(convert: Any) -> None:
    expected = make()
    found = make(views={name: convert(array) for name, array in arrays().items()})
    assert found.fingerprint == expected.fingerprint


def test_bfloat16_and_nullable_and_integer_columns() -> None:
    half = make(views={"a": torch.ones(N, 2, dtype=torch.bfloat16)})
    assert half.views["a"].sum() == 2 * N
    frame = pd.DataFrame({"x": pd.array([1] * N, dtype="Int64"), "y": [True, False] * (N // 2)})
    np.testing.assert_array_equal(make(views={"a": frame}).views["a"][:2], [[1, 1], [1, 0]])


def test_a_list_of_views_keeps_its_order_beyond_ten() -> None:
    data = make(views=[np.full((N, 1), i) for i in range(12)])
    assert data.view_names[:3] == ("view00", "view01", "view02")
    assert [int(view[0, 0]) for view in data.views.values()] == list(range(12))
    assert make(views=[np.ones((N, 1))]).view_names == ("view0",)


def test_the_order_of_views_changes_neither_masks_nor_arrays() -> None:
    mask = np.ones((N, 2), dtype=bool)
    mask[3, 0] = False  # the first view given is "video"
    data = make(observed=mask)
    assert data.observed[3].tolist() == [True, False]
    direct = MultiViewData(
        views=arrays(), labels=labels(), classes=("a", "b", "c"), ids=data.ids, groups={}, observed=mask
    )
    assert direct.observed[3].tolist() == [True, False]
    assert not direct.views["video"][3].any()


def test_ids_come_from_the_shared_index_and_a_disagreement_is_refused() -> None:
    index = [f"s{i}" for i in range(N)]
    frames = {name: pd.DataFrame(array, index=index) for name, array in arrays().items()}
    assert make(views=frames).ids.tolist() == index
    frames["video"] = frames["video"].iloc[::-1]
    with pytest.raises(UserError, match=r"index of view 'audio' differs .* row 0 \('s0' against 's11'\)"):
        make(views=frames)
    assert make(views=frames, ids=range(N)).ids[0] == "0"
    shuffled = pd.Series(labels(), index=index[::-1])
    with pytest.raises(UserError, match="index of the labels differs"):
        make(views={"audio": frames["audio"]}, labels=shuffled)


def test_missing_rows_hold_zeros_and_are_not_checked() -> None:
    views = arrays()
    views["audio"][4] = np.nan
    data = make(views=views, observed={"audio": np.arange(N) != 4})
    assert not data.views["audio"][4].any()
    assert data.observed[4].tolist() == [False, True]
    kept = np.full((N, 2), 3.0, dtype=np.float32)
    kept.setflags(write=False)
    assert make(views={"a": kept, "b": kept}, observed={"a": np.arange(N) > 0}).views["a"][0].tolist() == [
        0,
        0,
    ]
    assert kept[0, 0] == 3.0


NAN_VIEW = arrays() | {"audio": np.where(np.arange(N * 3).reshape(N, 3) == 7, np.nan, 1.0)}
INF_VIEW = arrays() | {"audio": np.where(np.arange(N * 3).reshape(N, 3) == 8, -np.inf, 1.0)}
TEXT_FRAME = pd.DataFrame({"x": np.ones(N), "city": ["Lisbon"] * N})
MIXED = np.full((N, 2), 1.0, dtype=object)
MIXED[5, 1] = "loud"

REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("no view", {"views": {}}, "no view"),
    ("not views", {"views": np.ones((N, 2))}, "mapping from name to array or a list of arrays, not ndarray"),
    (
        "lengths",
        {"views": arrays() | {"audio": np.ones((5, 3))}},
        "'audio' has 5 rows, but view 'video' has 12",
    ),
    ("one-dimensional", {"views": {"a": np.ones(N)}}, r"View 'a' has shape \(12,\)"),
    ("ragged", {"views": {"a": [[1.0], [1.0, 2.0]]}}, "differ in length"),
    ("no columns", {"views": {"a": np.ones((N, 0))}}, "View 'a' is empty: it has 12 rows and 0 columns"),
    ("no rows", {"views": {"a": np.ones((0, 2))}, "labels": []}, "View 'a' is empty"),
    ("nan", {"views": NAN_VIEW}, r"View 'audio', row 2 \(id '2'\), column 1: the value is NaN"),
    ("inf", {"views": INF_VIEW}, r"View 'audio', row 2 \(id '2'\), column 2: the value is Inf"),
    ("text frame", {"views": {"a": TEXT_FRAME}}, "View 'a', column 'city': the column holds .* not numbers"),
    ("text array", {"views": {"a": np.full((N, 2), "x")}}, r"View 'a', row 0 \(id '0'\), column 0"),
    (
        "mixed objects",
        {"views": {"a": MIXED}},
        r"View 'a', row 5 \(id '5'\), column 1: 'loud' is not a number",
    ),
    ("complex", {"views": {"a": np.ones((N, 2), dtype=complex)}}, "holds complex128 values"),
    ("view name", {"views": {"a/b": np.ones((N, 2))}}, "view name 'a/b' cannot be used"),
    ("view name type", {"views": {3: np.ones((N, 2))}}, "view name must be a string, not 3"),
    ("duplicate ids", {"ids": ["x", "y", *range(N - 3), "y"]}, "id 'y' stands at rows 1 and 11"),
    ("ids length", {"ids": ["x"]}, "Sample ids: 1 entries, but the views have 12 rows"),
    ("ids missing", {"ids": [None, *range(N - 1)]}, "row 0 has no value"),
    ("labels length", {"labels": [0, 1]}, "There are 2 labels, but the views have 12 rows"),
    ("one member", {"labels": [7] + [1, 2] * 5 + [1]}, r"Class '7' has one member only, row 0 \(id '0'\)"),
    ("one class", {"labels": [1, -1] * (N // 2)}, "carry class '1'; at least two classes"),
    ("unused class", {"classes": ["a", "b", "c", "d"]}, "No row carries class 'd'"),
    ("twice a class", {"classes": ["a", "b", "b"]}, "class name 'b' is given twice"),
    ("mask shape", {"observed": np.ones((N, 3), dtype=bool)}, r"shape \(12, 3\).* need \(12, 2\)"),
    ("mask values", {"observed": np.full((N, 2), 2)}, "must hold booleans"),
    ("mask view", {"observed": {"smell": np.ones(N, dtype=bool)}}, "names view 'smell'"),
    ("mask row", {"observed": {"audio": [True]}}, r"observed mask of view 'audio' has shape \(1,\)"),
    (
        "lost sample",
        {"observed": np.arange(N)[:, None] != [4, 4]},
        r"row 4 \(id '4'\) is observed in no view",
    ),
    (
        "lost view",
        {"observed": np.ones((N, 2), dtype=bool) & [True, False]},
        "'audio' is empty: it is observed",
    ),
    ("group length", {"groups": {"clip": [1]}}, "Group 'clip': 1 entries"),
    ("group gap", {"groups": {"clip": ["a"] * 3 + [None] + ["b"] * 8}}, r"Group 'clip': row 3 \(id '3'\)"),
    ("group name", {"groups": {"label": ["a"] * N}}, "cannot be called 'label'"),
    ("group prefix", {"groups": {"split:a": ["a"] * N}}, "cannot be called 'split:a'"),
    ("groups", {"groups": ["a"]}, "Groups must be a mapping"),
    ("nested ids", {"ids": np.ones((N, 2))}, "Sample ids must be one-dimensional"),
    ("complex frame", {"views": {"a": pd.DataFrame(np.ones((N, 1), dtype=complex))}}, "complex numbers"),
    ("split range", {"official_splits": {"f": Split([0], [], [N])}}, "'f': its test part names row 12"),
    (
        "split unlabelled",
        {"labels": [-1] + [0, 1] * 5 + [1], "official_splits": {"f": Split([0], [], [1])}},
        "row 0 of its train part has no label",
    ),
]


@pytest.mark.parametrize(("changes", "message"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_the_door_refuses_in_one_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        make(**changes)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_select_views() -> None:
    data = make()
    chosen = data.select_views(["video"])
    assert chosen.view_names == ("video",)
    np.testing.assert_array_equal(chosen.views["video"], data.views["video"])
    assert data.select_views("audio").view_names == ("audio",)
    with pytest.raises(UserError, match="no view 'smell'; the views are audio, video"):
        data.select_views(["smell"])
    with pytest.raises(UserError, match="No view was selected"):
        data.select_views([])
    gap = make(observed={"audio": np.arange(N) != 4})
    with pytest.raises(UserError, match="row 4"):
        gap.select_views(["audio"])


def test_subset_keeps_order_and_classes() -> None:
    data = make(groups={"clip": np.arange(N)}, official_splits={"f": Split([0], [1], [2])})
    part = data.subset([7, 0, 3])
    assert part.ids.tolist() == ["7", "0", "3"]
    assert part.classes == data.classes
    assert part.labels.tolist() == [1, 0, 0]
    assert part.groups["clip"].tolist() == ["7", "0", "3"]
    assert not part.official_splits
    np.testing.assert_array_equal(part.views["audio"], data.views["audio"][[7, 0, 3]])
    assert data.subset(np.arange(N) < 5).n_samples == 5
    for rows, message in (([N], r"0\.\.11"), ([1, 1], "repeat"), ([], "non-empty"), ([0.5], "integers")):
        with pytest.raises(UserError, match=message):
            data.subset(rows)


def test_with_observed_hides_rows_and_never_invents_them() -> None:
    data = make()
    mask = data.observed.copy()
    mask[2, 0] = False
    hidden = data.with_observed(mask)
    assert not hidden.views["audio"][2].any()
    assert hidden.views["video"][2].any()
    assert hidden.fingerprint != data.fingerprint
    with pytest.raises(UserError, match=r"View 'audio', row 2 \(id '2'\): the mask marks it as observed"):
        hidden.with_observed(data.observed)


def test_with_views_replaces_all_of_them() -> None:
    data = make(observed={"audio": np.arange(N) != 4})
    new = data.with_views({"fused": np.ones((N, 2)), "audio": np.full((N, 1), 2.0)})
    assert new.view_names == ("audio", "fused")
    assert not new.observed[4, 0]
    assert new.views["audio"][4, 0] == 0.0
    assert new.labels.tolist() == data.labels.tolist()
    with pytest.raises(UserError, match="'fused' has 3 rows, but there are 12 samples"):
        data.with_views({"fused": np.ones((3, 2))})


def test_unlabelled_data_is_allowed() -> None:
    data = make(labels=None)
    assert data.n_classes == 0
    assert data.labels.tolist() == [-1] * N


def test_data_travels_to_worker_processes() -> None:
    data = make(
        groups={"clip": np.arange(N)}, official_splits={"f": Split([0], [1], [2], parameters={"a": 1})}
    )
    again = pickle.loads(pickle.dumps(data))
    assert again.fingerprint == data.fingerprint
    assert again.official_splits["f"] == data.official_splits["f"]
    assert again.groups["clip"].tolist() == data.groups["clip"].tolist()


def test_lazy_views_read_once_and_only_what_is_asked() -> None:
    reads: list[str] = []

    def reader(name: str) -> np.ndarray:
        reads.append(name)
        return np.full((N, 2), float(len(name)), dtype=np.float32)

    lazy = LazyViews({"bb": 2, "a": 2}, N, reader)
    data = MultiViewData(
        views=lazy,
        labels=labels(),
        classes=("x", "y", "z"),
        ids=np.arange(N).astype(str),
        groups={},
        observed=np.ones((N, 2), dtype=bool),
    )
    assert data.view_dims == {"a": 2, "bb": 2}
    assert reads == []
    chosen = data.select_views(["bb"])
    assert chosen.views["bb"][0, 0] == 2.0
    assert data.views["bb"][0, 0] == 2.0
    assert reads == ["bb"]
    assert lazy.loaded == ("bb",)
    assert "a" in lazy
    with pytest.raises(KeyError):
        lazy["c"]
    assert data.in_memory().fingerprint == data.fingerprint
    with pytest.raises(UserError, match="views have 12 rows, but there are 2 ids"):
        MultiViewData(
            views=lazy,
            labels=np.array([0, 1]),
            classes=("x", "y"),
            ids=np.array(["1", "2"]),
            groups={},
            observed=np.ones((2, 2), dtype=bool),
        )
