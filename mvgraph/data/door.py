"""The door of `MultiViewData`: inputs are checked once, and refused in one sentence that names the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mvgraph.data.frozen import frozen_copy, read_only
from mvgraph.data.resolution import suited
from mvgraph.errors import UserError

#: Values looked at in one go by the checks: a check neither doubles the memory of a view nor leaves the cache.
BLOCK_VALUES = 1 << 18
#: Columns of the obs table of an .h5mu file that mean something else.
RESERVED_GROUPS = ("label", "_index")
SPLIT_PREFIX = "split:"


def plain_name(kind: str, name: object) -> str:
    """A name that can stand in files, paths and tables; `kind` says in the error what is named."""
    if not isinstance(name, str):
        raise UserError(f"A {kind} name must be a string, not {name!r} ({type(name).__name__}).")
    if not name or name != name.strip() or "/" in name or "\0" in name or name in (".", ".."):
        raise UserError(
            f"The {kind} name {name!r} cannot be used: it must be non-empty, without '/' and without "
            "blanks at its ends."
        )
    return name


def as_numpy(value: Any) -> np.ndarray:
    """A numpy array from an array, tensor (any device), pandas object, scipy sparse matrix or nested list."""
    if hasattr(value, "detach"):  # a torch tensor, recognised without importing torch
        tensor = value.detach().cpu()
        if "bfloat16" in str(tensor.dtype):
            tensor = tensor.float()
        return np.asarray(tensor.numpy())
    if hasattr(value, "toarray"):
        return np.asarray(value.toarray())
    if isinstance(value, pd.Series | pd.DataFrame | pd.Index):
        return value.to_numpy()
    try:
        array = np.asarray(value)
        # numpy would write numbers and NaN among strings as text.
        mixed = isinstance(value, list | tuple) and array.dtype.kind in "US"
        return np.asarray(value, dtype=object) if mixed else array
    except ValueError as error:
        raise UserError(f"A list cannot be read as an array: its rows differ in length ({error}).") from None


def row_place(row: int, ids: np.ndarray | None) -> str:
    """How an error names a row: by index and, if ids are known, by id."""
    return f"row {row}" if ids is None else f"row {row} (id {str(ids[row])!r})"


def _column_place(column: int, columns: Sequence[Any] | None) -> str:
    return f"column {column}" if columns is None else f"column {columns[column]!r}"


def view_array(
    name: str,
    value: Any,
    ids: np.ndarray | None = None,
    present: np.ndarray | None = None,
    dtype: type[np.floating] | None = None,
) -> np.ndarray:
    """One view as a read-only, C-contiguous array; rows that are not present become zeros.

    float32, or float64 where float32 would lose something (see `mvgraph.data.resolution`), unless `dtype` says
    which. A float32 array that is read-only down to its owner is taken without a copy.

    Shapes: (N, d_v) -> (N, d_v); `ids` and `present` (bool) are (N,).

    Raises:
        UserError: not two-dimensional, empty, not numeric, NaN or Inf; names view, row and column.
    """
    columns = list(value.columns) if isinstance(value, pd.DataFrame) else None
    array = _numeric_frame(name, value) if isinstance(value, pd.DataFrame) else as_numpy(value)
    if array.ndim != 2:
        raise UserError(
            f"View {name!r} has shape {array.shape}, but a view needs two dimensions: one row per sample, "
            "one column per feature."
        )
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise UserError(f"View {name!r} is empty: it has {array.shape[0]} rows and {array.shape[1]} columns.")
    if array.dtype.kind not in "fiub":
        array = _numeric_objects(name, array, ids, columns)
    if present is not None and (present.shape != (array.shape[0],)):
        raise UserError(
            f"The observed mask has {present.shape[0]} rows, but view {name!r} has {array.shape[0]} rows."
        )
    missing = None if present is None or bool(present.all()) else ~present
    kind = suited(array, present) if dtype is None else dtype
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        result = np.ascontiguousarray(array, dtype=kind)
    if missing is not None and result[missing].any():  # NaN counts as true
        result = result.copy() if np.may_share_memory(result, array) else result
        result[missing] = 0.0
    # Rows taken over from the caller are copied unless nobody can write to them any more.
    result = frozen_copy(result) if np.may_share_memory(result, array) else read_only(result)
    check_finite(name, result, ids, columns, original=array, present=present)
    return result


def check_finite(
    name: str,
    array: np.ndarray,
    ids: np.ndarray | None = None,
    columns: Sequence[Any] | None = None,
    original: np.ndarray | None = None,
    present: np.ndarray | None = None,
) -> None:
    """Refuse NaN and Inf, block by block; `original` is the array before it was turned into another type."""
    block = max(1, BLOCK_VALUES // array.shape[1])
    for start in range(0, array.shape[0], block):
        bad = ~np.isfinite(array[start : start + block])
        if not bad.any():
            continue
        row, column = (int(i) for i in np.argwhere(bad)[0])
        row += start
        alone = nan_rows(array, array.shape[0]) if array.shape[1] > 1 else bad[:0]
        if alone.any() and alone[row]:
            count = int(alone.sum())
            raise UserError(
                f"View {name!r} has {count} {'rows' if count > 1 else 'row'} of NaN alone, the first "
                f"{row_place(row, ids)}; mark rows without this view as not observed."
            )
        value = array[row, column]
        what = "NaN" if np.isnan(value) else "Inf"
        if original is not None and np.isfinite(float(original[row, column])):
            what = f"{float(original[row, column]):.6g}, too large for {array.dtype}"
        raise UserError(
            f"View {name!r}, {row_place(row, ids)}, {_column_place(column, columns)}: the value is {what}; "
            "every value must be a finite number (mark rows without this view as not observed)."
        )


def nan_rows(values: Any, n_samples: int) -> np.ndarray:
    """Rows of a view that hold NaN alone; none where the view is not of numbers or not of N rows.

    Shapes: values (N, d_v) -> (N,) bool.
    """
    result = np.zeros(n_samples, dtype=bool)
    if getattr(values, "ndim", 0) != 2 or values.shape[0] != n_samples or values.shape[1] == 0:
        return result
    if isinstance(values, pd.DataFrame):
        return np.asarray(values.isna().all(axis=1).to_numpy(), dtype=bool)
    if getattr(values, "dtype", np.dtype(object)).kind != "f" or not isinstance(values, np.ndarray):
        return result
    # Few rows begin with NaN: only those are looked at as a whole.
    rows = np.flatnonzero(np.isnan(values[:, 0]))
    result[rows] = np.isnan(values[rows]).all(axis=1)
    return result


def _numeric_frame(name: str, frame: pd.DataFrame) -> np.ndarray:
    for column, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)):
            raise UserError(
                f"View {name!r}, column {column!r}: the column holds {dtype} values, not numbers; "
                "drop it or encode it as numbers first."
            )
        if pd.api.types.is_complex_dtype(dtype):
            raise UserError(f"View {name!r}, column {column!r}: complex numbers are not supported.")
    # Nullable columns (Int64, boolean) carry pd.NA: as NaN it meets the same check as any other missing
    # number.
    if all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
        return frame.to_numpy()
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def _numeric_objects(
    name: str, array: np.ndarray, ids: np.ndarray | None, columns: Sequence[Any] | None
) -> np.ndarray:
    """Numbers held as Python objects are accepted, everything else is refused by name of its place."""
    if array.dtype.kind == "O":
        result = np.empty(array.shape, dtype=np.float64)
        for (row, column), value in np.ndenumerate(array):
            if value is None or value is pd.NA:
                result[row, column] = np.nan
            elif isinstance(value, int | float | np.integer | np.floating | np.bool_):
                result[row, column] = float(value)
            else:
                raise UserError(
                    f"View {name!r}, {row_place(row, ids)}, {_column_place(column, columns)}: {value!r} "
                    "is not a number; drop the column or encode it as numbers first."
                )
        return result
    first = array[0, 0]
    raise UserError(
        f"View {name!r}, {row_place(0, ids)}, {_column_place(0, columns)}: the view holds {array.dtype} "
        "values "
        f"such as {first!r}, not real numbers."
    )


def text_array(what: str, values: Any, n_samples: int | None, ids: np.ndarray | None = None) -> np.ndarray:
    """A read-only (N,) array of strings; numbers become text, missing entries are refused by row.

    Raises:
        UserError: wrong length, wrong number of dimensions or a missing entry.
    """
    array = as_numpy(values)
    if array.ndim != 1:
        raise UserError(
            f"{what} must be one-dimensional with one entry per sample, not of shape {array.shape}."
        )
    if n_samples is not None and array.shape[0] != n_samples:
        raise UserError(f"{what}: {array.shape[0]} entries, but the views have {n_samples} rows.")
    if array.dtype.kind == "U":
        return frozen_copy(array)
    absent = np.flatnonzero(np.asarray(pd.isna(array)))
    if absent.size:
        raise UserError(f"{what}: {row_place(int(absent[0]), ids)} has no value; every sample needs one.")
    if array.dtype.kind == "S" or any(isinstance(value, bytes) for value in array[:1]):
        array = np.asarray([bytes(value).decode("utf-8") for value in array])
    return read_only(np.asarray([str(value) for value in array.tolist()], dtype=np.str_))


def check_ids(ids: np.ndarray) -> None:
    """Refuse two rows with one id."""
    _, first, counts = np.unique(ids, return_index=True, return_counts=True)
    if (counts > 1).any():
        value = ids[int(first[counts > 1].min())]
        rows = np.flatnonzero(ids == value)
        raise UserError(
            f"The id {str(value)!r} stands at rows {int(rows[0])} and {int(rows[1])}; every sample needs "
            "an id of its own."
        )


def observed_mask(observed: Any, n_samples: int, names: Sequence[str], ids: np.ndarray) -> np.ndarray:
    """The (N, V) mask of observed entries as a read-only bool array in the order of `names`.

    Raises:
        UserError: wrong shape or type, a view nobody has, or a sample without any view.
    """
    if observed is None:
        return read_only(np.ones((n_samples, len(names)), dtype=bool))
    if isinstance(observed, Mapping):
        for name in observed:
            if name not in names:
                raise UserError(
                    f"The observed mask names view {name!r}, but the views are {', '.join(names)}."
                )
        full = np.ones(n_samples, dtype=bool)
        parts = [as_numpy(observed.get(name, full)) for name in names]
        for name, part in zip(names, parts, strict=True):
            if part.shape != (n_samples,):
                raise UserError(
                    f"The observed mask of view {name!r} has shape {part.shape}, but there are {n_samples} "
                    "samples."
                )
        mask = np.stack(parts, axis=1)
    else:
        mask = as_numpy(observed)
    if mask.shape != (n_samples, len(names)):
        raise UserError(
            f"The observed mask has shape {mask.shape}, but {n_samples} samples and {len(names)} views need "
            f"{(n_samples, len(names))}."
        )
    if mask.dtype.kind != "b":
        if mask.dtype.kind not in "iuf" or not np.isin(mask, (0, 1)).all():
            raise UserError(f"The observed mask must hold booleans (or 0 and 1), not {mask.dtype} values.")
        mask = mask.astype(bool)
    nowhere = np.flatnonzero(~mask.any(axis=0))
    if nowhere.size:
        raise UserError(f"View {names[int(nowhere[0])]!r} is empty: it is observed for no sample.")
    lost = np.flatnonzero(~mask.any(axis=1))
    if lost.size:
        raise UserError(f"The sample at {row_place(int(lost[0]), ids)} is observed in no view; drop it.")
    return frozen_copy(np.ascontiguousarray(mask))
