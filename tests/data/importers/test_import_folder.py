"""A folder of one file per view, joined by id."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from import_files import N, same, small_labels, small_views

from mvgraph.data import load
from mvgraph.errors import UserError

IDS = [f"s{i:02d}" for i in range(N)]


def table(name: str, ids: list[str] = IDS) -> pd.DataFrame:
    return pd.DataFrame(small_views()[name], index=pd.Index(IDS, name="id")).loc[ids].reset_index()


def test_arrays_side_by_side(tmp_path: Path) -> None:
    for name, view in small_views().items():
        np.save(tmp_path / f"{name}.npy", view)
    np.save(tmp_path / "labels.npy", small_labels())
    (tmp_path / "README.txt").write_text("notes")
    data = load(tmp_path)
    same(data)
    assert data.card.notes == ("Not imported from the folder: README.txt.",)
    np.save(tmp_path / "ids.npy", np.array(IDS))
    assert load(tmp_path).ids.tolist() == IDS


def test_a_sample_missing_from_a_file_is_a_missing_view(tmp_path: Path) -> None:
    lacking = [name for name in IDS if name not in ("s01", "s07")]
    table("a", lacking[::-1]).to_csv(tmp_path / "a.csv", index=False)
    table("b").to_parquet(tmp_path / "b.parquet", index=False)
    pd.DataFrame({"id": IDS, "label": small_labels()}).to_csv(tmp_path / "labels.csv", index=False)
    data = load(tmp_path)
    assert data.ids.tolist() == IDS
    assert np.flatnonzero(~data.observed[:, 0]).tolist() == [1, 7]
    assert data.observed[:, 1].all()
    seen = data.observed[:, 0]
    np.testing.assert_array_equal(data.views["a"][seen], small_views()["a"][seen].astype(np.float32))
    np.testing.assert_array_equal(data.views["b"], small_views()["b"].astype(np.float32))
    np.testing.assert_array_equal(data.labels, small_labels() - 1)


def test_npz_with_ids_and_csv_together(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(N)[:-1]
    np.savez(tmp_path / "a.npz", emb=small_views()["a"][order], ids=np.array(IDS)[order])
    table("b").assign(kind=small_labels()).to_csv(tmp_path / "b.csv", index=False)
    data = load(tmp_path, labels="kind")
    back = pd.Index(data.ids).get_indexer(IDS)
    present = np.isin(np.arange(N), order)
    np.testing.assert_array_equal(data.observed[back, 0], present)
    np.testing.assert_array_equal(
        data.views["a"][back][present], small_views()["a"][present].astype(np.float32)
    )
    np.testing.assert_array_equal(data.labels[back], small_labels() - 1)


def test_groups_split_and_unlabelled_samples(tmp_path: Path) -> None:
    for name in small_views():
        table(name).to_csv(tmp_path / f"{name}.csv", index=False)
    about = pd.DataFrame(
        {"id": IDS, "y": small_labels(), "who": ["p", "q"] * 6, "part": ["train", "test"] * 6}
    )
    about[:-2].to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(UserError, match=r"row 10 .* has no value"):
        load(tmp_path, group_columns="who", split_column="part")
    data = load(tmp_path, split_column="part")
    assert data.labels[-2:].tolist() == [-1, -1]
    assert data.official_splits["given"].train.size == 5
    assert any("2 of 12 rows have no label" in note for note in data.card.notes)


def test_views_by_name_of_file(tmp_path: Path) -> None:
    for name, view in small_views().items():
        np.save(tmp_path / f"{name}.npy", view)
    np.save(tmp_path / "kinds.npy", small_labels())
    data = load(tmp_path, views={"sound": "a.npy", "video": "b"}, labels="kinds")
    same(data, ("sound", "video"))


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({}, {}, "holds no file of a view"),
        ({"a.npy": np.ones((4, 2))}, {}, "no file and no column is called like labels"),
        ({"a.npy": np.ones((4, 2)), "labels.npy": np.ones(5)}, {}, "has 4 rows, but there are 5"),
        ({"a.npy": np.ones((4, 2)), "a.csv": "id,x\n", "y.npy": np.ones(4)}, {}, "a.csv and a.npy"),
        ({"a.npy": np.ones(4), "y.npy": np.ones(4)}, {}, r"must be a matrix of numbers, not of shape \(4,\)"),
        ({"a.csv": "x,y\n1,0\n"}, {}, "has no column of ids; say --id-column"),
        ({"a.csv": "id,x,y\n1,1,0\n1,1,0\n"}, {}, "the id '1' stands there twice"),
        (
            {"a.csv": "id,x,y\n1,1,0\n", "b.csv": "id,x,y\n1,1,1\n"},
            {},
            r"labels of id '1' is 0 in a.csv \(column 'y'\), but 1 in b.csv \(column 'y'\)",
        ),
        (
            {"a.csv": "id,x,y\n1,1,0\n", "b.npy": np.ones((1, 2))},
            {},
            "has ids, but b.npy has none; put the ids of its rows into b_ids.csv",
        ),
        ({"a.csv": "id,x\n1,1\n", "y.csv": "id,p,q\n1,0,2\n"}, {}, "which column holds labels must be said"),
        ({"a.npy": np.ones((4, 2)), "y.npy": np.arange(4)}, {"prefix": "_"}, "do not apply to a folder"),
        (
            {"a.npy": np.ones((4, 2)), "y.npy": np.arange(4)},
            {"views": {"v": "c"}},
            "must be one of the files a, y",
        ),
        (
            {"a.npz": {"p": np.ones((4, 2)), "q": np.ones((4, 2))}, "y.npy": np.ones(4)},
            {},
            "must hold one matrix, not 2",
        ),
    ],
)
def test_mistakes(tmp_path: Path, files: dict[str, object], options: dict[str, object], message: str) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name, content in files.items():
        if isinstance(content, str):
            (folder / name).write_text(content)
        elif isinstance(content, dict):
            np.savez(folder / name, **content)
        else:
            np.save(folder / name, content)
    with pytest.raises(UserError, match=message):
        load(folder, **options)
