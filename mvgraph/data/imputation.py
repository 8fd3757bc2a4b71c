"""Single NaN cells: filled from the other rows or left out, declared, and filled anew from training rows alone.

Source of "knn": Troyanskaya et al. 2001, "Missing value estimation methods for DNA microarrays", as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mvgraph.errors import UserError

if TYPE_CHECKING:
    from mvgraph.data.multiview import MultiViewData
    from mvgraph.data.split import Split

#: What fills a cell, and what leaves its column or row out.
FILLS = ("median", "mean", "knn")
KINDS = (*FILLS, "drop-column", "drop-row")
#: Rows that "knn" averages.
NEIGHBOURS = 5


@dataclass(frozen=True, slots=True)
class Imputation:
    """Cells that the source of some data did not have, and how they were filled.

    Args:
        kind: "median", "mean" or "knn".
        cells: view -> row and column of each filled cell; views without any are left out.

    Shapes:
        cells[v]: (M, 2) int64.
    """

    kind: str
    cells: Mapping[str, np.ndarray]

    def restricted(self, views: Mapping[str, object]) -> Imputation | None:
        """The cells of some of the views; None if they have none."""
        kept = {name: cells for name, cells in self.cells.items() if name in views}
        return Imputation(self.kind, kept) if kept else None

    def renumbered(self, rows: np.ndarray, n_samples: int) -> Imputation | None:
        """The cells of some of the N rows, in their new order. Shapes: rows (M,) int64."""
        place = np.full(n_samples, -1, dtype=np.int64)
        place[rows] = np.arange(rows.size)
        kept = {}
        for name, cells in self.cells.items():
            moved = np.column_stack([place[cells[:, 0]], cells[:, 1]])
            moved = moved[moved[:, 0] >= 0]
            if moved.size:
                kept[name] = moved
        return Imputation(self.kind, kept) if kept else None

    def observed_only(self, observed: Mapping[str, np.ndarray]) -> Imputation | None:
        """The cells of rows that have their view. Shapes: observed[v] (N,) bool."""
        kept = {name: cells[observed[name][cells[:, 0]]] for name, cells in self.cells.items()}
        kept = {name: cells for name, cells in kept.items() if cells.size}
        return Imputation(self.kind, kept) if kept else None


def holes_of(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """NaN cells of observed rows. Shapes: values (N, d_v), observed (N,) bool -> (N, d_v) bool."""
    if values.dtype.kind != "f":
        return np.zeros(values.shape, dtype=bool)
    return np.isnan(values) & observed[:, None]


def filled(
    view: str,
    values: np.ndarray,
    holes: np.ndarray,
    kind: str,
    fit_rows: np.ndarray,
    columns: list[str] | None = None,
) -> np.ndarray:
    """The view with its holes filled from the rows that may be looked at.

    "median" and "mean" are those of the column; "knn" is the mean of the 5 rows nearest in the columns that both
    rows have. Computed in float64.

    Shapes:
        values, holes: (N, d_v); fit_rows: (N,) bool -> (N, d_v) float64

    Raises:
        UserError: a column with a hole has no value in the rows that may be looked at.
    """
    table = np.where(holes, np.nan, values.astype(np.float64))
    at = np.flatnonzero(holes.any(axis=0))
    if at.size == 0:
        return table
    empty = at[np.isnan(table[fit_rows][:, at]).all(axis=0)]
    if empty.size:
        column = int(empty[0])
        place = f"column {column}" if columns is None else f"column {columns[column]!r}"
        raise UserError(
            f"View {view!r}, {place}: no row that may be looked at has a value, so that nothing can fill it; leave it "
            "out (--nan drop-column)."
        )
    if kind == "knn":
        from sklearn.impute import KNNImputer

        imputer = KNNImputer(n_neighbors=NEIGHBOURS, keep_empty_features=True).fit(table[fit_rows])
        incomplete = holes.any(axis=1)
        part = table[incomplete]
        table[incomplete] = np.where(holes[incomplete], imputer.transform(part), part)
        return table
    middle = np.nanmedian if kind == "median" else np.nanmean
    fillers = middle(table[fit_rows][:, at], axis=0)
    rows, columns_of = np.nonzero(holes[:, at])
    table[rows, at[columns_of]] = fillers[columns_of]
    return table


def refilled(data: MultiViewData, split: Split) -> MultiViewData:
    """The same data with its filled cells filled anew, from the training rows of a split alone.

    Raises:
        UserError: no training row has a value in a column with a filled cell.
    """
    if data.imputation is None:
        return data
    views = {name: data.views[name] for name in data.view_names}
    observed = dict(zip(data.view_names, data.observed.T, strict=True))
    for name, cells in data.imputation.cells.items():
        holes = np.zeros(views[name].shape, dtype=bool)
        holes[cells[:, 0], cells[:, 1]] = True
        training = np.zeros(data.n_samples, dtype=bool)
        training[split.train] = True
        table = filled(name, views[name], holes, data.imputation.kind, training & observed[name])
        table[~observed[name]] = 0.0
        views[name] = table.astype(views[name].dtype)
    return data.with_views(views, observed=observed)
