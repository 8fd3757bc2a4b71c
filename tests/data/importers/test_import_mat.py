""".mat of both kinds in the usual layouts of multi-view data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from import_files import same, small_labels, small_views, write_mat73
from scipy import sparse
from scipy.io import savemat

from mvgraph.data import load
from mvgraph.errors import UserError

Writer = Callable[[Path, dict[str, Any]], None]


def cell(*items: Any, column: bool = False) -> np.ndarray:
    result = np.empty(len(items), dtype=object)
    result[:] = list(items)
    return result[:, None] if column else result[None, :]


def for_scipy(value: Any) -> Any:
    """Lists are row cells, tuples column cells, as in `write_mat73`."""
    if isinstance(value, list | tuple):
        return cell(*map(for_scipy, value), column=isinstance(value, tuple))
    if isinstance(value, dict):
        return {name: for_scipy(inner) for name, inner in value.items()}
    return value


def mat5(path: Path, content: dict[str, Any]) -> None:
    savemat(path, for_scipy(content), do_compression=True)


def mat5_plain(path: Path, content: dict[str, Any]) -> None:
    savemat(path, for_scipy(content))


A, B = small_views().values()
Y = small_labels()
TEXT = [["x", "yy", "z"][code - 1] for code in Y]

#: content, options, names of the views, classes
LAYOUTS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, str], tuple[str, ...]]] = {
    "row cell X, column Y": ({"X": [A, B], "Y": Y[:, None]}, {}, ("X1", "X2"), ("1", "2", "3")),
    "column cell X": ({"X": (A, B), "y": Y[:, None]}, {}, ("X1", "X2"), ("1", "2", "3")),
    "features x samples": (
        {"data": [A.T, B.T], "truelabel": Y[None, :]},
        {},
        ("data1", "data2"),
        ("1", "2", "3"),
    ),
    "labels nested in a cell": ({"fea": [A, B], "gt": [Y[:, None]]}, {}, ("fea1", "fea2"), ("1", "2", "3")),
    "labels once per view": (
        {"data": [A.T, B], "truelabel": [Y[:, None]] * 2},
        {},
        ("data1", "data2"),
        ("1", "2", "3"),
    ),
    "views each in a cell": ({"X": [[A], [B]], "Y": Y[:, None]}, {}, ("X1", "X2"), ("1", "2", "3")),
    "labels from 0": (
        {"views": [A, B], "truth": (Y - 1)[:, None].astype("f8")},
        {},
        ("views1", "views2"),
        ("0", "1", "2"),
    ),
    "struct of views": (
        {"X": {"sound": A, "video": B}, "labels": Y[:, None]},
        {},
        ("sound", "video"),
        ("1", "2", "3"),
    ),
    "struct of everything": ({"set": {"X": [A, B], "Y": Y[:, None]}}, {}, ("X1", "X2"), ("1", "2", "3")),
    "addresses in a struct": (
        {"set": {"X": [A, B], "Y": Y[:, None]}},
        {"labels": "set.Y", "views": {"p": "set.X{1}", "q": "set.X{2}"}},
        ("p", "q"),
        ("1", "2", "3"),
    ),
    "matrices by themselves": ({"fou": A, "kar": B.T, "y": Y[:, None]}, {}, ("fou", "kar"), ("1", "2", "3")),
    "sparse": (
        {"X": [sparse.csc_matrix(A), sparse.csc_matrix(B.T)], "Y": Y[:, None]},
        {},
        ("X1", "X2"),
        ("1", "2", "3"),
    ),
    "strings": ({"X": [A, B], "Y": tuple(TEXT)}, {}, ("X1", "X2"), ("x", "yy", "z")),
    "unusual names": (
        {"stuff": [A, B], "kinds": Y[:, None].astype("u1")},
        {"labels": "kinds"},
        ("stuff1", "stuff2"),
        ("1", "2", "3"),
    ),
    "other things beside": (
        {"X": [A, B], "W": np.eye(3), "Y": Y[:, None]},
        {},
        ("X1", "X2"),
        ("1", "2", "3"),
    ),
}


@pytest.mark.parametrize("write", [mat5, mat5_plain, write_mat73], ids=["v5", "v5 plain", "v7.3"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str, write: Writer) -> None:
    content, options, names, classes = LAYOUTS[layout]
    path = tmp_path / "set.mat"
    write(path, content)
    same(load(path, **options), names, classes)


@pytest.mark.parametrize("write", [mat5, write_mat73], ids=["v5", "v7.3"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"X": [A, B]}, "nothing is called like labels; say --labels"),
        (
            {"X": [A, B], "data": [A, B], "y": Y[:, None]},
            "the views could be in X or data; say which with --view",
        ),
        (
            {"X": [A, B], "y": Y[:, None], "gt": np.sort(Y)[:, None]},
            "labels could be in gt or y|labels could be in y or gt",
        ),
        ({"X": [A[:, :2] @ A[:, :2].T, B], "y": Y[:, None]}, "view 'X1' is 12 x 12 .*--transpose-view X1"),
        ({"X": [A, B[:5]], "y": Y[:, None]}, "view 'X2' is 5 x 5, and neither is the number of samples, 12"),
        ({"X": [A, B], "y": [Y[:, None], Y[::-1, None]]}, "y does not hold labels in a form that is known"),
    ],
)
def test_what_cannot_be_decided(tmp_path: Path, write: Writer, content: dict[str, Any], message: str) -> None:
    path = tmp_path / "set.mat"
    write(path, content)
    with pytest.raises(UserError, match=message):
        load(path)


def test_char_matrix_of_labels(tmp_path: Path) -> None:
    savemat(tmp_path / "c.mat", {"X": cell(A, B), "Y": np.array(TEXT)})
    same(load(tmp_path / "c.mat"), ("X1", "X2"), ("x", "yy", "z"))


def test_leftovers_stand_on_the_card(tmp_path: Path) -> None:
    write_mat73(tmp_path / "m.mat", LAYOUTS["other things beside"][0])
    assert load(tmp_path / "m.mat").card.notes == ("Not imported from the file: W (3 x 3).",)


def test_hdf5_without_the_marks_of_matlab(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "p.mat", "w") as file:
        file["a"], file["b"], file["labels"] = A, B, Y
    same(load(tmp_path / "p.mat"), ("a", "b"))


def test_cells_that_refer_to_themselves(tmp_path: Path) -> None:
    write_mat73(tmp_path / "m.mat", {"X": [A, B], "Y": Y[:, None]})
    with h5py.File(tmp_path / "m.mat", "r+") as file:
        file["X"][0, 0] = file["X"].ref
    with pytest.raises(UserError, match="nested deeper"):
        load(tmp_path / "m.mat")


def test_sparse_indices_are_checked(tmp_path: Path) -> None:
    write_mat73(tmp_path / "m.mat", {"X": [sparse.csc_matrix(A), B], "Y": Y[:, None]})
    with h5py.File(tmp_path / "m.mat", "r+") as file:
        group = next(g for g in file["#refs#"].values() if "ir" in g)
        group["ir"][0] = 10**6
    with pytest.raises(UserError, match="its indices do not fit its shape"):
        load(tmp_path / "m.mat")


def test_matlab_objects_are_refused(tmp_path: Path) -> None:
    write_mat73(tmp_path / "m.mat", {"X": [A, B], "Y": Y[:, None]})
    with h5py.File(tmp_path / "m.mat", "r+") as file:
        file["Y"].attrs["MATLAB_object_decode"] = 3
        file["Y"].attrs["MATLAB_class"] = np.bytes_("string")
    with pytest.raises(UserError, match="Y is a MATLAB string, which only MATLAB can read"):
        load(tmp_path / "m.mat")


def test_struct_arrays_are_refused(tmp_path: Path) -> None:
    array = np.zeros((1, 2), dtype=[("fea", object)])
    savemat(tmp_path / "m.mat", {"X": array, "Y": Y})
    with pytest.raises(UserError, match="X is a struct array of 2 elements"):
        load(tmp_path / "m.mat")
