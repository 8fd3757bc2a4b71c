"""Writing `.h5mu` files: the MuData layout element by element, atomically and with the same bytes each time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy import sparse

import mvgraph
from mvgraph.data.atomic import atomic_path
from mvgraph.data.h5mu import FORMAT, split_column
from mvgraph.data.labels import check_class_sizes
from mvgraph.data.lazy import LazyViews
from mvgraph.data.multiview import MultiViewData
from mvgraph.data.split import PARTS

#: Bytes before the HDF5 superblock; mudata tells its files by the text in them.
USERBLOCK = 512
#: Values in one packed chunk: a megabyte of float32.
CHUNK_VALUES = 1 << 18
PACKED: dict[str, Any] = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
#: Everything readable by HDF5 1.10 and later, which keeps small groups small.
LIBRARY = ("v108", "v110")


def write_h5mu(data: MultiViewData, path: str | Path, compact: bool = False) -> None:
    """Write data as `.h5mu`: under a temporary name first, then moved into place.

    Parameters:
        compact: pack the views (gzip), as integers where their values are integers; smaller and slower.

    Raises:
        UserError: the folder cannot be written to, or a class has one member so that the file could not be
            read back.
    """
    check_class_sizes(data.labels, data.classes, data.ids)
    with atomic_path(path) as temporary:
        with h5py.File(temporary, "w", userblock_size=USERBLOCK, libver=LIBRARY) as file:
            _write_file(file, data, compact)
        header = f"MuData (format-version=0.1.0;creator=mvgraph;creator-version={mvgraph.__version__})"
        with open(temporary, "rb+") as raw:
            raw.write(header.encode("ascii")[:USERBLOCK])


def _write_file(file: h5py.File, data: MultiViewData, compact: bool) -> None:
    file.attrs["axis"] = 0
    _mark(file, "MuData", "0.1.0")
    columns_of_splits = {split_column(name): split for name, split in data.official_splits.items()}
    obs = _frame(file, "obs", data.ids, ["label", *data.groups, *columns_of_splits])
    mod = file.create_group("mod")
    mod.attrs.create("mod-order", list(data.view_names), dtype=h5py.string_dtype())
    features: list[str] = []
    for column, (name, width) in enumerate(data.view_dims.items()):
        columns = [f"{name}:{i}" for i in range(width)]
        features += columns
        present = data.observed[:, column]
        view = mod.create_group(name)
        # A view on disk is not kept: one at a time is enough for a conversion.
        values = data.views.peek(name) if isinstance(data.views, LazyViews) else data.views[name]
        _write_view(view, values, present, columns, compact)
        del values
        # The ids of a complete view are those of the whole: one array under two names instead of a copy.
        _frame(view, "obs", obs["_index"] if bool(present.all()) else data.ids[present], [])
    _write_axes(file, data, features, PACKED if compact else {})
    _categorical(obs, "label", data.labels, data.classes)
    for name, values in data.groups.items():
        _strings(obs, name, values)
    for name, split in columns_of_splits.items():
        _categorical(obs, name, split.assignment(data.n_samples), PARTS)
    for name, graph in data.graphs.items():
        _sparse(file["obsp"], name, graph)
    _write_uns(_dict(file, "uns"), data)


def _write_view(
    group: h5py.Group, values: np.ndarray, present: np.ndarray, columns: list[str], compact: bool
) -> None:
    _mark(group, "anndata", "0.1.0")
    view = values if bool(present.all()) else values[present]
    if compact:
        stored = _as_integers(view)
        # Little blocks of rows: bytes of one kind side by side pack well, and a reader unpacks them as it
        # goes.
        chunk = (max(1, min(view.shape[0], 65536 // view.shape[1])), view.shape[1])
        _array(group, "X", stored, chunks=chunk, compression="gzip", compression_opts=9, shuffle=True)
    else:
        _array(group, "X", view)
    _frame(group, "var", columns, [])
    for empty in ("layers", "obsm", "obsp", "varm", "varp", "uns"):
        _dict(group, empty)


def _write_axes(
    file: h5py.File, data: MultiViewData, features: list[str], storage: Mapping[str, Any]
) -> None:
    """obsmap, varmap and the masks in obsm, varm: which sample and which feature belongs to which view."""
    obsmap, varmap = _dict(file, "obsmap"), _dict(file, "varmap")
    obsm, varm = _dict(file, "obsm"), _dict(file, "varm")
    _dict(file, "obsp")
    _dict(file, "varp")
    _frame(file, "var", features, [])
    start = 0
    for column, (name, width) in enumerate(data.view_dims.items()):
        present = data.observed[:, column]
        _array(obsmap, name, _positions(present), **storage)
        _array(obsm, name, present[:, None], **storage)
        own = np.zeros(len(features), dtype=bool)
        own[start : start + width] = True
        _array(varmap, name, _positions(own), **storage)
        _array(varm, name, own[:, None], **storage)
        start += width


def _positions(mask: np.ndarray) -> np.ndarray:
    """1-based rank of each true entry, 0 for the others. Shapes: (M,) bool -> (M,) uint32."""
    return np.where(mask, np.cumsum(mask), 0).astype(np.uint32)


def _write_uns(uns: h5py.Group, data: MultiViewData) -> None:
    own = _dict(uns, "mvgraph")
    _mark(own.create_dataset("format", data=FORMAT, track_times=False), "numeric-scalar", "0.2.0")
    _strings(own, "groups", list(data.groups))
    if data.graphs:  # other files keep the bytes they had
        _strings(own, "graphs", list(data.graphs))
    card = _dict(own, "card")
    for key in ("name", "title", "source", "licence", "citation"):
        _text(card, key, getattr(data.card, key))
    _strings(card, "notes", data.card.notes)
    splits = _dict(own, "splits")
    for name, split in data.official_splits.items():
        about: Mapping[str, Any] = {
            "scheme": split.scheme,
            "seed": split.seed,
            "parameters": dict(split.parameters),
        }
        _text(splits, name, json.dumps(about, sort_keys=True))
    if data.imputation is not None:
        filled = _dict(own, "imputation")
        _text(filled, "kind", data.imputation.kind)
        cells = _dict(filled, "cells")
        for name, places in data.imputation.cells.items():
            _array(cells, name, places.astype(np.int64))


def _mark(item: h5py.Group | h5py.Dataset, kind: str, version: str) -> None:
    item.attrs["encoding-type"] = kind
    item.attrs["encoding-version"] = version
    if kind in ("MuData", "anndata"):
        item.attrs["encoder"] = "mvgraph"
        item.attrs["encoder-version"] = mvgraph.__version__


def _dict(parent: h5py.Group, name: str) -> h5py.Group:
    group = parent.create_group(name)
    _mark(group, "dict", "0.1.0")
    return group


def _frame(parent: h5py.Group, name: str, index: Any, columns: list[str]) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["_index"] = "_index"
    group.attrs.create("column-order", columns, shape=(len(columns),), dtype=h5py.string_dtype())
    _mark(group, "dataframe", "0.2.0")
    if isinstance(index, h5py.Dataset):
        group["_index"] = index
    else:
        _strings(group, "_index", index)
    return group


def _array(parent: h5py.Group, name: str, values: np.ndarray, **storage: Any) -> None:
    _mark(parent.create_dataset(name, data=values, track_times=False, **storage), "array", "0.2.0")


def _sparse(parent: h5py.Group, name: str, matrix: sparse.csr_array) -> None:
    group = parent.create_group(name)
    _mark(group, "csr_matrix", "0.1.0")
    group.attrs["shape"] = np.asarray(matrix.shape, dtype=np.int64)
    for part in ("data", "indices", "indptr"):
        group.create_dataset(part, data=getattr(matrix, part), track_times=False)


def _strings(parent: h5py.Group, name: str, values: Any) -> None:
    texts = np.asarray([str(value) for value in values], dtype=object)
    dataset = parent.create_dataset(
        name, shape=texts.shape, data=texts, dtype=h5py.string_dtype(), track_times=False
    )
    _mark(dataset, "string-array", "0.2.0")


def _categorical(parent: h5py.Group, name: str, codes: np.ndarray, categories: Sequence[str]) -> None:
    group = parent.create_group(name)
    group.attrs["ordered"] = False
    _mark(group, "categorical", "0.2.0")
    _array(group, "codes", codes.astype(_smallest_signed(len(categories))))
    _strings(group, "categories", categories)


def _text(parent: h5py.Group, name: str, value: str) -> None:
    _mark(
        parent.create_dataset(name, data=value, dtype=h5py.string_dtype(), track_times=False),
        "string",
        "0.2.0",
    )


def _smallest_signed(n: int) -> type[np.signedinteger]:
    return np.int8 if n <= 127 else np.int16 if n <= 32767 else np.int32


def _as_integers(view: np.ndarray) -> np.ndarray:
    """The smallest integer type that holds every value exactly, or the array itself."""
    if not np.array_equal(view, np.rint(view)):
        return view
    low, high = float(view.min()), float(view.max())
    for kind in (np.uint8, np.int8, np.uint16, np.int16):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return view.astype(kind)
    return view
