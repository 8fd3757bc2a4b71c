"""A folder of one file per view, joined by id: a sample missing from a file is a missing view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mvgraph.data.importers.assemble import assembled
from mvgraph.data.importers.columns import listing
from mvgraph.data.importers.folder_files import Roles, find_files
from mvgraph.data.importers.folder_join import (
    all_ids,
    contradiction,
    matched,
    merged,
    placed,
    rows_of,
    same_partition,
    spread_view,
)
from mvgraph.data.importers.folder_pieces import (
    Piece,
    column_file,
    id_texts,
    label_piece,
    side_piece,
    table_features,
    view_piece,
)
from mvgraph.data.importers.missing import Mask, by_columns, check_names, read_mask
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError


def read_folder(path: str | Path, options: ImportOptions | None = None) -> MultiViewData:
    """Read a folder: `audio.npy`, `video.npy`, `labels.csv`, ...; the name of a file is the name of its view.

    Tables (`.csv`, `.parquet`) carry an id column, and a `.npz` carries `ids` beside its matrix. The rows of a
    `.npy` file have the ids of `audio_ids.csv` (also `audio.ids.npy`, `audio_ids.txt`), of `ids.npy` or of
    `labels.csv` if they are as many, or none at all when no file has ids. Labels stand in a file of their own
    (`labels`, `y`, ...: an array, lines of text, or a table, which may also hold ids or file names, groups and the
    split) or in a column of any table. Which sample has which view may stand in `observed.csv` (ids and one
    column a view) or `observed.npy`.

    Raises:
        UserError: a file that is refused, ids that do not fit, or something that `options` must decide.
    """
    path, options = Path(path).absolute(), options or ImportOptions()
    if options.prefix is not None or options.transpose is not None:
        raise UserError(f"{path}: --prefix and --transpose do not apply to a folder of one file per view.")
    files = find_files(path, options)
    if files.labels is not None and options.labels in (files.labels.stem, files.labels.name):
        options = replace(options, labels=None)
    labels = None if files.labels is None else label_piece(files.labels, options)
    mask = None if files.observed is None else read_mask(files.observed, options.id_column)
    ids = None
    if files.ids is not None:
        values = column_file(files.ids, None, options)
        ids = Piece(files.ids, values.shape[0], id_texts(values, files.ids))
    side = [labels] if labels is not None else []
    side += [side_piece(file, name, options) for name, file in files.columns.items()]
    if mask is not None:
        if mask.matrix is None:
            check_names(mask, list(files.views))
        size = mask.matrix.shape[0] if mask.matrix is not None else next(iter(mask.columns.values())).size
        side.append(Piece(mask.path, size, mask.ids))
    own = [view_piece(file, files.ids_of.get(view), options) for view, file in files.views.items()]
    given = [*side, *own]
    pieces, giver = placed(given, [piece for piece in (ids, labels, *side) if piece is not None])
    order_note = "" if giver is None or giver is ids else _order_note(given, giver)
    position = np.zeros(0, dtype=np.str_) if ids is None or ids.ids is None else ids.ids
    pieces, position, match_note = matched(pieces, position)
    pieces, label_note = _without_rivals(pieces, labels, options)
    names = all_ids(pieces, position)
    views, columns = {}, []
    for view, piece in zip(files.views, pieces[len(side) :], strict=True):
        views[view], present = spread_view(piece, names)
        columns.append(present)
    observed = np.stack(columns, axis=1)
    _check_views(observed, names, pieces[: len(side)], files.ids or path)
    if mask is not None:
        observed = _masked(observed, mask, pieces[len(side) - 1], pieces[len(side) :], list(views), names)
    left = _left(files, pieces[: len(side)])
    return assembled(
        views,
        names.size,
        path,
        replace(options, observed=None) if mask is not None else options,
        labels=None if options.no_labels else _labels(pieces, names, options, path),
        ids=names,
        groups={name: _column(name, pieces, names, path) for name in options.group_columns},
        split=_column(options.split_column, pieces, names, path) if options.split_column else None,
        observed=observed,
        notes=tuple(note for note in (order_note, match_note, *label_note, *left) if note),
    )


def _without_rivals(
    pieces: Sequence[Piece], labels: Piece | None, options: ImportOptions
) -> tuple[list[Piece], list[str]]:
    """The file named like labels wins: in the other files a column of such a name says the same, or is a feature.

    Raises:
        UserError: a column that is written like the labels contradicts them.
    """
    if labels is None or "labels" not in labels.columns:
        return list(pieces), []
    first = next(piece for piece in pieces if piece.path == labels.path)
    truth = {
        sample: value
        for sample, value in zip(
            np.asarray(first.ids).tolist(), first.columns["labels"].tolist(), strict=True
        )
        if not pd.isna(value)
    }
    result, notes = [], []
    for piece in pieces:
        if piece.path == first.path or "labels" not in piece.columns:
            result.append(piece)
            continue
        said = f"column {piece.label_name!r} of {piece.path.name}"
        rest = {name: values for name, values in piece.columns.items() if name != "labels"}
        if same_partition(piece, truth):
            notes.append(f"The {said} says the same as {first.path.name} and is left out.")
            result.append(replace(piece, columns=rest))
            continue
        _refuse_contradiction(first, truth, piece)
        if isinstance(piece.values, pd.DataFrame):
            values = table_features(piece.path, options)
            notes.append(f"The {said} is a feature, for {first.path.name} holds the labels.")
            result.append(replace(piece, columns=rest, values=values))
        else:
            notes.append(f"The {said} is left out, for {first.path.name} holds the labels.")
            result.append(replace(piece, columns=rest))
    return result, notes


def _refuse_contradiction(first: Piece, truth: Mapping[str, Any], piece: Piece) -> None:
    """A column of text, or one that uses the classes of the labels, is meant as labels and contradicts them."""
    values = [value for value in piece.columns["labels"].tolist() if not pd.isna(value)]
    numeric = all(_is_number(value) for value in values)
    if numeric and not {str(value) for value in values} <= {str(value) for value in truth.values()}:
        return
    for sample, value in zip(np.asarray(piece.ids).tolist(), piece.columns["labels"].tolist(), strict=True):
        if not pd.isna(value) and sample in truth and truth[sample] != value:
            advice = (
                "; rename the column if it is a feature" if isinstance(piece.values, pd.DataFrame) else ""
            )
            raise contradiction("labels", sample, (first, truth[sample]), (piece, value), advice)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _check_views(observed: np.ndarray, ids: np.ndarray, side: Sequence[Piece], otherwise: Path) -> None:
    """Refuse samples that are named but have no view at all."""
    lost = ids[~observed.any(axis=1)]
    if lost.size:
        named = next((piece.path for piece in side if lost[0] in np.asarray(piece.ids)), otherwise)
        raise UserError(
            f"{named} names samples that no file of a view has ({lost.size}, the first {str(lost[0])!r}); leave them "
            "out."
        )


def _masked(
    present: np.ndarray, mask: Mask, piece: Piece, own: Sequence[Piece], names: list[str], ids: np.ndarray
) -> np.ndarray:
    """Samples that the files have and the mask grants. Shapes: (N, V) bool, columns in the order of `names`."""
    if mask.matrix is not None:
        said = by_columns(mask.matrix, names, piece.n_rows, str(mask.path))
    else:
        full = np.ones(piece.n_rows, dtype=bool)
        said = np.stack([mask.columns.get(name, full) for name in names], axis=1)
    rows = rows_of(piece, ids)
    if rows.size != ids.size:
        lacking = np.setdiff1d(np.arange(ids.size), rows)
        raise UserError(
            f"{mask.path} says nothing about {lacking.size} of {ids.size} samples, the first {str(ids[lacking[0]])!r}."
        )
    granted = np.zeros_like(present)
    granted[rows] = said
    for column, name in enumerate(names):
        ghosts = np.flatnonzero(granted[:, column] & ~present[:, column])
        if ghosts.size and (mask.matrix is not None or name in mask.columns):
            raise UserError(
                f"{mask.path} says that sample {str(ids[ghosts[0]])!r} has view {name!r}, but {own[column].path.name} "
                "has no row of it."
            )
    return granted & present


def _labels(pieces: Sequence[Piece], ids: np.ndarray, options: ImportOptions, path: Path) -> np.ndarray:
    found = merged("labels", pieces, ids)
    if found is not None:
        return found
    if options.labels is not None:
        raise UserError(f"{path}: --labels {options.labels!r} is neither a file nor a column of one.")
    raise UserError(
        f"{path}: no file and no column is called like labels; say --labels NAME, or --no-labels if the data has none."
    )


def _column(name: str, pieces: Sequence[Piece], ids: np.ndarray, path: Path) -> np.ndarray:
    found = merged(name, pieces, ids)
    if found is None:
        raise UserError(f"{path}: no file has {name!r}.")
    return found


def _order_note(pieces: Sequence[Piece], giver: Piece) -> str:
    rows = ", ".join(piece.path.name for piece in pieces if piece.ids is None)
    return f"Rows of {rows} are taken in the order of {giver.path.name}."


def _left(files: Roles, side: Sequence[Piece]) -> list[str]:
    """What stays behind: files, and columns of the tables beside the views."""
    notes = [f"Not imported from {piece.path.name}: {listing(piece.left)}." for piece in side if piece.left]
    return notes + ([f"Not imported from the folder: {listing(files.left)}."] if files.left else [])
