"""Which columns of one table belong to which view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mvgraph.data.door import plain_name
from mvgraph.errors import UserError


def divide(view_slices: Any, n_columns: int, names: Any = None) -> dict[str, list[int]]:
    """Columns of each view.

    Args:
        view_slices: None (one view, "view0"), or view -> slice, column numbers or column names; a list of
            such makes view0, view1, ...
        n_columns: of the table.
        names: of the columns, where known.
    Raises:
        UserError: a view without columns, or a column that is not there.
    """
    if view_slices is None:
        return {"view0": list(range(n_columns))}
    if not isinstance(view_slices, Mapping):
        if not isinstance(view_slices, list | tuple):
            raise UserError(
                f"view_slices must map views to columns (or list them), not be a {type(view_slices).__name__}."
            )
        digits = len(str(max(len(view_slices) - 1, 0)))
        view_slices = {f"view{i:0{digits}d}": part for i, part in enumerate(view_slices)}
    if not view_slices:
        raise UserError("view_slices names no view; give at least one.")
    return {
        plain_name("view", name): _columns(name, part, n_columns, names) for name, part in view_slices.items()
    }


def _columns(view: str, part: Any, n_columns: int, names: Any) -> list[int]:
    if isinstance(part, slice):
        for end in (part.start, part.stop):
            if end is not None and not -n_columns <= end <= n_columns:
                raise UserError(
                    f"view_slices: view {view!r} reaches to column {end}, but there are {n_columns}."
                )
        found = list(range(n_columns))[part]
    else:
        found = [_column(view, column, n_columns, names) for column in part]
    if not found:
        raise UserError(f"view_slices: view {view!r} has no column.")
    if len(set(found)) < len(found):
        raise UserError(f"view_slices: view {view!r} names a column twice.")
    return found


def _column(view: str, column: Any, n_columns: int, names: Any) -> int:
    if isinstance(column, str):
        known = [] if names is None else list(names)
        if column not in known:
            why = "the table has no column names" if names is None else "the table has no such column"
            raise UserError(f"view_slices: view {view!r} names column {column!r}, but {why}.")
        return known.index(column)
    if isinstance(column, bool) or not hasattr(column, "__index__"):
        raise UserError(
            f"view_slices: view {view!r} names column {column!r}; give numbers, names or a slice."
        )
    number = int(column)
    if not 0 <= number < n_columns:
        raise UserError(f"view_slices: view {view!r} names column {number}, but there are {n_columns}.")
    return number
