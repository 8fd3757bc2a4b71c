"""What a user hands to the classifier: named views, a list of them, or one table with its columns divided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.utils.validation import validate_data

from mvgraph.data import MultiViewData
from mvgraph.data.door import as_numpy, plain_name, view_array
from mvgraph.data.intake import n_rows, named_views
from mvgraph.errors import UserError
from mvgraph.serving.slices import divide


@dataclass(frozen=True)
class Layout:
    """How views lay in what `fit` was given, so that `predict` asks for the same.

    Args:
        form: "array" for one table, "views" for a mapping or a list.
        widths: view -> d_v, in the order of the views' names.
        columns: for a table: view -> its columns.
        names: for views from data frames: view -> names of the columns.
        order: names of the views in the order given, which an `observed` table follows.
        wide: names of the views held in float64.
    """

    form: str
    widths: dict[str, int]
    columns: dict[str, list[int]]
    names: dict[str, list[str]]
    order: list[str]
    wide: list[str] = field(default_factory=list)

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the views, sorted."""
        return tuple(self.widths)


@dataclass(frozen=True)
class Given:
    """Rows as the user gave them, views in the order of their names.

    Shapes:
        views[v]: (M, d_v) float32 or float64, zeros where a row lacks the view; observed: (M, V) bool.
    """

    views: dict[str, np.ndarray]
    observed: np.ndarray


def join_views(
    views: Mapping[str, Any] | Sequence[Any] | MultiViewData,
) -> tuple[np.ndarray, dict[str, slice]]:
    """All views side by side, and where each lies: what tools that know one table need.

        X, view_slices = join_views(views)
        cross_val_score(MultiViewClassifier(view_slices=view_slices), X, y)

    Shapes:
        views[v]: (N, d_v) -> (N, sum d_v), and view -> slice of columns.
    Raises:
        UserError: a view that is no table, or views of different length.
    """
    named = dict(views.views) if isinstance(views, MultiViewData) else named_views(views)
    arrays = {name: as_numpy(value) for name, value in named.items()}
    first = next(iter(arrays), None)
    if first is None:
        raise UserError("There is no view to join; give at least one.")
    slices: dict[str, slice] = {}
    start = 0
    for name, array in arrays.items():
        if n_rows(name, array) != n_rows(first, arrays[first]):
            raise UserError(
                f"View {name!r} has {len(array)} rows, but view {first!r} has {len(arrays[first])}."
            )
        slices[name] = slice(start, start + array.shape[1])
        start += array.shape[1]
    return np.concatenate(list(arrays.values()), axis=1), slices


def has_views(x: Any) -> bool:
    """Whether `x` is several views rather than one table: a mapping, or a list of tables."""
    if isinstance(x, MultiViewData | Mapping) and not scipy.sparse.issparse(x):
        return True  # a sparse matrix in DOK form is a mapping too
    if not isinstance(x, list | tuple):
        return False
    given = [part for part in x if part is not None]
    return len(given) > 0 and all(_is_table(part) for part in given)


def learn(estimator: Any, x: Any, observed: Any, view_slices: Any) -> tuple[Given, Layout]:
    """Read the rows of a fit and how they are laid out; sets `n_features_in_` and `feature_names_in_`.

    Raises:
        UserError: (a ValueError) whatever is wrong with the rows.
    """
    if has_views(x):
        if view_slices is not None:
            raise UserError("view_slices divides one table; views given by name need none, leave it out.")
        named, mask = _parts(x, observed)
        layout = Layout(
            "views",
            {plain_name("view", name): _width(name, named[name]) for name in sorted(named)},
            {},
            {name: list(map(str, v.columns)) for name, v in named.items() if isinstance(v, pd.DataFrame)},
            list(named),
        )
        if hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
        estimator.n_features_in_ = sum(layout.widths.values())
        return _learned(_read(named, mask, layout, at_least=2), layout)
    table = validate_data(estimator, x, dtype=[np.float64, np.float32], ensure_min_samples=2)
    columns = divide(view_slices, table.shape[1], getattr(estimator, "feature_names_in_", None))
    widths = {name: len(columns[name]) for name in sorted(columns)}
    layout = Layout("array", widths, columns, {}, list(columns))
    return _learned(_read(_cut(table, layout), observed, layout, at_least=2), layout)


def _learned(given: Given, layout: Layout) -> tuple[Given, Layout]:
    wide = [name for name, rows in given.views.items() if rows.dtype == np.float64]
    return given, replace(layout, wide=wide)


def read(estimator: Any, x: Any, observed: Any, layout: Layout) -> Given:
    """Read rows to be predicted, which must be laid out like those of the fit.

    A view that is left out, or None, is one that no row has. Views have the types of the fit: what one row is must
    not depend on the rows beside it.

    Raises:
        UserError: (a ValueError) whatever is wrong with the rows.
    """
    if layout.form == "array":
        if has_views(x):
            raise UserError(
                f"The classifier was fitted on one table of {sum(layout.widths.values())} columns; give such a table."
            )
        table = validate_data(estimator, x, dtype=[np.float64, np.float32], reset=False)
        return _read(_cut(table, layout), observed, layout, fitted=True)
    if not has_views(x):
        raise UserError(
            f"The classifier was fitted on the views {', '.join(layout.view_names)}; give them by name or as a list."
        )
    by_place = isinstance(x, list | tuple) and set(named_views([None] * len(layout.order))) == set(
        layout.order
    )
    if by_place and len(x) != len(layout.order):
        raise UserError(
            f"The list holds {len(x)} views, but the fit had {len(layout.order)}; give them in that order, None for "
            "one that no row has."
        )
    named, mask = _parts(x, observed)
    for name in named:
        if name not in layout.widths:
            raise UserError(f"There is no view {name!r}; the fit had {', '.join(layout.view_names)}.")
    for name, width in layout.widths.items():
        if name not in named:
            continue
        if _width(name, named[name]) != width:
            raise UserError(
                f"View {name!r} has {_width(name, named[name])} columns, but the fit had {width}."
            )
        value = named[name]
        if name in layout.names and isinstance(value, pd.DataFrame):
            found = list(map(str, value.columns))
            if found != layout.names[name]:
                place = next(
                    i
                    for i, pair in enumerate(zip(found, layout.names[name], strict=True))
                    if len(set(pair)) > 1
                )
                was = layout.names[name][place]
                raise UserError(
                    f"View {name!r}: column {place} is {found[place]!r}, but was {was!r} in the fit."
                )
    n = n_rows(*next(iter(named.items())))
    mask = _without_absent(mask, [name for name in layout.order if name not in named], n, layout)
    absent = {name: np.zeros((n, layout.widths[name])) for name in layout.order if name not in named}
    return _read(named | absent, mask, layout, fitted=True)


def _without_absent(observed: Any, absent: list[str], n: int, layout: Layout) -> Any:
    """The mask of all views of the fit, from one that may leave out the absent ones.

    Raises:
        UserError: it says that a row has a view which was not given.
    """
    if not absent:
        return observed
    if observed is None:
        observed = {}
    if not isinstance(observed, Mapping):
        table = as_numpy(observed)
        columns = [
            name for name in layout.order if table.shape[1:] == (len(layout.order),) or name not in absent
        ]
        if table.shape != (n, len(columns)):
            return observed  # refused with the shape that is right
        observed = {name: table[:, i] for i, name in enumerate(columns)}
    for name in absent:
        if name in observed and np.any(as_numpy(observed[name])):
            row = int(np.flatnonzero(as_numpy(observed[name]))[0])
            raise UserError(f"observed says that row {row} has view {name!r}, but that view is not given.")
    return {**{name: np.zeros(n, dtype=bool) for name in absent}, **observed}


def refuse_missing(method: str, observed: np.ndarray, names: Sequence[str]) -> None:
    """Refuse rows that lack a view, for a method that cannot use such.

    Shapes: observed (M, V).
    """
    if observed.all():
        return
    row, column = (int(i) for i in np.argwhere(~observed)[0])
    raise UserError(
        f"'{method}' cannot use rows that lack a view, and row {row} lacks view {names[column]!r}; give it, drop such "
        "rows or choose another method."
    )


def _cut(table: np.ndarray, layout: Layout) -> dict[str, np.ndarray]:
    return {name: table[:, layout.columns[name]] for name in layout.order}


def _parts(x: Any, observed: Any) -> tuple[dict[str, Any], Any]:
    """Views by name, and the mask that comes with them or beside them."""
    if isinstance(x, MultiViewData):
        own = {name: x.observed[:, i] for i, name in enumerate(x.view_names)}
        return dict(x.views), own if observed is None else observed
    named = {name: value for name, value in named_views(x).items() if value is not None}
    if not named:
        raise UserError("There is no view; give at least one.")
    return named, observed


def _read(
    named: Mapping[str, Any], observed: Any, layout: Layout, at_least: int = 1, fitted: bool = False
) -> Given:
    first = next(iter(named))
    n = n_rows(first, named[first])
    for name, value in named.items():
        if n_rows(name, value) != n:
            raise UserError(
                f"View {name!r} has {n_rows(name, value)} rows, but view {first!r} has {n}; give one row a sample "
                "to every view, and mark those without it by observed."
            )
    if n < at_least:
        raise UserError(f"Found {n} sample(s) while a minimum of {at_least} is required.")
    order = [name for name in layout.order if name in named]
    mask = _mask(observed, n, order)
    columns = {name: mask[:, order.index(name)] for name in order}
    types = {name: np.float64 if name in layout.wide else np.float32 for name in layout.view_names}
    views = {
        name: view_array(name, named[name], None, columns[name], types[name] if fitted else None)
        for name in layout.view_names
    }
    return Given(views, np.stack([columns[name] for name in layout.view_names], axis=1))


def _mask(observed: Any, n: int, names: Sequence[str]) -> np.ndarray:
    """Which row has which view, (n, V) bool, views in the order of `names`."""
    if observed is None:
        return np.ones((n, len(names)), dtype=bool)
    if isinstance(observed, Mapping):
        for name in observed:
            if name not in names:
                raise UserError(f"observed names view {name!r}, but the views are {', '.join(names)}.")
        full = np.ones(n, dtype=bool)
        parts = [as_numpy(observed.get(name, full)) for name in names]
        if any(part.shape != (n,) for part in parts):
            raise UserError(f"observed needs one entry for each of the {n} rows in every view it names.")
        mask = np.stack(parts, axis=1)
    else:
        mask = as_numpy(observed)
    if mask.shape != (n, len(names)) or not np.isin(mask, (0, 1)).all():
        raise UserError(
            f"observed must hold {n} x {len(names)} booleans: one row a sample, one column a view."
        )
    mask = mask.astype(bool)
    if not mask.any(axis=1).all():
        raise UserError(f"Row {int(np.flatnonzero(~mask.any(axis=1))[0])} has no view at all; drop it.")
    return mask


def _width(name: str, value: Any) -> int:
    n_rows(name, value)
    shape = getattr(value, "shape", None) or np.shape(value)
    return int(shape[1])


def _is_table(part: Any) -> bool:
    dimensions = getattr(part, "ndim", None)
    if dimensions is None:
        try:
            dimensions = np.ndim(part)
        except ValueError:
            return False
    return int(dimensions) == 2
