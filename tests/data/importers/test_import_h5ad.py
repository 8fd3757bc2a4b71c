""".h5ad and .h5mu of other tools, written here element by element as their specification has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from import_files import N, same, small_labels, small_views
from scipy import sparse

from mvgraph.data import load, write_h5mu
from mvgraph.errors import UserError

IDS = [f"cell{i}" for i in range(N)]


def mark(item: Any, kind: str, version: str = "0.2.0") -> Any:
    item.attrs["encoding-type"], item.attrs["encoding-version"] = kind, version
    return item


def put(parent: h5py.Group, name: str, value: Any) -> None:
    """A column or a matrix in the encoding of anndata."""
    if sparse.issparse(value):
        group = mark(parent.create_group(name), f"{value.format}_matrix", "0.1.0")
        group.attrs["shape"] = value.shape
        group["data"], group["indices"], group["indptr"] = value.data, value.indices, value.indptr
    elif isinstance(value, dict):  # a categorical
        group = mark(parent.create_group(name), "categorical")
        mark(group.create_dataset("codes", data=value["codes"]), "array")
        put(group, "categories", value["categories"])
    elif isinstance(value, tuple):  # nullable integers
        group = mark(parent.create_group(name), "nullable-integer", "0.1.0")
        group["values"], group["mask"] = value
    elif np.asarray(value).dtype.kind == "U":
        mark(
            parent.create_dataset(name, data=np.asarray(value, dtype=object), dtype=h5py.string_dtype()),
            "string-array",
        )
    else:
        mark(parent.create_dataset(name, data=value), "array")


def frame(parent: h5py.Group, ids: list[str], columns: dict[str, Any]) -> None:
    group = mark(parent.create_group("obs"), "dataframe")
    group.attrs["_index"] = "barcode"
    put(group, "barcode", ids)
    for name, value in columns.items():
        put(group, name, value)


def matrix(parent: h5py.Group, values: Any, ids: list[str], **columns: Any) -> h5py.Group:
    put(parent, "X", values)
    frame(parent, ids, columns)
    parent.create_group("obsm")
    return parent


def h5ad(path: Path, values: Any, **columns: Any) -> Path:
    with h5py.File(path, "w") as file:
        mark(file, "anndata", "0.1.0")
        put(matrix(file, values, IDS, **columns)["obsm"], "X_pca", small_views()["b"])
    return path


CATEGORIES = {"codes": small_labels().astype("i1") - 1, "categories": ["x", "yy", "z"]}


@pytest.mark.parametrize("form", ["dense", "csr", "csc"])
def test_h5ad(tmp_path: Path, form: str) -> None:
    values: Any = small_views()["a"]
    values = (
        values
        if form == "dense"
        else sparse.csr_matrix(values)
        if form == "csr"
        else sparse.csc_matrix(values)
    )
    path = h5ad(tmp_path / "m.h5ad", values, celltype=CATEGORIES, donor=["p", "q"] * 6)
    data = load(path, labels="celltype", group_columns="donor", views={"a": "X", "b": "obsm/X_pca"})
    same(data, classes=("x", "yy", "z"))
    assert data.ids.tolist() == IDS
    assert data.groups["donor"][1] == "q"
    assert load(path, labels="celltype").card.notes == ("Not imported from the file: obsm/X_pca.",)


def test_columns_of_every_encoding(tmp_path: Path) -> None:
    mask = np.zeros(N, dtype=bool)
    mask[4] = True
    codes = CATEGORIES["codes"].copy()
    codes[0] = -1
    holes = {"codes": codes, "categories": ["x", "yy", "z"]}
    path = h5ad(tmp_path / "m.h5ad", small_views()["a"], n=small_labels(), m=(small_labels(), mask), c=holes)
    assert load(path, labels="n").classes == ("1", "2", "3")
    assert np.flatnonzero(load(path, labels="m").labels < 0).tolist() == [4]
    assert np.flatnonzero(load(path, labels="c").labels < 0).tolist() == [0]


def h5mu(path: Path) -> Path:
    """View b lacks two samples and has the others in another order."""
    rows = [i for i in range(N) if i not in (3, 8)][::-1]
    with h5py.File(path, "w") as file:
        mark(file, "MuData", "0.1.0")
        file.attrs["axis"] = 0
        frame(file, IDS, {"label": small_labels()})
        mod = file.create_group("mod")
        matrix(mod.create_group("a"), small_views()["a"], IDS)
        matrix(
            mod.create_group("b"),
            sparse.csr_matrix(small_views()["b"][rows]),
            [IDS[i] for i in rows],
            kind=small_labels()[rows],
        )
    return path


def test_h5mu_of_others(tmp_path: Path) -> None:
    data = load(h5mu(tmp_path / "m.h5mu"))
    assert data.ids.tolist() == IDS
    present = data.observed[:, 1]
    assert np.flatnonzero(~present).tolist() == [3, 8]
    np.testing.assert_array_equal(data.views["a"], small_views()["a"].astype(np.float32))
    np.testing.assert_array_equal(data.views["b"][present], small_views()["b"][present].astype(np.float32))
    np.testing.assert_array_equal(data.labels, small_labels() - 1)
    by_modality = load(tmp_path / "m.h5mu", labels="b:kind", views={"sound": "a"})
    assert by_modality.view_names == ("sound",)
    assert np.flatnonzero(by_modality.labels < 0).tolist() == [3, 8]


def test_ours_takes_no_options(tmp_path: Path) -> None:
    write_h5mu(load(h5mu(tmp_path / "m.h5mu")), tmp_path / "ours.h5mu")
    assert load(tmp_path / "ours.h5mu").fingerprint == load(tmp_path / "m.h5mu").fingerprint
    with pytest.raises(UserError, match=r"was written by mvgraph .*leave the import options out"):
        load(tmp_path / "ours.h5mu", labels="y")


def test_mistakes(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "m.h5ad", small_views()["a"], celltype=CATEGORIES)
    for options, message in (
        ({}, r"nothing is called like labels; say --labels NAME \(there are celltype\)"),
        ({"labels": "kind"}, "--labels 'kind' is not there; there are celltype"),
        (
            {"labels": "celltype", "views": {"v": "obsm/none"}},
            "there is no 'obsm/none'; there are X, obsm/X_pca",
        ),
        ({"labels": "celltype", "transpose": True}, "rows of this format are samples"),
        ({"labels": "celltype", "group_columns": "g"}, "--group-column 'g' is not there; obs has celltype"),
    ):
        with pytest.raises(UserError, match=message):
            load(path, **options)
    with h5py.File(path, "r+") as file:
        file["obs/celltype/codes"][0] = 7
    with pytest.raises(UserError, match="codes outside its 3 categories"):
        load(path, labels="celltype")
    with h5py.File(path, "r+") as file:
        del file["obs"]
    with pytest.raises(UserError, match="has no obs table in a known form"):
        load(path, labels="celltype")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("indices", np.full(3, 99), "its indices do not fit its shape"),
        ("indptr", np.arange(4), "its indices do not fit its shape"),
    ],
)
def test_lying_sparse_matrices(tmp_path: Path, name: str, value: np.ndarray, message: str) -> None:
    path = h5ad(tmp_path / "m.h5ad", sparse.csr_matrix(small_views()["a"]), y=small_labels())
    with h5py.File(path, "r+") as file:
        del file["X"][name]
        file["X"][name] = value
    with pytest.raises(UserError, match=message):
        load(path)


def test_a_sparse_matrix_larger_than_memory_is_refused_before_it_is_taken(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "m.h5ad", sparse.csr_matrix(small_views()["a"]), y=small_labels())
    with h5py.File(path, "r+") as file:
        file["X"].attrs["shape"] = (N, 10**12)
    with pytest.raises(UserError, match=r"would take .* MiB as float32, but this machine has"):
        load(path)


def test_modalities_that_do_not_fit(tmp_path: Path) -> None:
    path = h5mu(tmp_path / "m.h5mu")
    with h5py.File(path, "r+") as file:
        file["mod/b/obs/barcode"][0] = "stranger"
    with pytest.raises(UserError, match="sample 'stranger' of modality 'b' is not in /obs"):
        load(path)
    with h5py.File(path, "r+") as file:
        file.attrs["axis"] = 1
    with pytest.raises(UserError, match="share features, not samples"):
        load(path)
