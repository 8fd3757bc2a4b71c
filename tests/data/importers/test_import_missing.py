"""Samples that lack a view: rows of NaN, a mask, files of ids per view; and labels by file name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from import_files import N, small_labels, small_views, write_mat73
from scipy.io import savemat

from mvgraph.data import MultiViewData, load
from mvgraph.errors import UserError

IDS = np.array([f"clip{i:02d}" for i in range(N)])
GONE = np.array([1, 7, 11])
HERE = np.setdiff1d(np.arange(N), GONE)


def holed() -> dict[str, np.ndarray]:
    """The small views; `a` has NaN in all columns of the rows GONE."""
    views = small_views()
    views["a"][GONE] = np.nan
    return views


def write(path: Path, ending: str) -> Path:
    """A file of the holed views, with labels, in one of the formats."""
    views, labels = holed(), small_labels()
    file = path / f"m{ending}"
    if ending == ".npz":
        np.savez(file, **views, y=labels)
    elif ending == ".mat":
        savemat(file, {**views, "y": labels})
    elif ending == ".mat73":
        file = path / "m.mat"
        write_mat73(file, {**views, "y": labels})
    elif ending == ".h5ad":
        with h5py.File(file, "w") as out:
            out["X"] = views["a"]
            out.create_group("obsm")["b"] = views["b"]
            obs = out.create_group("obs")
            obs.attrs["_index"] = "_index"
            obs["_index"], obs["y"] = [str(i) for i in range(N)], labels
    else:
        file = path / "m"
        file.mkdir()
        for name, view in views.items():
            np.save(file / name, view)
        np.save(file / "labels", labels)
    return file


def check(data: MultiViewData, gone: np.ndarray = GONE) -> None:
    """The data is the small data, but that `a` is not observed in some rows."""
    assert data.view_names == ("a", "b")
    assert np.flatnonzero(~data.observed[:, 0]).tolist() == gone.tolist()
    assert data.observed[:, 1].all()
    expected = small_views()["a"].astype(np.float32)
    expected[gone] = 0.0
    np.testing.assert_array_equal(data.views["a"], expected)
    np.testing.assert_array_equal(data.views["b"], small_views()["b"].astype(np.float32))
    np.testing.assert_array_equal(data.labels, small_labels() - 1)


@pytest.mark.parametrize("ending", [".npz", ".mat", ".mat73", ".h5ad", "folder"])
def test_rows_of_nan_are_asked_about_and_then_missing(tmp_path: Path, ending: str) -> None:
    file = write(tmp_path, ending)
    options: dict[str, Any] = {"views": {"a": "X", "b": "obsm/b"}} if ending == ".h5ad" else {}
    with pytest.raises(
        UserError, match=r"View 'a' has 3 rows of NaN alone, the first at row 1.*--nan-is-missing"
    ):
        load(file, **options).views["a"]
    check(load(file, nan_is_missing=True, **options))
    # A mask grants what is there: the rest is not looked at.
    seen = np.ones(N, dtype=int)
    seen[[*GONE, 3]] = 0
    pd.DataFrame({"a": seen}).to_csv(tmp_path / "mask.csv", index=False)
    check(load(file, observed=str(tmp_path / "mask.csv"), **options), np.sort([*GONE, 3]))
    check(load(file, observed="mask.csv", **options), np.sort([*GONE, 3]))


def test_rows_of_nan_in_arrays_are_named() -> None:
    with pytest.raises(UserError, match=r"View 'a' has 3 rows of NaN alone, the first row 1 .*not observed"):
        MultiViewData.from_arrays(holed(), small_labels())
    with pytest.raises(UserError, match=r"row 1 .*column 0: the value is NaN"):
        MultiViewData.from_arrays({"a": holed()["a"][:, :1]}, small_labels())


@pytest.mark.parametrize("turned", [False, True])
def test_a_mask_in_the_file(tmp_path: Path, turned: bool) -> None:
    mask = np.ones((N, 2), dtype=bool)
    mask[GONE, 0] = False
    stored = mask.T if turned else mask
    np.savez(tmp_path / "m.npz", **holed(), y=small_labels(), observed=stored)
    data = load(tmp_path / "m.npz")
    check(data)
    assert data.card.notes == ()
    savemat(tmp_path / "m.mat", {**holed(), "y": small_labels(), "seen": stored.astype(float)})
    check(load(tmp_path / "m.mat", observed="seen"))
    # A view that was asked for by that name is one; for other views the mask cannot be the right one.
    if not turned:
        assert load(tmp_path / "m.npz", views={"x": "b", "z": "observed"}).observed.all()
    with pytest.raises(
        UserError, match=r"observed has shape .* 12 samples and 1 views need \(12, 1\); say --observed"
    ):
        load(tmp_path / "m.npz", views={"x": "b"})


def test_a_table_says_by_empty_cells_what_is_missing(tmp_path: Path) -> None:
    table = pd.DataFrame({f"{n}_{i}": c for n, v in holed().items() for i, c in enumerate(v.T)})
    table.assign(id=IDS, y=small_labels()).to_csv(tmp_path / "t.csv", index=False)
    check(load(tmp_path / "t.csv", prefix="_"))
    order = np.random.default_rng(3).permutation(N)
    flags = ["No" if row in (0, 2) else "yes" for row in range(N)]
    said = pd.DataFrame({"id": IDS, "b": flags}).iloc[order]
    said.to_csv(tmp_path / "seen.csv", index=False)
    data = load(tmp_path / "t.csv", prefix="_", observed="seen.csv", views={})
    assert np.flatnonzero(~data.observed[:, 1]).tolist() == [0, 2]
    assert np.flatnonzero(~data.observed[:, 0]).tolist() == GONE.tolist()


def folder(path: Path, short: bool = True) -> Path:
    """`a.npy` without the rows GONE, `b.npy` with all, `labels.csv` with ids."""
    np.save(path / "a.npy", small_views()["a"][HERE] if short else holed()["a"])
    np.save(path / "b.npy", small_views()["b"])
    pd.DataFrame({"id": IDS, "label": small_labels()}).to_csv(path / "labels.csv", index=False)
    return path


@pytest.mark.parametrize(
    "name", ["a_ids.csv", "a.ids.csv", "a_ids.npy", "a.ids.npy", "a_ids.txt", "a.ids.txt"]
)
@pytest.mark.parametrize("head", ["id", "clip", None])
def test_ids_of_one_view_in_a_file_beside_it(tmp_path: Path, name: str, head: str | None) -> None:
    folder(tmp_path)
    if name.endswith(".npy"):
        np.save(tmp_path / name, IDS[HERE])
    else:
        (tmp_path / name).write_text("\n".join([*([head] if head else []), *IDS[HERE]]) + "\n")
    data = load(tmp_path)
    check(data)
    assert data.ids.tolist() == IDS.tolist()
    assert data.card.notes == ("Rows of b.npy are taken in the order of labels.csv.",)


def test_a_shorter_file_without_ids_is_told_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"a\.npy has 9 rows, but there are 12 in labels\.csv.*into a_ids\.csv"
    ):
        load(folder(tmp_path))
    (tmp_path / "a_ids.txt").write_text("\n".join(IDS[HERE][:-1]))
    with pytest.raises(UserError, match=r"a_ids\.txt has 8 ids, but a\.npy has 9 rows"):
        load(tmp_path)
    (tmp_path / "a_ids.txt").write_text("\n".join([*IDS[HERE][:-1], "elsewhere"]))
    data = load(tmp_path)
    assert data.ids[-1] == "elsewhere"
    assert data.labels[-1] == -1
    assert data.observed[-1].tolist() == [True, False]


@pytest.mark.parametrize("ids", ["id", "Clip", None])
def test_observed_csv_in_a_folder(tmp_path: Path, ids: str | None) -> None:
    folder(tmp_path, short=False)
    seen = ~np.isin(np.arange(N), GONE)
    table = pd.DataFrame({"a": [str(s).lower() for s in seen], "b": 1})
    if ids:
        table = table.assign(**{ids: IDS}).iloc[::-1]
    table.to_csv(tmp_path / "observed.csv", index=False)
    check(load(tmp_path))
    # From another place and under another name.
    (tmp_path / "observed.csv").rename(tmp_path / "here.csv")
    check(load(tmp_path, observed="here.csv"))
    check(load(tmp_path, observed="here"))


def test_observed_npy_in_a_folder(tmp_path: Path) -> None:
    folder(tmp_path, short=False)
    mask = np.ones((N, 2), dtype=np.uint8)
    mask[GONE, 0] = 0
    np.save(tmp_path / "observed.npy", mask)
    check(load(tmp_path))
    # Columns follow the sorted names of the views, whatever their files are called.
    mask[:, 0] = np.arange(N) % 12 != 4
    np.save(tmp_path / "observed.npy", mask)
    data = load(tmp_path, views={"z": "a", "y": "b"}, nan_is_missing=True)
    assert np.flatnonzero(~data.observed[:, 0]).tolist() == [4]
    assert np.flatnonzero(~data.observed[:, 1]).tolist() == GONE.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,a\nclip00,1\n", "observed.csv says nothing about 11 of 12 samples, the first 'clip01'"),
        ("id,c\nclip00,1\n", "the column 'c' is no view; the views are a, b"),
        ("id\nclip00\n", "has no column of a view"),
        ("id,a\nclip00,maybe\n", "column 'a', row 0 says 'maybe'"),
        ("id,a\nclip00,\n", "written as 1 or 0"),
        ("id,a\nclip00,1\nclip00,0\n", "the id 'clip00' stands there twice"),
        ("a\n1\n0\n", "observed.csv has 2 rows, but there are 12 in labels.csv"),
        (
            "id,a\n" + "\n".join(f"{i},1" for i in IDS),
            r"View 'a' has 3 rows of NaN alone, the first at row 1 \(id 'clip01'\)",
        ),
    ],
)
def test_a_mask_that_does_not_fit(tmp_path: Path, text: str, message: str) -> None:
    folder(tmp_path, short=False)
    (tmp_path / "observed.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_a_mask_that_says_more_than_the_files(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "a_ids.txt").write_text("\n".join(IDS[HERE]))
    (tmp_path / "observed.csv").write_text("id,a\n" + "\n".join(f"{i},1" for i in IDS))
    with pytest.raises(UserError, match=r"sample 'clip01' has view 'a', but a\.npy has no row of it"):
        load(tmp_path)
    with pytest.raises(UserError, match=r"--observed 'none\.csv' is neither an array in it nor a file"):
        load(write(tmp_path, ".npz"), observed="none.csv", nan_is_missing=True)


@pytest.mark.parametrize(
    ("ids", "label"),
    [
        ("file", "label"),
        ("id", "class"),
        ("filename", "target"),
        ("Name", "Class"),
        ("sample", "LABEL"),
        ("image_id", "scene_label"),
        ("Id", "Species"),
        ("FileName", "category"),
    ],
)
def test_labels_of_the_usual_habits(tmp_path: Path, ids: str, label: str) -> None:
    np.savez(tmp_path / "a.npz", ids=IDS[::-1], x=small_views()["a"][::-1])
    np.save(tmp_path / "b.npy", small_views()["b"])
    table = pd.DataFrame({ids: IDS, label: small_labels()})
    if label == "scene_label":
        table["fold"] = "x"
    table.to_csv(tmp_path / "labels.csv", index=False)
    data = load(tmp_path)
    check(data, GONE[:0])
    assert data.ids.tolist() == IDS.tolist()
    assert ("Not imported from labels.csv: fold." in data.card.notes) == (label == "scene_label")


def test_labels_without_ids_and_as_lines(tmp_path: Path) -> None:
    folder(tmp_path, short=False)
    frame = pd.read_csv(tmp_path / "labels.csv")
    frame[["label"]].assign(place="p").to_csv(tmp_path / "labels.csv", index=False)
    check(load(tmp_path, nan_is_missing=True))
    (tmp_path / "labels.csv").unlink()
    (tmp_path / "labels.txt").write_text("\n".join(map(str, small_labels())) + "\n")
    check(load(tmp_path, nan_is_missing=True))
    (tmp_path / "labels.txt").unlink()
    np.savetxt(tmp_path / "labels.csv", small_labels(), fmt="%d")  # without the name of a column
    check(load(tmp_path, nan_is_missing=True))
    (tmp_path / "labels.csv").unlink()
    # A table of what is known about each sample, when nothing is called like labels; rows of a file share it.
    frame.assign(file=[f"f{i // 2}.wav" for i in range(N)]).drop(columns="id").to_csv(
        tmp_path / "meta.csv", index=False
    )
    with pytest.raises(UserError, match=r"'f0\.wav' stands there twice \(say --group-column file if"):
        load(tmp_path, nan_is_missing=True)
    data = load(tmp_path, nan_is_missing=True, group_columns="file")
    check(load(tmp_path, nan_is_missing=True, group_columns="file", labels="meta.csv"))
    check(data)
    assert data.groups["file"][3] == "f1.wav"


def test_a_table_of_labels_under_another_name_is_asked_about(tmp_path: Path) -> None:
    folder(tmp_path, short=False)
    (tmp_path / "labels.csv").rename(tmp_path / "train.csv")
    # Nothing in it could be a feature.
    check(load(tmp_path, nan_is_missing=True))
    pd.read_csv(tmp_path / "train.csv").assign(fold=1).to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(UserError, match=r"--labels train\.csv if it is no view"):
        load(tmp_path, nan_is_missing=True)
    check(load(tmp_path, nan_is_missing=True, labels="train.csv"))


def test_file_names_are_matched_to_ids_without_their_endings(tmp_path: Path) -> None:
    folder(tmp_path)
    np.save(tmp_path / "a_ids.npy", IDS[HERE])
    np.save(tmp_path / "b_ids.npy", [f"pictures/{i}.mp4" for i in IDS])
    pd.DataFrame({"file": [f"audio/{i}.wav" for i in IDS], "label": small_labels()}).to_csv(
        tmp_path / "labels.csv", index=False
    )
    data = load(tmp_path)
    check(data)
    assert data.ids.tolist() == IDS.tolist()
    assert data.card.notes == (
        "Ids are matched without folders and endings of files (audio/clip00.wav is clip00).",
    )
    # Two names that differ in their endings alone cannot be told apart without them.
    np.save(tmp_path / "b_ids.npy", [f"{IDS[i // 2]}.{('l', 'r')[i % 2]}" for i in range(N)])
    with pytest.raises(
        UserError, match=r"shares no id with the other files \('audio/clip00\.wav' there, 'clip00' in"
    ):
        load(tmp_path)


def test_exact_ids_keep_their_endings(tmp_path: Path) -> None:
    names = [f"{i}.wav" for i in IDS]
    np.savez(tmp_path / "a.npz", ids=names, x=small_views()["a"])
    np.savez(tmp_path / "b.npz", ids=names, x=small_views()["b"])
    pd.DataFrame({"file": names, "label": small_labels()}).to_csv(tmp_path / "labels.csv", index=False)
    data = load(tmp_path)
    check(data, GONE[:0])
    assert data.ids.tolist() == names
    assert data.card.notes == ()


def test_samples_that_no_view_has_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", ids=IDS[:-2], x=small_views()["a"][:-2])
    pd.DataFrame({"id": IDS, "label": small_labels()}).to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(
        UserError, match=r"labels\.csv names samples that no file of a view has \(2, the first 'clip10'\)"
    ):
        load(tmp_path)


def points(path: Path, y: Any) -> Path:
    """A table whose column `y` is no label, beside `labels.csv`."""
    pd.DataFrame({"id": IDS, "x": small_views()["a"][:, 0], "y": y}).to_csv(path / "points.csv", index=False)
    pd.DataFrame({"id": IDS, "label": [("p", "q")[i % 2] for i in range(N)]}).to_csv(
        path / "labels.csv", index=False
    )
    return path


def test_a_file_named_like_labels_wins_over_a_column_named_like_them(tmp_path: Path) -> None:
    y = small_views()["b"][:, 1] / 8
    data = load(points(tmp_path, y))
    assert data.classes == ("p", "q")
    np.testing.assert_array_equal(
        data.views["points"], np.stack([small_views()["a"][:, 0], y], 1).astype(np.float32)
    )
    assert data.card.notes == ("The column 'y' of points.csv is a feature, for labels.csv holds the labels.",)
    # What says the same as the labels is none, whatever the words.
    data = load(points(tmp_path, np.arange(N) % 2))
    assert data.view_dims == {"points": 1}
    assert data.card.notes == ("The column 'y' of points.csv says the same as labels.csv and is left out.",)
    # A column that speaks of the same classes, but of other ones, is a mistake.
    with pytest.raises(
        UserError,
        match=r"labels of id 'clip00' is 'p' in labels\.csv \(column 'label'\), but 'q' in points\.csv \(column 'y'\); "
        "rename the column",
    ):
        load(points(tmp_path, ["q"] * N))


def test_two_tables_that_contradict_each_other_are_both_named(tmp_path: Path) -> None:
    points(tmp_path, np.arange(N) % 3)
    (tmp_path / "labels.csv").rename(tmp_path / "more.csv")
    pd.DataFrame({"id": IDS, "z": 1.0, "y": 7}).to_csv(tmp_path / "more.csv", index=False)
    with pytest.raises(
        UserError, match=r"is 7 in more\.csv \(column 'y'\), but 0 in points\.csv \(column 'y'\)"
    ):
        load(tmp_path)


def test_ids_that_no_view_has_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", ids=IDS[:-1], x=small_views()["a"][:-1], y=small_labels()[:-1])
    np.save(tmp_path / "ids.npy", IDS)
    with pytest.raises(
        UserError, match=r"ids\.npy names samples that no file of a view has \(1, the first 'clip11'\)"
    ):
        load(tmp_path)
    np.save(tmp_path / "ids.npy", IDS[::-1][1:])
    data = load(tmp_path)
    assert data.ids.tolist() == IDS[::-1][1:].tolist()
    np.testing.assert_array_equal(data.views["a"], small_views()["a"][::-1][1:].astype(np.float32))
    np.save(tmp_path / "names.npy", np.array(["p", "q", "r"]))
    with pytest.raises(
        UserError, match=r"not strings of shape \(3,\); if it is none, name the views with --view"
    ):
        load(tmp_path)
    assert load(tmp_path, views={"a": "a"}).n_samples == N - 1


def test_a_mask_with_ids_names_the_rows_of_the_others(tmp_path: Path) -> None:
    folder(tmp_path, short=False)
    (tmp_path / "labels.csv").unlink()
    np.save(tmp_path / "labels", small_labels())
    seen = pd.DataFrame({"id": IDS, "a": (~np.isin(np.arange(N), GONE)).astype(int)})
    seen.to_csv(tmp_path / "observed.csv", index=False)
    data = load(tmp_path)
    check(data)
    assert data.ids.tolist() == IDS.tolist()
    assert data.card.notes == ("Rows of labels.npy, a.npy, b.npy are taken in the order of observed.csv.",)
    # A view of that name that was asked for is one.
    np.save(tmp_path / "observed.npy", np.ones((N, 3)))
    (tmp_path / "observed.csv").unlink()
    assert load(tmp_path, views={"v": "b", "observed": "observed.npy"}).view_dims == {"observed": 3, "v": 5}
    np.savez(tmp_path / "c.npz", ids=IDS, x=small_views()["a"])
    with pytest.raises(UserError, match=r"c\.npz has ids, but labels\.npy has none; make it a table"):
        load(tmp_path, views={"a": "c", "b": "b"})
