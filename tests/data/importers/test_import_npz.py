""".npz: which array is what, orientation, and views that stay on disk."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from import_files import N, same, small_labels, small_views

from mvgraph.data import ImportOptions, convert, load
from mvgraph.data.lazy import LazyViews
from mvgraph.errors import UserError


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_views_and_labels(tmp_path: Path) -> None:
    data = load(save(tmp_path / "mine.npz", **small_views(), y=small_labels()))
    assert isinstance(data.views, LazyViews)
    assert data.views.loaded == ()
    same(data)
    assert data.card.name == "mine"
    assert data.card.notes == ()
    copy = pickle.loads(pickle.dumps(data))
    same(copy)


@pytest.mark.parametrize("name", ["Y", "y", "gt", "truth", "truelabel", "labels", "true_label", "GND"])
def test_usual_names_of_labels(tmp_path: Path, name: str) -> None:
    same(load(save(tmp_path / "m.npz", **small_views(), **{name: small_labels()[:, None]})))


@given(
    dtype=st.sampled_from(["f8", "f4", "f2", ">f8", "i2", "u1", "i8"]),
    fortran=st.booleans(),
    flipped=st.booleans(),
    packed=st.booleans(),
    rows=st.integers(4, 40),
    columns=st.integers(2, 60),
)
def test_every_form_of_an_array(
    tmp_path_factory: pytest.TempPathFactory,
    dtype: str,
    fortran: bool,
    flipped: bool,
    packed: bool,
    rows: int,
    columns: int,
) -> None:
    values = np.random.default_rng(rows * columns).integers(0, 99, (rows, columns)).astype(dtype)
    stored = values.T if flipped else values
    stored = np.asfortranarray(stored) if fortran else np.ascontiguousarray(stored)
    path = tmp_path_factory.mktemp("npz") / "m.npz"
    (np.savez_compressed if packed else np.savez)(path, v=stored, y=np.arange(rows) % 2)
    data = load(path, transpose=flipped)
    np.testing.assert_array_equal(data.views["v"], values.astype(np.float32))
    assert data.views["v"].flags.c_contiguous


def test_large_views_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvgraph.data.importers.npy.BLOCK_VALUES", 7)
    views = small_views()
    same(load(save(tmp_path / "m.npz", a=views["a"].T, b=np.asfortranarray(views["b"]), y=small_labels())))


def test_text_labels_ids_groups_and_split(tmp_path: Path) -> None:
    parts = ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    kinds = np.array(["x", "yy", "z"])[small_labels() - 1]
    subject = np.arange(N) // 4 * 1.0
    path = save(
        tmp_path / "m.npz",
        **small_views(),
        kind=kinds,
        ids=[f"s{i}" for i in range(N)],
        subject=subject,
        part=parts,
    )
    data = load(path, labels="kind", group_columns=("subject",), split_column="part")
    same(data, classes=("x", "yy", "z"))
    assert data.ids[3] == "s3"
    assert data.groups["subject"].tolist() == ["0"] * 4 + ["1"] * 4 + ["2"] * 4
    split = data.official_splits["given"]
    assert [split.train.size, split.validation.size, split.test.size] == [6, 3, 3]


def test_named_views_and_what_stays_behind(tmp_path: Path) -> None:
    path = save(tmp_path / "m.npz", **small_views(), w=np.ones((N, N)), y=small_labels(), t=np.arange(N))
    data = load(path, ImportOptions(views={"sound": "b", "time": "t"}))
    assert data.view_dims == {"sound": 5, "time": 1}
    np.testing.assert_array_equal(data.views["time"][:, 0], np.arange(N))
    assert data.card.notes == ("Not imported from the file: a (12 x 3), w (12 x 12).",)


def test_no_labels(tmp_path: Path) -> None:
    path = save(tmp_path / "m.npz", **small_views())
    data = load(path, no_labels=True)
    assert data.n_samples == N
    assert data.n_classes == 0
    flipped = save(tmp_path / "t.npz", **{name: view.T for name, view in small_views().items()})
    np.testing.assert_array_equal(load(flipped, no_labels=True).views["a"], data.views["a"])


def test_minus_one_is_unlabelled_and_said_so(tmp_path: Path) -> None:
    labels = small_labels()
    labels[:2] = -1
    data = load(save(tmp_path / "m.npz", **small_views(), y=labels))
    assert data.labels[:2].tolist() == [-1, -1]
    assert data.card.notes == ("2 of 12 rows have no label (empty or -1).",)


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"a": np.ones((4, 3))}, {}, "nothing is called like labels; say --labels NAME .*or --no-labels"),
        (
            {"a": np.ones((4, 3)), "y": [0, 0, 1, 1], "gt": [0, 1, 1, 0]},
            {},
            "labels could be in y or gt; .*--labels",
        ),
        (
            {"a": np.ones((4, 4)), "y": [0, 0, 1, 1]},
            {},
            "rows and columns could both be samples; say --no-transpose",
        ),
        ({"a": np.ones((4, 3))}, {"no_labels": True}, "say --transpose .*or --no-transpose"),
        ({"a": np.ones((4, 3)), "b": np.ones((4, 3))}, {"no_labels": True}, "say --transpose"),
        (
            {"a": np.ones((4, 3)), "b": np.ones((5, 2))},
            {"no_labels": True},
            "not have the same number of samples",
        ),
        (
            {"a": np.ones((5, 3)), "y": [0, 0, 1, 1]},
            {},
            "view 'a' is 5 x 3, and neither is the number of samples, 4",
        ),
        (
            {"a": np.ones((3, 4)), "y": [0, 0, 1, 1]},
            {"transpose": False},
            "so that its rows are not the 4 samples",
        ),
        ({"y": [0, 0, 1, 1]}, {}, "holds no matrix of numbers that could be a view"),
        ({"a": np.ones((4, 3)), "y": np.eye(4)[:, :2]}, {}, r"y, row 2 has no class: one-hot rows need"),
        ({"a": np.ones((4, 3)), "y": np.ones((4, 2))}, {}, r"y, row 0 has 2 classes: one-hot rows need"),
        ({"a": np.ones((4, 3)), "y": np.full((4, 2), 0.3)}, {}, r"y of shape \(4, 2\) must be one value per"),
        (
            {"a": np.ones((4, 3)), "y": [0, 0, 1, 1]},
            {"labels": "kind"},
            "--labels 'kind' is not there; there are a, y",
        ),
        (
            {"a": np.ones((4, 3)), "y": [0, 0, 1, 1]},
            {"views": {"v": "c"}},
            "view 'v': there is no 'c'; there are a, y",
        ),
        (
            {"a": np.ones((4, 3)), "y": [0, 0, 1, 1]},
            {"group_columns": "g"},
            "--group-column 'g' is not there",
        ),
        ({"a": np.ones((4, 3)), "y": [0, 0, 1, 1]}, {"prefix": "_"}, "a prefix groups columns of tables"),
        ({"a": np.ones((4, 3)), "y": [0.5, 0, 1, 1]}, {}, "the label at row 0 .*is 0.5|The label at row 0"),
        (
            {"a": np.ones((4, 3)), "y": [1, -1, 1, -1]},
            {},
            "All labelled rows carry class '1'.*-1 means unlabelled",
        ),
        (
            {"a": np.ones((4, 3)), "y": [0, 0, 1, 1], "ids": list("aabc")},
            {},
            "The id 'a' stands at rows 0 and 1",
        ),
        (
            {"a": np.ones((4, 3)), "y": [0, 0, 1, 1], "s": list("abcd")},
            {"split_column": "s"},
            "'s' says a, b, c, d",
        ),
    ],
)
def test_what_cannot_be_decided(
    tmp_path: Path, arrays: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    path = save(tmp_path / "m.npz", **arrays)
    with pytest.raises(UserError, match=message) as caught:
        load(path, **options)
    assert str(path) in str(caught.value)


def test_a_square_view_is_decided_by_the_option(tmp_path: Path) -> None:
    square = np.arange(16.0).reshape(4, 4)
    path = save(tmp_path / "m.npz", a=square, b=np.ones((4, 2)), y=[0, 0, 1, 1])
    np.testing.assert_array_equal(load(path, transpose="a").views["a"], square.T)
    np.testing.assert_array_equal(load(path, transpose=False).views["a"], square)


def test_bad_values_are_named_when_the_view_is_used(tmp_path: Path) -> None:
    views = small_views()
    views["b"][4, 2] = np.nan
    data = load(save(tmp_path / "m.npz", **views, y=small_labels()))
    with pytest.raises(UserError, match=r"View 'b', row 4.*column 2: the value is NaN"):
        data.views["b"]


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path / "m.npz", **small_views(), y=small_labels())
    data = load(path)
    save(path, **small_views(), y=small_labels(), more=np.ones(3))
    with pytest.raises(UserError, match="has changed since it was opened"):
        data.views["a"]


def test_options_are_for_files() -> None:
    with pytest.raises(UserError, match="options are for files, and 'mfeat' is none"):
        load("mfeat", labels="y")
    with pytest.raises(UserError, match="no import option 'label'; did you mean labels"):
        load("mfeat", label="y")
    with pytest.raises(UserError, match="contradict"):
        ImportOptions(labels="y", no_labels=True)
    with pytest.raises(UserError, match="one by one or by a prefix"):
        ImportOptions(views={"a": "a"}, prefix="_")


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_memory(tmp_path: Path, dtype: str) -> None:
    """Five views of 4 MB: loading takes their size and one block, converting one view and its copy."""
    views = {f"v{i}": np.ones((800, 4 * 10**6 // 800 // np.dtype(dtype).itemsize), dtype) for i in range(5)}
    path = save(tmp_path / "m.npz", **views, y=np.arange(800) % 2)
    del views
    for action, most in (
        (lambda: load(path).in_memory(), 1.3),
        (lambda: convert(path, tmp_path / "m.h5mu"), 0.6),
    ):
        tracemalloc.start()
        action()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most * path.stat().st_size + (1 << 21)
