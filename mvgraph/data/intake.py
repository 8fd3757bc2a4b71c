"""What a user may hand over as views: mappings or lists of arrays, data frames with an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mvgraph.data.door import as_numpy
from mvgraph.errors import UserError


def named_views(views: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """Views by name; those of a list are called view0, view1, ...

    Raises:
        UserError: neither a mapping nor a list.
    """
    if isinstance(views, list | tuple):
        # Padded, so that sorting by name keeps the order of the list beyond ten views.
        digits = len(str(max(len(views) - 1, 0)))
        views = {f"view{i:0{digits}d}": value for i, value in enumerate(views)}
    if isinstance(views, Mapping):
        return {
            name: as_numpy(value) if isinstance(value, list | tuple) else value
            for name, value in views.items()
        }
    raise UserError(
        f"Views must be a mapping from name to array or a list of arrays, not {type(views).__name__}."
    )


def n_rows(name: str, value: Any) -> int:
    """Number of rows of a view.

    Raises:
        UserError: the view is not two-dimensional.
    """
    shape = getattr(value, "shape", None)
    if shape is None:
        shape = np.shape(value)
    if len(shape) != 2:
        raise UserError(
            f"View {name!r} has shape {tuple(shape)}, but a view needs two dimensions: one row per sample, "
            "one column per feature."
        )
    return int(shape[0])


def check_rows(name: str, value: Any, n_samples: int) -> None:
    """Refuse a view whose number of rows is not N."""
    rows = n_rows(name, value)
    if rows != n_samples:
        raise UserError(f"View {name!r} has {rows} rows, but there are {n_samples} samples.")


def shared_index(named: Mapping[str, Any], labels: Any, n_samples: int) -> Any:
    """Ids from the index of the data frames: rows are never joined silently when two indices differ."""
    tables: dict[str, pd.DataFrame | pd.Series] = {
        f"view {name!r}": value for name, value in named.items() if isinstance(value, pd.DataFrame)
    }
    if isinstance(labels, pd.Series) and len(labels) == n_samples:
        tables["the labels"] = labels
    indexed = {name: t.index for name, t in tables.items() if not isinstance(t.index, pd.RangeIndex)}
    if not indexed:
        return np.arange(n_samples)
    first, index = next(iter(indexed.items()))
    for name, other in indexed.items():
        if not index.equals(other):
            row = int(np.flatnonzero(index.to_numpy() != other.to_numpy())[0])
            raise UserError(
                f"The index of {name} differs from that of {first} at row {row} ({other[row]!r} against "
                f"{index[row]!r}); bring the rows into one order, or give ids."
            )
    return index
