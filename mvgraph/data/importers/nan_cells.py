"""Single NaN cells of an import: refused with the ways out, filled, or left out with their column or row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mvgraph.data.door import row_place
from mvgraph.data.importers.columns import listing
from mvgraph.data.imputation import FILLS, Imputation, filled, holes_of
from mvgraph.errors import UserError


@dataclass(frozen=True, slots=True)
class Whole:
    """Views without NaN in observed rows.

    Args:
        keep: rows that stay, None for all.
        imputation: what was filled; notes: what was done, in words.

    Shapes:
        views[v]: (N, d_v); keep: (N,) bool.
    """

    views: Mapping[str, Any]
    keep: np.ndarray | None = None
    imputation: Imputation | None = None
    notes: tuple[str, ...] = ()


def without_nan(
    views: Mapping[str, Any], observed: np.ndarray, kind: str | None, ids: np.ndarray, path: Path
) -> Whole:
    """Do with NaN cells as said.

    Shapes: views[v] (N, d_v) arrays or data frames; observed (N, V) bool in the order of `views`; ids (N,).

    Raises:
        UserError: there are NaN cells and nothing is said about them, or nothing can fill one of them.
    """
    holes = {
        name: holes_of(_numbers(view), observed[:, column])
        for column, (name, view) in enumerate(views.items())
    }
    holes = {name: found for name, found in holes.items() if found.any()}
    if not holes:
        return Whole(views)
    count = sum(int(found.sum()) for found in holes.values())
    if kind is None:
        raise UserError(f"{path}: {hole_sentence(*_first(views, holes), count, ids)}")
    result = dict(views)
    if kind in FILLS:
        for column, name in enumerate(views):
            if name in holes:
                table = filled(
                    name, _numbers(views[name]), holes[name], kind, observed[:, column], _columns(views[name])
                )
                result[name] = (
                    pd.DataFrame(table, columns=_columns(views[name])) if _columns(views[name]) else table
                )
        cells = {name: np.argwhere(found).astype(np.int64) for name, found in holes.items()}
        how = {"knn": "the mean of the 5 nearest rows"}.get(kind, f"the {kind} of its column")
        note = f"{count} NaN cells ({_shares(views, holes)}) were filled with {how}, from all rows."
        return Whole(result, None, Imputation(kind, cells), (note,))
    if kind == "drop-row":
        keep = ~np.any([found.any(axis=1) for found in holes.values()], axis=0)
        if not keep.any():
            raise UserError(f"{path}: every row has a NaN cell, so that --nan drop-row would leave none.")
        return Whole(
            views, keep, None, (f"{int((~keep).sum())} of {keep.size} rows with a NaN cell were left out.",)
        )
    notes = []
    for name, found in holes.items():
        full = ~found.any(axis=0)
        if not full.any():
            raise UserError(
                f"{path}: every column of view {name!r} has a NaN cell, so that --nan drop-column would leave none."
            )
        view = views[name]
        left = [
            str(c)
            for c in (np.flatnonzero(~full) if _columns(view) is None else np.array(_columns(view))[~full])
        ]
        result[name] = (
            view.iloc[:, np.flatnonzero(full)]
            if isinstance(view, pd.DataFrame)
            else np.asarray(view)[:, full]
        )
        notes.append(f"{len(left)} columns of view {name!r} with a NaN cell were left out: {listing(left)}.")
    return Whole(result, None, None, tuple(notes))


def hole_sentence(view: str, row: int, column: str, count: int, ids: np.ndarray | None) -> str:
    """The question about NaN cells; names the first."""
    others = f", as are {count - 1} more cells of the file" if count > 1 else ""
    return (
        f"View {view!r}, {row_place(row, ids)}, {column}: the value is NaN{others}; say --nan median, mean or "
        "knn to fill, or --nan drop-column or drop-row to leave out (to mvgraph data convert; in Python nan=...)."
    )


def _first(views: Mapping[str, Any], holes: Mapping[str, np.ndarray]) -> tuple[str, int, str]:
    name = next(iter(holes))
    row, column = (int(i) for i in np.argwhere(holes[name])[0])
    names = _columns(views[name])
    return name, row, f"column {column}" if names is None else f"column {names[column]!r}"


def _numbers(view: Any) -> np.ndarray:
    """Values as floats where they are numbers; others are refused later, where their place is named."""
    if isinstance(view, pd.DataFrame):
        numeric = all(pd.api.types.is_numeric_dtype(dtype) for dtype in view.dtypes)
        return (
            view.to_numpy(dtype=np.float64, na_value=np.nan) if numeric else np.zeros(view.shape, dtype=bool)
        )
    array = np.asarray(view)
    return array if array.ndim == 2 and array.dtype.kind in "fiub" else np.zeros((len(array), 1), dtype=bool)


def _columns(view: Any) -> list[Any] | None:
    return list(view.columns) if isinstance(view, pd.DataFrame) else None


def _shares(views: Mapping[str, Any], holes: Mapping[str, np.ndarray]) -> str:
    return ", ".join(f"{name} {100 * found.mean():.2g} %" for name, found in holes.items())
