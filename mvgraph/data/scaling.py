"""Scaling of views, with a declared scope: which rows the statistics come from."""

from __future__ import annotations

import numpy as np

from mvgraph.data.frozen import read_only
from mvgraph.data.multiview import MultiViewData
from mvgraph.data.split import Split
from mvgraph.errors import UserError

KINDS = ("none", "zscore", "minmax", "l2")
SCOPES = ("all", "train")
#: Columns turned into float64 in one go, so that a wide view is never held twice in double precision.
BLOCK_COLUMNS = 256


def scale_views(
    data: MultiViewData, kind: str, scope: str = "all", split: Split | None = None
) -> MultiViewData:
    """Scale each view on its own; missing rows stay zero.

    kind 'zscore': (x - mean) / standard deviation (population, ddof = 0) per column.
    kind 'minmax': (x - min) / (max - min) per column; with scope 'train' other rows may leave [0, 1].
    kind 'l2': each row divided by its Euclidean length (a zero row stays zero); needs no statistics, so the
    scope changes nothing.
    Columns that are constant within the scope become 0.

    A view held in float64 is scaled in float64; the result is float32 where that holds it.

    Statistics come in float64 from the observed rows of the scope: 'all' rows (no labels are used, the usual
    transductive protocol), or the rows of `split.train` alone.

    Raises:
        UserError: unknown kind or scope, scope 'train' without a split, or a view that no training row has.
    """
    if kind not in KINDS:
        raise UserError(f"There is no scaling {kind!r}; there are {', '.join(KINDS)}.")
    if scope not in SCOPES:
        raise UserError(f"There is no scaling scope {scope!r}; there are {', '.join(SCOPES)}.")
    if scope == "train" and split is None:
        raise UserError("Scaling with scope 'train' needs the split whose training rows it is fitted on.")
    if kind == "none":
        return data
    in_scope = np.ones(data.n_samples, dtype=bool)
    if scope == "train" and split is not None:
        if int(split.train[-1]) >= data.n_samples:
            raise UserError(
                f"The split names training row {int(split.train[-1])}, but there are {data.n_samples} "
                "samples."
            )
        in_scope[:] = False
        in_scope[split.train] = True
    views = {}
    for column, name in enumerate(data.view_names):
        observed, view = data.observed[:, column], data.views[name]
        if kind == "l2":
            views[name] = read_only(unit_rows(view).astype(view.dtype))
            continue
        fit_rows = observed & in_scope
        if not fit_rows.any():
            raise UserError(f"View {name!r} is observed for no training row, so that it cannot be scaled.")
        views[name] = read_only(_scaled_columns(view, kind, fit_rows, observed))
    observed_of = {name: data.observed[:, column] for column, name in enumerate(data.view_names)}
    return data.with_views(views, observed=observed_of)


def column_statistics(kind: str, block: np.ndarray, exact: bool) -> tuple[np.ndarray, np.ndarray]:
    """What is subtracted from each column, and what it is then divided by; 0 where a column is constant.

    Args:
        kind: "zscore" or "minmax".
        block: float64 columns.
        exact: of a view that float32 cannot hold: offsets and powers of two are taken out before sums, so that a
            large common offset rounds nothing away and squares neither vanish nor overflow.

    Shapes:
        block: (N, d) -> (d,), (d,) float64.
    Raises:
        UserError: a column whose range is beyond float64.
    """
    low, high = block.min(axis=0), block.max(axis=0)
    far = np.flatnonzero(high / 2 - low / 2 > np.finfo(np.float64).max / 4)
    if far.size:
        raise UserError(
            f"Column {int(far[0])} of a view reaches from {low[far[0]]:.3g} to {high[far[0]]:.3g}, too far to be "
            "scaled; divide it by a constant first."
        )
    if kind == "minmax":
        offset, width = low, high - low
    elif exact:
        unit = np.ldexp(1.0, np.frexp(high / 2 - low / 2)[1])
        shifted = block / unit - low / unit
        offset, width = low + shifted.mean(axis=0) * unit, shifted.std(axis=0) * unit
    else:
        offset, width = block.mean(axis=0), block.std(axis=0)
    # Decided by min = max, which no rounding can touch.
    return offset, np.where(low == high, 0.0, width)


def scaled_columns(block: np.ndarray, offset: np.ndarray, width: np.ndarray) -> np.ndarray:
    """(x - offset) / width, 0 where the width is 0, in float64."""
    moved = (block.astype(np.float64) - offset) / np.where(width == 0.0, 1.0, width)
    return np.where(width == 0.0, 0.0, moved)


def unit_rows(view: np.ndarray) -> np.ndarray:
    """Rows of length 1 (a row of zeros stays), of float64 views in float64."""
    if view.dtype == np.float64:
        largest = np.abs(view).max(axis=1, keepdims=True)
        view = view / np.where(largest == 0.0, 1.0, largest)
    lengths = np.sqrt(np.einsum("nd,nd->n", view, view, dtype=np.float64))
    return np.asarray(view / np.where(lengths == 0.0, 1.0, lengths)[:, None])


def _scaled_columns(view: np.ndarray, kind: str, fit_rows: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Shapes: view (N, d_v), fit_rows and observed (N,) bool -> (N, d_v) of the type of the view."""
    result = np.zeros_like(view)
    for start in range(0, view.shape[1], BLOCK_COLUMNS):
        block = view[:, start : start + BLOCK_COLUMNS].astype(np.float64)
        offset, width = column_statistics(kind, block[fit_rows], exact=view.dtype == np.float64)
        result[observed, start : start + BLOCK_COLUMNS] = scaled_columns(block, offset, width)[observed]
    return result
