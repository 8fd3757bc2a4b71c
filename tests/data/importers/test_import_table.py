""".csv and .parquet: columns into views, text that stays text, empty cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from import_files import N, same, small_labels, small_views

from mvgraph.data import load
from mvgraph.errors import UserError


def frame() -> pd.DataFrame:
    columns: dict[str, Any] = {"label": small_labels()}
    for name, view in small_views().items():
        columns |= {f"{name}_{i}": view[:, i] for i in range(view.shape[1])}
    return pd.DataFrame(columns)


def save(table: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    return path


BOTH = pytest.mark.parametrize("ending", [".csv", ".parquet"])


@BOTH
def test_views_by_prefix_and_by_mapping(tmp_path: Path, ending: str) -> None:
    path = save(frame(), tmp_path / f"t{ending}")
    same(load(path, prefix="_"))
    same(load(path, views={"sound": "a_*", "video": [f"b_{i}" for i in range(5)]}), ("sound", "video"))


@BOTH
def test_columns_by_name(tmp_path: Path, ending: str) -> None:
    table = frame().rename(columns={"label": "kind"})
    table["kind"] = ["NA", "None", "z"] * 4
    table["key"] = [f"{i:03d}" for i in range(N)]
    table["who"] = ["01", "1", "2"] * 4
    table["part"] = ["train"] * 6 + ["validation"] * 2 + ["test"] * 3 + [""]
    table["age"] = 3
    path = save(table, tmp_path / f"t{ending}")
    said: dict[str, Any] = {
        "labels": "kind",
        "id_column": "key",
        "group_columns": ["who"],
        "split_column": "part",
    }
    data = load(path, prefix="_", **said)
    same(data, classes=("NA", "None", "z"))
    assert data.ids[7] == "007"
    assert data.groups["who"].tolist() == ["01", "1", "2"] * 4
    assert data.official_splits["given"].assignment(N).tolist() == [0] * 6 + [1] * 2 + [2] * 3 + [-1]
    assert data.card.notes == ("Not imported from the file: age.",)


@BOTH
def test_an_empty_view_is_missing_and_a_hole_is_refused(tmp_path: Path, ending: str) -> None:
    table = frame()
    table.loc[[2, 5], ["a_0", "a_1", "a_2"]] = np.nan
    data = load(save(table, tmp_path / f"t{ending}"), prefix="_")
    assert np.flatnonzero(~data.observed[:, 0]).tolist() == [2, 5]
    assert not data.views["a"][[2, 5]].any()
    table.loc[3, "b_1"] = np.nan
    with pytest.raises(UserError, match=r"View 'b', row 3.*column 'b_1': the value is NaN"):
        load(save(table, tmp_path / f"t{ending}"), prefix="_")


def test_labels_of_csv(tmp_path: Path) -> None:
    table = frame()
    table["label"] = [str(i) for i in (9, 10, 11)] * 4
    assert load(save(table, tmp_path / "t.csv"), prefix="_").classes == ("9", "10", "11")
    table["label"] = ["01", "1", "x"] * 4
    assert load(save(table, tmp_path / "t.csv"), prefix="_").classes == ("01", "1", "x")
    table["label"] = [1.0, 2.0, None] * 4
    data = load(save(table, tmp_path / "t.csv"), prefix="_")
    assert data.classes == ("1", "2")
    assert (data.labels == -1).sum() == 4


def test_the_index_of_a_data_frame_holds_the_ids(tmp_path: Path) -> None:
    table = frame().set_axis([f"p{i}" for i in range(N)], axis=0)
    table.to_csv(tmp_path / "t.csv")
    table.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        assert load(tmp_path / name, prefix="_").ids[3] == "p3"


@given(
    names=st.lists(st.text("ab _.,\"'\n;é", min_size=1, max_size=6), min_size=2, max_size=5, unique=True),
    rows=st.integers(4, 9),
)
def test_any_name_of_a_column(tmp_path_factory: pytest.TempPathFactory, names: list[str], rows: int) -> None:
    values = np.arange(rows * len(names), dtype=float).reshape(rows, len(names))
    table = pd.DataFrame({f"v|{name}": values[:, i] for i, name in enumerate(names)})
    table["label"] = np.arange(rows) % 2
    path = save(table, tmp_path_factory.mktemp("csv") / "t.csv")
    np.testing.assert_array_equal(load(path, prefix="|").views["v"], values.astype(np.float32))


@BOTH
@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            {},
            {},
            r"which columns make which view must be said: --view NAME=PATTERN .*--prefix _ for views a \(3 col",
        ),
        ({}, {"prefix": "/"}, "no column has '/' in its name"),
        ({}, {"views": {"a": "c_*"}}, r"view 'a': no column is 'c_\*'; there are a_0"),
        ({}, {"views": {"a": "a_*", "b": "*_0"}}, "column 'a_0' is in view 'a' and in view 'b'"),
        ({}, {"prefix": "_", "labels": "kind"}, "--labels 'kind' is not there"),
        ({}, {"prefix": "_", "id_column": "key"}, "--id-column 'key' is not there"),
        ({}, {"prefix": "_", "group_columns": "who"}, "--group-column 'who' is not there"),
        ({}, {"prefix": "_", "transpose": True}, "rows of a table are samples"),
        ({"y": 1}, {"prefix": "_"}, "labels could be in label or y; say which with --labels"),
        ({"a_1": "text"}, {"prefix": "_"}, "View 'a', column 'a_1': the column holds .* values, not numbers"),
        ({"id": "same"}, {"prefix": "_"}, "The id 'same' stands at rows 0 and 1"),
    ],
)
def test_mistakes(
    tmp_path: Path, ending: str, change: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    path = save(frame().assign(**change), tmp_path / f"t{ending}")
    with pytest.raises(UserError, match=message) as caught:
        load(path, **options)
    assert str(path) in str(caught.value)


def test_no_labels_in_the_table(tmp_path: Path) -> None:
    path = save(frame().drop(columns="label"), tmp_path / "t.csv")
    with pytest.raises(UserError, match="nothing is called like labels"):
        load(path, prefix="_")
    assert load(path, prefix="_", no_labels=True).n_classes == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a_0;a_1;label\n1;2;0\n1;2\n", "line 3 has 2 values, but there are 3 columns"),
        (b"a_0\ta_1\tlabel\n", "has no rows"),
        (b"", "has no columns"),
        (b"a_0,label\n", "has no rows"),
        (b"a_0,a_0,label\n1,2,3\n", "the column 'a_0' stands there twice"),
        (b"\xff\xfe\x00", "not text in UTF-8 or UTF-16"),
        (b"a_0,label\n\xe9,1\n", "not text in UTF-8 or UTF-16"),
        (b"a_0\x00,label\n1,2\n", "null bytes"),
        (b"a_0,label\n1,2\n1,2,3,4\n", "line 3 has 4 values, but there are 2 columns"),
        (b"a_0,label\n1,2\n1\n", "line 3 has 1 values, but there are 2 columns"),
        (b'a_0,label\n1,"2\n', "cannot be read as a table"),
        (b",,a_0\n1,2,3\n", "2 columns have no name"),
    ],
)
def test_files_that_are_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        load(tmp_path / "t.csv", prefix="_")
