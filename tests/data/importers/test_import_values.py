"""What real files hold: one-hot labels, other separators and decimals, NaN cells, labels twice, masks of a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.io
from import_files import small_labels, small_views

from mvgraph.data import MultiViewData, load, make_splits, read_h5mu, scale_views, write_h5mu
from mvgraph.data.imputation import filled, refilled
from mvgraph.errors import UserError

N = 12
VIEWS = small_views()
LABELS = np.asarray(small_labels())


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


# ---- labels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("form", ["numbers", "booleans", "signs"])
def test_one_hot_labels(tmp_path: Path, form: str, turned: bool) -> None:
    codes = np.unique(LABELS, return_inverse=True)[1]
    hot = np.eye(codes.max() + 1)[codes]
    hot = {"numbers": hot, "booleans": hot == 1, "signs": 2 * hot - 1}[form]
    hot = hot.T if turned else hot
    scipy.io.savemat(tmp_path / "m.mat", {**VIEWS, "Y": hot})
    for path in (save(tmp_path / "m.npz", **VIEWS, y=hot), tmp_path / "m.mat"):
        data = load(path)
        np.testing.assert_array_equal(data.labels, codes)
        assert data.classes == ("0", "1", "2")[: codes.max() + 1]
        assert "Labels are the column of the 1 in" in data.card.notes[0]
    if not turned:
        np.testing.assert_array_equal(MultiViewData.from_arrays(VIEWS, hot).labels, codes)


def test_one_hot_columns_of_a_table_name_the_classes(tmp_path: Path) -> None:
    kinds = np.array(["bus", "park", "tram"] * 4)
    table = pd.DataFrame({f"a_{i}": VIEWS["a"][:, i] for i in range(3)})
    for kind in ("bus", "park", "tram"):
        table[f"is_{kind}"] = (kinds == kind).astype(int)
    table.to_csv(tmp_path / "t.csv", index=False)
    data = load(tmp_path / "t.csv", labels="is_*", views={"a": "a_*"})
    assert [data.classes[code] for code in data.labels] == kinds.tolist()
    table.loc[4, "is_tram"] = 1
    table.loc[4, "is_bus"] = 1
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(UserError, match=r"row 4 has (2|3) classes: one-hot rows"):
        load(tmp_path / "t.csv", labels="is_*", views={"a": "a_*"})


def test_labels_that_say_the_same_are_no_ambiguity(tmp_path: Path) -> None:
    words = np.array(["x", "y", "z"])[LABELS - LABELS.min()]
    data = load(save(tmp_path / "m.npz", **VIEWS, Y=LABELS, truelabel=words))
    assert data.card.notes[0] == "Labels are Y; truelabel says the same."
    table = pd.DataFrame({**{f"a_{i}": VIEWS["a"][:, i] for i in range(3)}, "y": LABELS, "label": words})
    table.to_csv(tmp_path / "t.csv", index=False)
    data = load(tmp_path / "t.csv", prefix="_")
    assert data.card.notes[0] == "Labels are y; label says the same."
    table.loc[0, "label"] = words[1]
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(UserError, match="labels could be in y or label"):
        load(tmp_path / "t.csv", prefix="_")


# ---- splits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["masks", "rows", "rows from one"])
def test_masks_and_rows_named_like_parts_are_a_split(tmp_path: Path, form: str) -> None:
    rows = {"train_mask": np.arange(6), "idx_val": np.array([6, 7]), "isTest": np.array([8, 10, 11])}
    if form == "masks":
        given = {name: np.isin(np.arange(N), found) for name, found in rows.items()}
    else:
        given = {name: found + (form == "rows from one") for name, found in rows.items()}
    scipy.io.savemat(tmp_path / "m.mat", {**VIEWS, "y": LABELS, **given})
    path = save(tmp_path / "m.npz", **VIEWS, y=LABELS, **given)
    for file in (path, tmp_path / "m.mat"):
        if file.suffix == ".mat" and form == "rows":
            continue  # MATLAB counts from one
        split = load(file).official_splits["given"]
        assert split.train.tolist() == [0, 1, 2, 3, 4, 5]
        assert split.validation.tolist() == [6, 7]
        assert split.test.tolist() == [8, 10, 11]
        note = (
            "The official split 'given' is train from train_mask, validation from idx_val, test from isTest."
        )
        assert note in load(file).card.notes


def test_boolean_columns_are_a_split_and_overlapping_ones_are_not(tmp_path: Path) -> None:
    table = pd.DataFrame({**{f"a_{i}": VIEWS["a"][:, i] for i in range(3)}, "y": LABELS})
    table["train"], table["test"] = np.arange(N) < 8, np.arange(N) >= 8
    table.to_csv(tmp_path / "t.csv", index=False)
    data = load(tmp_path / "t.csv", prefix="_")
    assert data.official_splits["given"].test.tolist() == [8, 9, 10, 11]
    table["test"] = True
    table.to_csv(tmp_path / "t.csv", index=False)
    data = load(tmp_path / "t.csv", prefix="_")
    assert not data.official_splits
    assert data.card.notes == ("Not imported from the file: train, test.",)


# ---- how text writes a table -----------------------------------------------------------------------------


def text_of(separator: str, decimal: str, thousands: str = "") -> str:
    lines = [separator.join(["label", *(f"a_{i}" for i in range(3)), *(f"b_{i}" for i in range(5))])]
    for row in range(N):
        numbers = [*VIEWS["a"][row].tolist(), *VIEWS["b"][row].tolist()]
        cells = [f"{number:,.4f}" for number in numbers]
        cells = [c.replace(",", "T").replace(".", decimal).replace("T", thousands) for c in cells]
        lines.append(separator.join([str(LABELS[row]), *cells]))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("separator", "decimal", "note"),
    [
        (";", ",", "columns separated by ';', decimal comma"),
        (";", ".", "columns separated by ';', decimal point"),
        ("\t", ",", "columns separated by a tab, decimal comma"),
        ("|", ".", "columns separated by '|', decimal point"),
        (",", ".", None),
    ],
)
def test_separator_decimal_and_encoding_are_found(
    tmp_path: Path, encoding: str, separator: str, decimal: str, note: str | None
) -> None:
    (tmp_path / "t.csv").write_text(text_of(separator, decimal), encoding=encoding)
    data = load(tmp_path / "t.csv", prefix="_")
    for name, view in VIEWS.items():
        np.testing.assert_allclose(data.views[name], view, atol=1e-4)
    if note is not None:
        assert note in data.card.notes[0]
    elif encoding != "utf-16":
        assert data.card.notes == ()
    said = load(tmp_path / "t.csv", prefix="_", separator=separator, decimal=decimal)
    np.testing.assert_array_equal(said.views["a"], data.views["a"])


def test_marks_between_thousands(tmp_path: Path) -> None:
    text = "label;a_x;a_y\n0;1.234,5;2\n1;12.345,25;3,5\n0;7,0;4\n1;8;1.000,0\n"
    (tmp_path / "t.csv").write_text(text)
    data = load(tmp_path / "t.csv", prefix="_")
    assert data.views["a"].tolist() == [[1234.5, 2], [12345.25, 3.5], [7, 4], [8, 1000]]
    assert "decimal comma, points between thousands" in data.card.notes[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "label;a_x\n0;1,5\n1;2.5\n",
            r"with a decimal point \(2\.5\) and with a comma \(1,5\); say --decimal",
        ),
        ("label;a|x\n0;1|2\n1;3|4\n", r"could be separated by ';' or '\|'; say --sep"),
    ],
)
def test_two_readings_are_asked_about(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        load(tmp_path / "t.csv", prefix="_")


def test_tables_of_a_folder_are_read_alike(tmp_path: Path) -> None:
    for name, view in VIEWS.items():
        rows = [f"s{row};" + ";".join(f"{x:.4f}".replace(".", ",") for x in view[row]) for row in range(N)]
        head = "id;" + ";".join(f"c{i}" for i in range(view.shape[1]))
        (tmp_path / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n")
    (tmp_path / "labels.tsv").write_text("id\tlabel\n" + "".join(f"s{i}\t{LABELS[i]}\n" for i in range(N)))
    data = load(tmp_path)
    np.testing.assert_allclose(data.views["b"], VIEWS["b"], atol=1e-4)
    assert "a.csv: Read with columns separated by ';', decimal comma." in data.card.notes


# ---- NaN cells -------------------------------------------------------------------------------------------


def holed() -> tuple[np.ndarray, np.ndarray]:
    """A view of 12 rows with three NaN cells in two columns."""
    values = np.random.default_rng(0).normal(size=(N, 4))
    holes = np.zeros((N, 4), dtype=bool)
    holes[[1, 5], 2] = holes[7, 0] = True
    return np.where(holes, np.nan, values), holes


@pytest.mark.parametrize("kind", ["median", "mean", "knn"])
def test_fillers_equal_a_slow_reference(kind: str) -> None:
    values, holes = holed()
    fit_rows = np.arange(N) % 4 != 3
    found = filled("v", values, holes, kind, fit_rows)
    np.testing.assert_array_equal(found[~holes], values[~holes])
    for row, column in np.argwhere(holes):
        known = [r for r in range(N) if fit_rows[r] and not holes[r, column]]
        if kind == "knn":
            distances = []
            for other in known:
                both = [c for c in range(4) if not holes[row, c] and not holes[other, c]]
                square = sum((values[row, c] - values[other, c]) ** 2 for c in both) * 4 / len(both)
                distances.append((square, other))
            known = [other for _, other in sorted(distances)[:5]]
        column_values = sorted(values[r, column] for r in known)
        middle = len(column_values) // 2
        median = (
            column_values[middle]
            if len(column_values) % 2
            else (column_values[middle - 1] + column_values[middle]) / 2
        )
        expected = median if kind == "median" else sum(column_values) / len(column_values)
        assert found[row, column] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ending", [".npz", ".csv", ".mat"])
def test_nan_cells_are_asked_about_and_filled_or_left_out(tmp_path: Path, ending: str) -> None:
    values, holes = holed()
    path = tmp_path / f"f{ending}"
    arrays = {"a": values, "b": VIEWS["b"]}
    if ending == ".npz":
        np.savez(path, **arrays, y=LABELS)
    elif ending == ".mat":
        scipy.io.savemat(path, {**arrays, "y": LABELS})
    else:
        table = pd.DataFrame({f"{n}_{i}": v[:, i] for n, v in arrays.items() for i in range(v.shape[1])})
        table["y"] = LABELS
        text = table.to_csv(index=False, na_rep="?")
        path.write_text(text)
    said = {"prefix": "_"} if ending == ".csv" else {}
    with pytest.raises(
        UserError, match=r"View 'a', row 1.*the value is NaN, as are 2 more cells.*--nan median"
    ):
        scale_views(load(path, **said), "zscore")
    data = load(path, nan="median", **said)
    assert data.imputation is not None
    np.testing.assert_array_equal(data.imputation.cells["a"], np.argwhere(holes))
    assert data.views["a"][7, 0] == pytest.approx(np.nanmedian(values[:, 0]), rel=1e-6)
    assert any(
        "3 NaN cells (a 6.2 %) were filled with the median of its column" in n for n in data.card.notes
    )
    fewer = load(path, nan="drop-row", **said)
    assert fewer.n_samples == 9
    np.testing.assert_array_equal(fewer.labels, data.labels[~holes.any(axis=1)])
    np.testing.assert_allclose(fewer.views["b"], VIEWS["b"][~holes.any(axis=1)], rtol=1e-6)
    narrower = load(path, nan="drop-column", **said)
    assert narrower.view_dims == {"a": 2, "b": 5}
    assert narrower.imputation is None
    assert load(path, nan="mean", **said).fingerprint != data.fingerprint


def test_a_row_of_nan_alone_is_asked_about_all_the_same(tmp_path: Path) -> None:
    values, _ = holed()
    values[3] = np.nan
    path = save(tmp_path / "m.npz", a=values, b=VIEWS["b"], y=LABELS)
    with pytest.raises(UserError, match="--nan-is-missing"):
        load(path, nan="mean").views["a"]
    data = load(path, nan="mean", nan_is_missing=True)
    assert not data.observed[3, 0]
    assert data.views["a"][7, 0] == pytest.approx(np.nanmean(values[:, 0]), rel=1e-6)


def test_nothing_to_fill_with_is_told(tmp_path: Path) -> None:
    values, _ = holed()
    values[:, 2] = np.nan
    path = save(tmp_path / "m.npz", a=values, b=VIEWS["b"], y=LABELS)
    with pytest.raises(UserError, match=r"View 'a', column 2: no row .*has a value.*--nan drop-column"):
        load(path, nan="median")
    assert load(path, nan="drop-column").view_dims["a"] == 2


def test_filled_cells_travel_and_are_filled_anew_from_training_rows(tmp_path: Path) -> None:
    values, holes = holed()
    data = load(save(tmp_path / "m.npz", a=values, b=VIEWS["b"], y=LABELS), nan="mean")
    write_h5mu(data, tmp_path / "m.h5mu")
    back = read_h5mu(tmp_path / "m.h5mu")
    assert back.imputation is not None
    assert back.imputation.kind == "mean"
    assert back.fingerprint == data.fingerprint
    split = make_splits(back, "label-rate", rate=0.5, n=1, seed=1)[0]
    again = refilled(back, split)
    for row, column in np.argwhere(holes):
        expected = np.nanmean(values[split.train, column])
        assert again.views["a"][row, column] == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(again.views["a"][~holes], data.views["a"][~holes])
    part = back.subset([5, 7, 0])
    assert part.imputation is not None
    assert part.imputation.cells["a"].tolist() == [[0, 2], [1, 0]]
    assert back.select_views(["b"]).imputation is None
