"""Rows of several files brought together: by id, by position, or by file names without their endings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mvgraph.data.importers.folder_pieces import Piece
from mvgraph.errors import UserError

_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}$")


def placed(pieces: Sequence[Piece], givers: Sequence[Piece]) -> tuple[list[Piece], Piece | None]:
    """Every piece with ids: its own, those of the first of `givers` that has any, or row numbers if no file has ids.

    Returns:
        The pieces, and who gave ids to those that had none.

    Raises:
        UserError: rows without ids that differ in number from what gives them ids.
    """
    without = [piece for piece in pieces if piece.ids is None]
    own = [piece for piece in pieces if piece.ids is not None]
    source = next((giver for giver in givers if giver.ids is not None), None)
    if without and own and source is None:
        raise _without_ids(without[0], own[0])
    if not without:
        return list(pieces), None
    names = np.arange(without[0].n_rows).astype(np.str_) if source is None else source.ids
    assert names is not None
    for piece in without:
        if piece.n_rows != names.size:
            raise _differing(piece, names.size, source or without[0])
    return [replace(piece, ids=names) if piece.ids is None else piece for piece in pieces], source


def _without_ids(piece: Piece, other: Piece) -> UserError:
    there = other.path.name
    advice = f"put the ids of its rows into {piece.path.stem}_ids.csv"
    if piece.values is None:
        advice = "make it a table with a column of ids"
    elif "labels" in other.columns:
        advice += f", or say --labels {there} if it is no view"
    return UserError(f"{piece.path.parent}: {there} has ids, but {piece.path.name} has none; {advice}.")


def _differing(piece: Piece, size: int, source: Piece) -> UserError:
    advice = f"put the ids of its rows into {piece.path.stem}_ids.csv (or .npy, .txt)"
    if piece.values is None:
        advice = "give it ids, or one row for each"
    return UserError(
        f"{piece.path.parent}: {piece.path.name} has {piece.n_rows} rows, but there are {size} in "
        f"{source.path.name}; rows can only be joined by id when they differ in number: {advice}."
    )


def matched(pieces: Sequence[Piece], position: np.ndarray) -> tuple[list[Piece], np.ndarray, str]:
    """Pieces whose ids are file names (`clip1.wav`) joined to those that leave out folder and ending (`clip1`).

    Done only if a file shares no id with any other, and if the names stay different without folders and endings.

    Parameters:
        position: ids that order the samples (may be empty).

    Returns:
        The pieces, the ids in their order, and a note.

    Raises:
        UserError: a file shares no id with the others either way.
    """
    sets = [set(np.asarray(piece.ids).tolist()) for piece in pieces]
    lone = _alone(sets)
    if lone is None:
        return list(pieces), position, ""
    bare = [[_bare(text) for text in np.asarray(piece.ids).tolist()] for piece in pieces]
    order = [_bare(text) for text in position.tolist()]
    unique = all(len(set(names)) == len(names) for names in (*bare, order))
    if not unique or _alone([set(names) for names in bare]) is not None:
        other = pieces[1 if lone == 0 else 0]
        raise UserError(
            f"{pieces[lone].path} shares no id with the other files ({str(np.asarray(pieces[lone].ids)[0])!r} there, "
            f"{str(np.asarray(other.ids)[0])!r} in {other.path.name})."
        )
    changed = next(
        (text, name)
        for piece, names in zip(pieces, bare, strict=True)
        for text, name in zip(np.asarray(piece.ids).tolist(), names, strict=True)
        if text != name
    )
    note = f"Ids are matched without folders and endings of files ({changed[0]} is {changed[1]})."
    made = [
        replace(piece, ids=np.asarray(names, dtype=np.str_))
        for piece, names in zip(pieces, bare, strict=True)
    ]
    return made, np.asarray(order, dtype=np.str_), note


def _alone(sets: Sequence[set[str]]) -> int | None:
    """The first piece that shares no id with any other."""
    if len(sets) < 2:
        return None
    for index, own in enumerate(sets):
        if all(own.isdisjoint(other) for at, other in enumerate(sets) if at != index):
            return index
    return None


def _bare(text: str) -> str:
    return _ENDING.sub("", text.replace("\\", "/").rpartition("/")[2])


def all_ids(pieces: Sequence[Piece], position: np.ndarray) -> np.ndarray:
    """Every id in the order of first appearance, those of `position` first. Shapes: (N,)."""
    seen = dict.fromkeys(position.tolist())
    for piece in pieces:
        seen.update(dict.fromkeys(np.asarray(piece.ids).tolist()))
    return np.asarray(list(seen), dtype=np.str_)


def rows_of(piece: Piece, ids: np.ndarray) -> np.ndarray:
    """Where the rows of a piece stand among all samples. Shapes: (M,)."""
    position = {name: row for row, name in enumerate(ids.tolist())}
    return np.asarray([position[name] for name in np.asarray(piece.ids).tolist()], dtype=np.int64)


def spread_view(piece: Piece, ids: np.ndarray) -> tuple[Any, np.ndarray]:
    """The values in the order of all samples, and which samples the file has. Shapes: (N, d_v), (N,) bool."""
    rows = rows_of(piece, ids)
    mask = np.zeros(ids.size, dtype=bool)
    mask[rows] = True
    in_order = np.array_equal(rows, np.arange(ids.size))
    if isinstance(piece.values, pd.DataFrame):
        # Absent rows are empty and not looked at.
        frame = piece.values
        return (frame if in_order else frame.set_axis(rows, axis=0).reindex(range(ids.size))), mask
    values = np.asarray(piece.values)
    if in_order:
        return values, mask
    result = np.zeros((ids.size, values.shape[1]), dtype=values.dtype)
    result[rows] = values
    return result, mask


def merged(name: str, pieces: Sequence[Piece], ids: np.ndarray) -> np.ndarray | None:
    """A column that may stand in several files, which must not contradict each other; None if no file has it.

    Shapes: (N,) object.

    Raises:
        UserError: two files say different things of one sample; names both.
    """
    result = np.full(ids.size, None, dtype=object)
    said_by: dict[int, Piece] = {}
    found = [piece for piece in pieces if name in piece.columns]
    for piece in found:
        for row, value in zip(rows_of(piece, ids).tolist(), piece.columns[name].tolist(), strict=True):
            if pd.isna(value):
                continue
            if result[row] is not None and result[row] != value:
                raise contradiction(name, str(ids[row]), (said_by[row], result[row]), (piece, value))
            result[row] = value
            said_by.setdefault(row, piece)
    return result if found else None


def contradiction(
    name: str, sample: str, first: tuple[Piece, Any], second: tuple[Piece, Any], advice: str = ""
) -> UserError:
    """The sentence about two files that say different things of one sample."""

    def place(piece: Piece) -> str:
        column = piece.label_name if name == "labels" else None
        return (
            piece.path.name if column in (None, piece.path.stem) else f"{piece.path.name} (column {column!r})"
        )

    return UserError(
        f"{first[0].path.parent}: {name} of id {sample!r} is {first[1]!r} in {place(first[0])}, but {second[1]!r} in "
        f"{place(second[0])}{advice}."
    )


def same_partition(piece: Piece, labels: Mapping[str, Any]) -> bool:
    """Whether the labels of a piece sort its samples into the same classes as `labels` (id -> label) does."""
    there: dict[Any, Any] = {}
    back: dict[Any, Any] = {}
    for sample, value in zip(np.asarray(piece.ids).tolist(), piece.columns["labels"].tolist(), strict=True):
        other = labels.get(sample)
        if pd.isna(value) or other is None:
            continue
        if there.setdefault(value, other) != other or back.setdefault(other, value) != value:
            return False
    return True
