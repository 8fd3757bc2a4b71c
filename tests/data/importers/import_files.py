"""Small data and writers of foreign files for the tests of the importers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy import sparse

from mvgraph.data import MultiViewData

N = 12
#: Widths of the views; none is N.
WIDTHS = {"a": 3, "b": 5}


def small_views(n: int = N) -> dict[str, np.ndarray]:
    """Two views of float64 values that float32 holds exactly."""
    rng = np.random.default_rng(7)
    return {name: rng.integers(-99, 99, (n, width)) / 4.0 for name, width in WIDTHS.items()}


def small_labels(n: int = N) -> np.ndarray:
    """Three classes from 1."""
    return np.arange(n) % 3 + 1


def same(
    data: MultiViewData, names: tuple[str, ...] = ("a", "b"), classes: tuple[str, ...] = ("1", "2", "3")
) -> None:
    """The data is the small data, value by value, its views called `names`."""
    assert data.view_names == tuple(sorted(names))
    for name, expected in zip(names, small_views().values(), strict=True):
        np.testing.assert_array_equal(data.views[name], expected.astype(np.float32))
        assert data.views[name].dtype == np.float32
    assert data.classes == classes
    np.testing.assert_array_equal(data.labels, small_labels() - 1)


def write_mat73(path: Path, content: dict[str, Any]) -> None:
    """Write a file the way MATLAB's save -v7.3 does: arrays transposed, cells as references, marks on everything.

    A list is a row cell, a tuple a column cell, a dict a struct.
    """
    with h5py.File(path, "w", userblock_size=512) as file:
        references = file.create_group("#refs#")
        for name, value in content.items():
            _put(file, name, value, references)
    with open(path, "rb+") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def _put(parent: h5py.Group, name: str, value: Any, references: h5py.Group) -> Any:
    if isinstance(value, dict):
        group = parent.create_group(name)
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for field, inner in value.items():
            _put(group, field, inner, references)
        return group
    if isinstance(value, list | tuple):
        made = [_put(references, f"{name}.{i}", item, references).ref for i, item in enumerate(value)]
        shape = (len(value), 1) if isinstance(value, list) else (1, len(value))
        dataset = parent.create_dataset(name, shape, dtype=h5py.ref_dtype)
        dataset[...] = np.asarray(made, dtype=object).reshape(shape)
        dataset.attrs["MATLAB_class"] = np.bytes_("cell")
        return dataset
    if isinstance(value, str):
        dataset = parent.create_dataset(
            name, data=np.frombuffer(value.encode("utf-16-le"), np.uint16)[:, None]
        )
        dataset.attrs["MATLAB_class"] = np.bytes_("char")
        dataset.attrs["MATLAB_int_decode"] = 2
        return dataset
    if sparse.issparse(value):
        matrix = sparse.csc_matrix(value)
        group = parent.create_group(name)
        group.attrs["MATLAB_class"] = np.bytes_("double")
        group.attrs["MATLAB_sparse"] = np.uint64(matrix.shape[0])
        group["data"], group["ir"], group["jc"] = (
            matrix.data,
            matrix.indices.astype("u8"),
            matrix.indptr.astype("u8"),
        )
        return group
    array = np.atleast_2d(np.asarray(value))
    kind = {"f8": "double", "f4": "single"}.get(array.dtype.str[1:], array.dtype.name)
    dataset = parent.create_dataset(name, data=array.T)
    dataset.attrs["MATLAB_class"] = np.bytes_(kind)
    return dataset
