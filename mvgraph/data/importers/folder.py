"""A folder of one file per view, joined by id: a sample missing from a file is a missing view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mvgraph.data.importers.assemble import assembled
from mvgraph.data.importers.columns import ID_NAMES, LABEL_NAMES, listing, the_one, usual
from mvgraph.data.importers.npy import npy_leaf
from mvgraph.data.importers.npz import single_array
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.importers.table import as_labels, find_roles
from mvgraph.data.importers.table_files import open_table
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError

_ENDINGS = (".npy", ".npz", ".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Piece:
    """What one file says: values of a view, columns with one value per sample, and for which samples.

    Shapes: ids (M,) strings or None if rows are told apart by position only; values (M, d_v) or None; columns[c] (M,).
    """

    path: Path
    n_rows: int
    ids: np.ndarray | None
    values: Any | None
    columns: Mapping[str, np.ndarray]


def read_folder(path: str | Path, options: ImportOptions | None = None) -> MultiViewData:
    """Read a folder: `audio.npy`, `video.npy`, `labels.csv`, ...; the name of a file is the name of its view.

    Tables (`.csv`, `.parquet`) carry an id column; a `.npz` carries `ids` beside its matrix; the rows of `.npy`
    files are those of `ids.npy`, or of each other when no file has ids. Labels stand in a file of their own
    (`labels`, `y`, ...: an array, or a table with ids, which may also hold groups and the split) or in a column
    of any table.

    Raises:
        UserError: a file that is refused, ids that do not fit, or something that `options` must decide.
    """
    path, options = Path(path).absolute(), options or ImportOptions()
    if options.prefix is not None or options.transpose is not None:
        raise UserError(f"{path}: --prefix and --transpose do not apply to a folder of one file per view.")
    files = _files(path)
    label_file = _label_file(files, options, path)
    ids_file = None if options.id_column in files else the_one(files, ID_NAMES, None, "ids", path)
    ids_file = options.id_column if options.id_column in files else ids_file
    common = None if ids_file is None else _column_file(files[ids_file])
    side = [
        name for name in (label_file, ids_file, *options.group_columns, options.split_column) if name in files
    ]
    chosen = _chosen(files, side, options, path)
    pieces = {view: _piece(files[stem], options, is_view=True) for view, stem in chosen.items()}
    extra = [
        _side_piece(files[name], name, options, name == label_file)
        for name in dict.fromkeys(side)
        if name != ids_file
    ]
    everything = _placed([*extra, *pieces.values()], common, path)
    ids = _all_ids(everything, common)
    views, observed = {}, []
    for view, piece in zip(pieces, everything[len(extra) :], strict=True):
        views[view], mask = _spread_view(view, piece, ids)
        observed.append(mask)
    names = [*options.group_columns, *([options.split_column] if options.split_column else [])]
    columns = {name: _merged(name, everything, ids, path) for name in names}
    labels = None if options.no_labels else _labels(everything, ids, options, path)
    return assembled(
        views,
        ids.size,
        path,
        options,
        labels=labels,
        ids=ids,
        groups={name: columns[name] for name in options.group_columns},
        split=columns[options.split_column] if options.split_column else None,
        observed=np.stack(observed, axis=1),
        notes=_notes(path, files, {*chosen.values(), *side}),
    )


def _files(path: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        if file.is_file() and file.suffix.lower() in _ENDINGS and not file.name.startswith("."):
            if file.stem in files:
                raise UserError(
                    f"{path} holds {files[file.stem].name} and {file.name}; a view needs one file."
                )
            files[file.stem] = file
    if not files:
        raise UserError(f"{path} holds no file of a view ({', '.join(_ENDINGS)}).")
    return files


def _label_file(files: Mapping[str, Path], options: ImportOptions, path: Path) -> str | None:
    if options.no_labels:
        return None
    if options.labels is not None:
        stem = options.labels if options.labels in files else Path(options.labels).stem
        return stem if stem in files and options.labels in (stem, files[stem].name) else _usual_file(files)
    return the_one(files, LABEL_NAMES, None, "labels", path)


def _usual_file(files: Mapping[str, Path]) -> str | None:
    """With --labels COLUMN the table of labels still goes by its usual name."""
    return next((name for name in files if usual(name) in LABEL_NAMES), None)


def _chosen(
    files: Mapping[str, Path], side: Sequence[str], options: ImportOptions, path: Path
) -> dict[str, str]:
    """View name -> name of its file without ending."""
    if not options.views:
        found = {name: name for name in files if name not in side}
        if not found:
            raise UserError(f"{path} holds no file of a view beside {listing(side)}.")
        return found
    result = {}
    for view in options.views:
        for text in options.selectors(view):
            stem = text if text in files else Path(text).stem
            if stem not in files or len(options.selectors(view)) > 1:
                raise UserError(
                    f"{path}: view {view!r} must be one of the files {listing(files)}, not {text!r}."
                )
            result[view] = stem
    return result


def _column_file(file: Path) -> np.ndarray:
    """One value per sample from a file that holds nothing else. Shapes: (N,)."""
    if file.suffix.lower() == ".npy":
        leaf = npy_leaf(file)
        if not leaf.is_column:
            raise UserError(f"{file} must hold one value per sample, not {leaf}.")
        return leaf.column()
    if file.suffix.lower() == ".npz":
        raise UserError(f"{file}: one value per sample belongs into a .npy or .csv file.")
    table = open_table(file)
    if len(table.columns) != 1:
        raise UserError(f"{file} must have one column.")
    return table.read([], table.columns)[table.columns[0]].to_numpy(dtype=object)


def _piece(file: Path, options: ImportOptions, is_view: bool) -> Piece:
    ending = file.suffix.lower()
    if ending == ".npy":
        leaf = npy_leaf(file)
        if leaf.is_text or len(leaf.shape) != 2:
            raise UserError(f"{file}: a view must be a matrix of numbers, not of shape {leaf.shape}.")
        return Piece(file, leaf.shape[0], None, leaf.read(), {})
    if ending == ".npz":
        return _npz_piece(file, options)
    table = open_table(file)
    roles = find_roles(table.columns, options, file, needed=False)
    if roles.ids is None:
        raise UserError(
            f"{file} has no column of ids; say --id-column NAME (there are {listing(table.columns)})."
        )
    features = list(roles.rest) if is_view else []
    if is_view and not features:
        raise UserError(f"{file} has no column beside ids and labels that could be a feature.")
    frame = table.read(features, roles.texts)
    columns = {name: frame[name].to_numpy(dtype=object) for name in (*roles.groups, roles.split) if name}
    if roles.labels is not None:
        columns["labels"] = as_labels(frame[roles.labels])
    ids = frame[roles.ids].to_numpy(dtype=object)
    return Piece(file, len(frame), _id_texts(ids, file), frame[features] if is_view else None, columns)


def _side_piece(file: Path, name: str, options: ImportOptions, is_labels: bool) -> Piece:
    """A file of labels, groups or a split: a table with ids, or one value per sample."""
    key = "labels" if is_labels else name
    if file.suffix.lower() in (".csv", ".parquet"):
        columns = open_table(file).columns
        if len(columns) > 1:
            # A table of ids and one more column: that column is it, whatever it is called.
            roles = find_roles(columns, options, file, needed=False)
            if roles.ids is not None and is_labels and roles.labels is None and len(roles.rest) == 1:
                frame = open_table(file).read([], [roles.ids, roles.rest[0]])
                ids = _id_texts(frame[roles.ids].to_numpy(dtype=object), file)
                return Piece(file, len(frame), ids, None, {"labels": as_labels(frame[roles.rest[0]])})
            piece = _piece(file, options, is_view=False)
            if key not in piece.columns:
                raise UserError(
                    f"{file}: which column holds {key} must be said (there are {listing(columns)})."
                )
            return piece
    values = _column_file(file)
    values = as_labels(pd.Series(values)) if is_labels and values.dtype == object else values
    return Piece(file, values.shape[0], None, None, {key: values})


def _npz_piece(file: Path, options: ImportOptions) -> Piece:
    arrays = single_array(file)
    key = the_one(arrays, ID_NAMES, options.id_column if options.id_column in arrays else None, "ids", file)
    matrices = [name for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "fiub"]
    if len(matrices) != 1:
        raise UserError(f"{file} must hold one matrix, not {len(matrices)} ({listing(matrices)}).")
    values = arrays[matrices[0]]
    ids = None if key is None else _id_texts(arrays[key].reshape(-1), file)
    if ids is not None and ids.size != values.shape[0]:
        raise UserError(f"{file}: {ids.size} ids for {values.shape[0]} rows.")
    label = None if options.no_labels else the_one(arrays, LABEL_NAMES, None, "labels", file)
    columns = {} if label is None or label == matrices[0] else {"labels": arrays[label].reshape(-1)}
    return Piece(file, values.shape[0], ids, values, columns)


def _id_texts(values: np.ndarray, file: Path) -> np.ndarray:
    """Ids as text, all present and different. Shapes: (M,)."""
    if pd.isna(values).any():
        raise UserError(f"{file}: the id of row {int(np.flatnonzero(pd.isna(values))[0])} is empty.")
    texts = np.asarray(
        [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values.tolist()], dtype=np.str_
    )
    names, counts = np.unique(texts, return_counts=True)
    if (counts > 1).any():
        raise UserError(f"{file}: the id {str(names[counts > 1][0])!r} stands there twice.")
    return texts


def _placed(pieces: Sequence[Piece], common: np.ndarray | None, path: Path) -> list[Piece]:
    """Every piece with ids: its own, those of the ids file, or row numbers if no file has any."""
    by_position = [piece for piece in pieces if piece.ids is None]
    own = [piece for piece in pieces if piece.ids is not None]
    if by_position and own and common is None:
        raise UserError(
            f"{path}: {own[0].path.name} has ids, but {by_position[0].path.name} has none; put the ids of its rows "
            "into ids.npy, or make it a table with an id column."
        )
    if common is None and by_position:
        common = np.arange(by_position[0].n_rows)
    names = None if common is None else _id_texts(common, path)
    for piece in by_position:
        if names is not None and piece.n_rows != names.size:
            raise UserError(
                f"{path}: {piece.path.name} has {piece.n_rows} rows, but there are {names.size} ids or rows in the "
                "other files; rows can only be joined by id when they differ in number."
            )
    return [Piece(p.path, p.n_rows, names, p.values, p.columns) if p.ids is None else p for p in pieces]


def _all_ids(pieces: Sequence[Piece], common: np.ndarray | None) -> np.ndarray:
    """Every id in the order of first appearance, files of labels first. Shapes: (N,)."""
    seen: dict[str, None] = {} if common is None else dict.fromkeys(str(v) for v in common.tolist())
    for piece in pieces:
        if piece.ids is not None:
            seen.update(dict.fromkeys(piece.ids.tolist()))
    return np.asarray(list(seen), dtype=np.str_)


def _rows(piece: Piece, ids: np.ndarray) -> np.ndarray:
    """Where the rows of a piece stand among all samples. Shapes: (M,)."""
    position = {name: row for row, name in enumerate(ids.tolist())}
    assert piece.ids is not None
    return np.asarray([position[name] for name in piece.ids.tolist()], dtype=np.int64)


def _spread_view(view: str, piece: Piece, ids: np.ndarray) -> tuple[Any, np.ndarray]:
    rows = _rows(piece, ids)
    mask = np.zeros(ids.size, dtype=bool)
    mask[rows] = True
    if isinstance(piece.values, pd.DataFrame):
        # In the order of all samples; absent rows are empty and not looked at.
        if np.array_equal(rows, np.arange(ids.size)):
            return piece.values, mask
        frame = piece.values.set_axis(rows, axis=0).reindex(range(ids.size))
        return frame, mask
    values = np.asarray(piece.values)
    if np.array_equal(rows, np.arange(ids.size)):
        return values, mask
    result = np.zeros((ids.size, values.shape[1]), dtype=values.dtype)
    result[rows] = values
    return result, mask


def _merged(name: str, pieces: Sequence[Piece], ids: np.ndarray, path: Path) -> np.ndarray:
    """A column that may stand in several files, which must not contradict each other. Shapes: (N,) object."""
    result = np.full(ids.size, None, dtype=object)
    found = False
    for piece in pieces:
        if name not in piece.columns:
            continue
        found = True
        for row, value in zip(_rows(piece, ids).tolist(), piece.columns[name].tolist(), strict=True):
            if pd.isna(value):
                continue
            if result[row] is not None and result[row] != value:
                raise UserError(
                    f"{piece.path}: {name} of id {str(ids[row])!r} is {value!r}, but another file says {result[row]!r}."
                )
            result[row] = value
    if not found:
        raise UserError(f"{path}: no file has {name!r}.")
    return result


def _labels(pieces: Sequence[Piece], ids: np.ndarray, options: ImportOptions, path: Path) -> np.ndarray:
    if not any("labels" in piece.columns for piece in pieces):
        if options.labels is not None:
            raise UserError(f"{path}: --labels {options.labels!r} is neither a file nor a column of one.")
        raise UserError(
            f"{path}: no file and no column is called like labels; say --labels NAME, or --no-labels if the data has "
            "none."
        )
    return _merged("labels", pieces, ids, path)


def _notes(path: Path, files: Mapping[str, Path], used: set[str]) -> tuple[str, ...]:
    taken = {files[stem].name for stem in used}
    left = sorted(f.name for f in path.iterdir() if f.name not in taken and not f.name.startswith("."))
    return (f"Not imported from the folder: {listing(left)}.",) if left else ()
