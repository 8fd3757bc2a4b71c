"""What one file of a folder says: values of a view, columns with one value per sample, and for which samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mvgraph.data.importers.columns import (
    ID_NAMES,
    LABEL_NAMES,
    file_name_column,
    is_file_name,
    listing,
    the_one,
    usual,
)
from mvgraph.data.importers.npy import npy_leaf
from mvgraph.data.importers.npz import single_array
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.importers.table import Roles, as_labels, find_roles
from mvgraph.data.importers.table_files import open_table
from mvgraph.errors import UserError

_TABLES = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one file.

    Parameters:
        label_name: what the file calls the column that it has as labels.
        left: columns that nobody reads.

    Shapes: ids (M,) strings or None if rows are told apart by position only; values (M, d_v) or None; columns[c] (M,).
    """

    path: Path
    n_rows: int
    ids: np.ndarray | None
    values: Any | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    label_name: str | None = None
    left: tuple[str, ...] = ()


def view_piece(file: Path, ids_file: Path | None, options: ImportOptions) -> Piece:
    """The values of a view; tables and `.npz` files carry ids, and a file beside may give them.

    Raises:
        UserError: not one matrix of numbers, or ids that do not fit its rows.
    """
    ending = file.suffix.lower()
    if ending == ".npy":
        leaf = npy_leaf(file)
        if leaf.is_text or len(leaf.shape) != 2:
            raise UserError(
                f"{file}: a view must be a matrix of numbers, not {'strings ' if leaf.is_text else ''}of shape "
                f"{leaf.shape}; if it is none, name the views with --view NAME=FILE."
            )
        piece = Piece(file, leaf.shape[0], None, leaf.read())
    elif ending == ".npz":
        piece = _npz_piece(file, options)
    elif ending in _TABLES:
        piece = _view_table(file, options, needs_ids=ids_file is None)
    else:
        raise UserError(f"{file}: a view must stand in a .npy, .npz, .csv or .parquet file.")
    if ids_file is None:
        return piece
    if piece.ids is not None:
        raise UserError(f"{file} has ids of its own, and {ids_file.name} gives others; remove one of them.")
    ids = id_texts(column_file(ids_file, piece.n_rows, options), ids_file)
    if ids.size != piece.n_rows:
        raise UserError(f"{ids_file} has {ids.size} ids, but {file.name} has {piece.n_rows} rows.")
    return replace(piece, ids=ids)


def label_piece(file: Path, options: ImportOptions) -> Piece:
    """A file of labels: one value a line, or a table with labels, which may also hold ids, groups and the split.

    Raises:
        UserError: which column holds the labels is not plain.
    """
    if file.suffix.lower() not in _TABLES or len(open_table(file).columns) == 1:
        values = column_file(file)
        values = as_labels(pd.Series(values)) if values.dtype == object else values
        return Piece(file, values.shape[0], None, None, {"labels": values}, file.stem)
    columns = open_table(file).columns
    roles = _roles(columns, options, file)
    if roles.labels is None and not (options.labels and options.labels not in (file.stem, file.name)):
        name = _label_column(roles.rest)
        if name is None:
            raise UserError(
                f"{file}: which column holds labels must be said: --labels COLUMN (there are {listing(columns)})."
            )
        roles = replace(roles, labels=name, rest=tuple(c for c in roles.rest if c != name))
    return _table_piece(file, roles, [])


def holds_labels_alone(file: Path, options: ImportOptions) -> bool:
    """Whether a file is a table of labels without any column that could be a feature."""
    if file.suffix.lower() not in _TABLES:
        return False
    roles = _roles(open_table(file).columns, options, file)
    return roles.labels is not None and not roles.rest


def side_piece(file: Path, name: str, options: ImportOptions) -> Piece:
    """A file of a group or of the split: a table with ids and such a column, or one value a line."""
    if file.suffix.lower() in _TABLES and len(open_table(file).columns) > 1:
        columns = open_table(file).columns
        piece = _table_piece(file, _roles(columns, replace(options, labels=None, no_labels=True), file), [])
        if name not in piece.columns:
            raise UserError(f"{file} has no column {name!r} (there are {listing(columns)}).")
        return piece
    values = column_file(file)
    return Piece(file, values.shape[0], None, None, {name: values})


def column_file(file: Path, n_rows: int | None = None, options: ImportOptions | None = None) -> np.ndarray:
    """One value per sample from a file that holds nothing else, or the ids of a table.

    Parameters:
        n_rows: how many values there should be: a first line that makes one too many is the name of the column.
            Where it is not known, a first line that comes again below is a value.

    Shapes: (N,).
    """
    ending = file.suffix.lower()
    if ending == ".npy":
        leaf = npy_leaf(file)
        if not leaf.is_column:
            raise UserError(f"{file} must hold one value per sample, not {leaf}.")
        return leaf.column()
    if ending == ".npz":
        raise UserError(f"{file}: one value per sample belongs into a .npy, .csv or .txt file.")
    if ending == ".txt":
        return _lines(file, n_rows)
    table = open_table(file)
    name = table.columns[0]
    if len(table.columns) > 1:
        found = None if options is None else _roles(table.columns, options, file).ids
        if found is None:
            raise UserError(f"{file} must have one column.")
        name = found
    values = table.read([], [name])[name].to_numpy(dtype=object)
    one_too_few = n_rows == values.size + 1 or (n_rows is None and name in {str(v) for v in values.tolist()})
    if one_too_few and len(table.columns) == 1 and ending == ".csv":
        # What stands above the values is one of them, and no name of a column.
        return np.asarray([name, *values.tolist()], dtype=object)
    return values


def id_texts(values: np.ndarray, file: Path, column: str | None = None) -> np.ndarray:
    """Ids as text, all present and different. Shapes: (M,)."""
    if pd.isna(values).any():
        raise UserError(f"{file}: the id of row {int(np.flatnonzero(pd.isna(values))[0])} is empty.")
    texts = np.asarray(
        [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values.tolist()], dtype=np.str_
    )
    names, counts = np.unique(texts, return_counts=True)
    if (counts > 1).any():
        advice = ""
        if column is not None and usual(column) not in ID_NAMES:
            advice = f" (say --group-column {column} if several samples share it)"
        raise UserError(f"{file}: the id {str(names[counts > 1][0])!r} stands there twice{advice}.")
    return texts


def _lines(file: Path, n_rows: int | None) -> np.ndarray:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(f"{file} is not text in UTF-8 ({error}).") from None
    while lines and not lines[-1].strip():
        lines.pop()
    is_name = bool(lines) and (usual(lines[0]) in LABEL_NAMES | ID_NAMES or is_file_name(lines[0]))
    if lines and (is_name or n_rows == len(lines) - 1):
        lines = lines[1:]
    if not lines:
        raise UserError(f"{file} is empty.")
    values = np.empty(len(lines), dtype=object)
    values[:] = [line.strip() or None for line in lines]
    return values


def _roles(columns: Sequence[str], options: ImportOptions, file: Path) -> Roles:
    """Roles of columns as in any table; where nothing is called like ids, a column of file names is them."""
    given = {options.labels, options.split_column, *options.group_columns}
    if options.id_column not in columns and not any(usual(name) in ID_NAMES for name in columns):
        found = file_name_column([name for name in columns if name not in given], file)
        if found is not None:
            options = replace(options, id_column=found)
    return find_roles(columns, options, file, needed=False)


def _label_column(rest: Sequence[str]) -> str | None:
    """The only column left, or the only one whose name ends like labels (`scene_label`)."""
    if len(rest) == 1:
        return rest[0]
    found = [name for name in rest if usual(name).endswith(("label", "class", "category", "target"))]
    return found[0] if len(found) == 1 else None


def _view_table(file: Path, options: ImportOptions, needs_ids: bool) -> Piece:
    columns = open_table(file).columns
    roles = _roles(columns, options, file)
    if roles.ids is None and needs_ids:
        raise UserError(
            f"{file} has no column of ids; say --id-column NAME (there are {listing(columns)}), or put the ids of "
            f"its rows into {file.stem}_ids.csv."
        )
    if not roles.rest:
        raise UserError(f"{file} has no column beside ids and labels that could be a feature.")
    return _table_piece(file, roles, list(roles.rest))


def table_features(file: Path, options: ImportOptions) -> pd.DataFrame:
    """All columns of a table of features, one that is named like labels among them. Shapes: (M, d_v)."""
    values = _view_table(file, replace(options, labels=None, no_labels=True), False).values
    assert isinstance(values, pd.DataFrame)
    return values


def _table_piece(file: Path, roles: Roles, features: list[str]) -> Piece:
    frame = open_table(file).read(features, roles.texts)
    columns = {name: frame[name].to_numpy(dtype=object) for name in (*roles.groups, roles.split) if name}
    if roles.labels is not None:
        columns["labels"] = as_labels(frame[roles.labels])
    ids = None if roles.ids is None else id_texts(frame[roles.ids].to_numpy(dtype=object), file, roles.ids)
    left = tuple(name for name in roles.rest if name not in features)
    values = frame[features] if features else None
    return Piece(file, len(frame), ids, values, columns, roles.labels, left)


def _npz_piece(file: Path, options: ImportOptions) -> Piece:
    arrays = single_array(file)
    key = the_one(arrays, ID_NAMES, options.id_column if options.id_column in arrays else None, "ids", file)
    matrices = [name for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "fiub"]
    if len(matrices) != 1:
        raise UserError(f"{file} must hold one matrix, not {len(matrices)} ({listing(matrices)}).")
    values = arrays[matrices[0]]
    ids = None if key is None else id_texts(arrays[key].reshape(-1), file)
    if ids is not None and ids.size != values.shape[0]:
        raise UserError(f"{file}: {ids.size} ids for {values.shape[0]} rows.")
    label = None if options.no_labels else the_one(arrays, LABEL_NAMES, None, "labels", file)
    columns = {} if label is None or label == matrices[0] else {"labels": arrays[label].reshape(-1)}
    return Piece(file, values.shape[0], ids, values, columns, label)
