"""Which sample has which view: what a file or the user says, and rows of NaN alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mvgraph.data.door import nan_rows, row_place
from mvgraph.data.importers.columns import FLAGS, ID_NAMES, file_name_column, listing, usual
from mvgraph.data.importers.npy import npy_leaf
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.importers.table_files import open_table
from mvgraph.errors import UserError


def observed_rows(
    views: Mapping[str, Any],
    ids: np.ndarray,
    path: Path,
    options: ImportOptions,
    found: np.ndarray | None = None,
    stored: np.ndarray | None = None,
) -> np.ndarray:
    """The mask of an import; rows of NaN alone are asked about, or not observed if `options` says so.

    Parameters:
        found: what the format itself says (empty cells, samples that a file lacks).
        stored: an array `observed` of the file, its columns in the order of the sorted names of the views.

    Shapes: views[v] (N, d_v); ids (N,); found (N, V) in the order of `views`, which that of the result is too.

    Raises:
        UserError: a mask that does not fit, or rows of NaN alone in a view that `options` does not allow.
    """
    names = list(views)
    mask = np.ones((ids.size, len(names)), dtype=bool) if found is None else np.array(found, dtype=bool)
    said = None
    if stored is not None:
        said = by_columns(stored, names, ids.size, f"{path}: observed")
    elif options.observed is not None:
        said = _by_name(read_mask(_mask_path(options.observed, path)), names, ids)
    if said is not None:
        mask &= said
    for column, name in enumerate(names):
        alone = nan_rows(views[name], ids.size) & mask[:, column]
        if alone.any() and not options.nan_is_missing:
            raise UserError(f"{path}: {nan_sentence(name, alone, ids)}")
        mask[alone, column] = False
    return mask


def nan_sentence(name: str, alone: np.ndarray, ids: np.ndarray | None) -> str:
    """The question about rows of NaN alone. Shapes: alone (N,) bool, ids (N,)."""
    count, first = int(alone.sum()), row_place(int(np.flatnonzero(alone)[0]), ids)
    rows = f"{count} rows of NaN alone, the first" if count > 1 else "a row of NaN alone,"
    these = "these samples lack" if count > 1 else "this sample lacks"
    return (
        f"View {name!r} has {rows} {'at ' if count > 1 else ''}{first}: say --nan-is-missing (to mvgraph data convert; "
        f"in Python nan_is_missing=True) if {these} the view."
    )


class Mask:
    """What a file says about views: a matrix, or columns by name with or without ids.

    Shapes: ids (M,) strings or None; columns[v] (M,) bool; matrix (N, V) or None.
    """

    def __init__(
        self,
        path: Path,
        ids: np.ndarray | None,
        columns: Mapping[str, np.ndarray],
        matrix: np.ndarray | None = None,
    ) -> None:
        self.path, self.ids, self.columns, self.matrix = path, ids, columns, matrix


def read_mask(path: Path, id_column: str | None = None) -> Mask:
    """Read `observed.csv` (ids and one column a view), a `.parquet` table alike, or `observed.npy` (N, V).

    Raises:
        UserError: a file of another form, or a value that is neither yes nor no.
    """
    if path.suffix.lower() == ".npy":
        return Mask(path, None, {}, npy_leaf(path).read())
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise UserError(f"{path}: which views are observed must stand in a .csv, .parquet or .npy file.")
    table = open_table(path)
    frame = table.read([], table.columns)
    known = [name for name in table.columns if usual(name) in ID_NAMES]
    key = id_column if id_column in table.columns else (known[0] if known else None)
    if key is None:
        key = file_name_column(table.columns, path)
    if key is None and table.columns[0] == "":
        key = ""
    columns = {
        name: _flags(frame[name].to_numpy(dtype=object), name, path) for name in table.columns if name != key
    }
    ids = None if key is None else frame[key].to_numpy(dtype=object)
    return Mask(path, ids if ids is None else _texts(ids, path), columns)


def _mask_path(text: str, source: Path) -> Path:
    """A file named from the working folder, or beside the data."""
    for place in (Path(text), source.parent / text, source / text):
        if place.is_file():
            return place.absolute()
    raise UserError(f"{source}: --observed {text!r} is neither an array in it nor a file.")


def _by_name(mask: Mask, names: Sequence[str], ids: np.ndarray) -> np.ndarray:
    """The mask in the order of the samples and of `names`. Shapes: (N, V) bool."""
    if mask.matrix is not None:
        return by_columns(mask.matrix, names, ids.size, str(mask.path))
    check_names(mask, names)
    if mask.ids is None:
        size = next(iter(mask.columns.values())).size
        if size != ids.size:
            raise UserError(f"{mask.path} has {size} rows and no ids, but there are {ids.size} samples.")
        rows = np.arange(ids.size)
    else:
        position = {text: row for row, text in enumerate(mask.ids.tolist())}
        lacking = [text for text in ids.tolist() if text not in position]
        if lacking:
            raise UserError(
                f"{mask.path} says nothing about {len(lacking)} of {ids.size} samples, the first {lacking[0]!r}."
            )
        rows = np.asarray([position[text] for text in ids.tolist()], dtype=np.int64)
    full = np.ones(ids.size, dtype=bool)
    return np.stack([mask.columns[n][rows] if n in mask.columns else full for n in names], axis=1)


def check_names(mask: Mask, names: Sequence[str]) -> None:
    """Refuse a column that is no view, and a file that says nothing."""
    strange = [name for name in mask.columns if name not in names]
    if strange:
        raise UserError(
            f"{mask.path}: the column {strange[0]!r} is no view; the views are {listing(sorted(names))}."
        )
    if not mask.columns:
        raise UserError(f"{mask.path} has no column of a view; the views are {listing(sorted(names))}.")


def by_columns(matrix: np.ndarray, names: Sequence[str], n_samples: int, what: str) -> np.ndarray:
    """Columns in the order of the sorted names -> the order of `names`. Shapes: (N, V) or, if N > V, (V, N)."""
    values = np.asarray(matrix)
    shape = (n_samples, len(names))
    if values.shape == shape[::-1] and values.shape != shape:
        values = values.T
    if values.shape != shape:
        raise UserError(
            f"{what} has shape {values.shape}, but {n_samples} samples and {len(names)} views need {shape}; say "
            "--observed FILE for another mask."
        )
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise UserError(f"{what} must hold booleans, or 0 and 1.")
    order = sorted(names)
    return values.astype(bool)[:, [order.index(name) for name in names]]


def _flags(values: np.ndarray, name: str, path: Path) -> np.ndarray:
    """1, 0, true, false, yes, no as booleans. Shapes: (M,) -> (M,) bool."""
    result = np.zeros(values.shape[0], dtype=bool)
    for row, value in enumerate(values.tolist()):
        flag = None if pd.isna(value) else FLAGS.get(str(value).strip().lower().removesuffix(".0"))
        if flag is None:
            raise UserError(
                f"{path}: column {name!r}, row {row} says {value!r}; whether a view is observed is written as 1 or 0."
            )
        result[row] = flag
    return result


def _texts(values: np.ndarray, path: Path) -> np.ndarray:
    if pd.isna(values).any():
        raise UserError(f"{path}: the id of row {int(np.flatnonzero(pd.isna(values))[0])} is empty.")
    texts = np.asarray([str(value) for value in values.tolist()], dtype=np.str_)
    names, counts = np.unique(texts, return_counts=True)
    if (counts > 1).any():
        raise UserError(f"{path}: the id {str(names[counts > 1][0])!r} stands there twice.")
    return texts
