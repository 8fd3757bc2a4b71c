"""Scaling whose statistics are kept, so that later rows are scaled like the first ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mvgraph.data.scaling import BLOCK_COLUMNS, KINDS, column_statistics, scaled_columns, unit_rows
from mvgraph.errors import UserError


@dataclass(frozen=True)
class StoredScaling:
    """The scaling of `mvgraph.data.scale_views` with scope "all", as numbers.

    Args:
        kind: "none", "zscore", "minmax" or "l2".
        offsets: view -> what is subtracted from each column, for "zscore" and "minmax".
        widths: view -> what each column is divided by; 0 for a constant column, which becomes 0.

    Shapes:
        offsets[v], widths[v]: (d_v,) float64.
    """

    kind: str
    offsets: Mapping[str, np.ndarray]
    widths: Mapping[str, np.ndarray]

    @classmethod
    def fit(cls, kind: str, views: Mapping[str, np.ndarray], observed: np.ndarray) -> StoredScaling:
        """Statistics of the rows that have each view.

        Shapes:
            views[v]: (N, d_v); observed: (N, V), views in the order of their names.
        Raises:
            UserError: an unknown kind.
        """
        if kind not in KINDS:
            raise UserError(f"scaling={kind!r}: choose one of {', '.join(KINDS)}.")
        offsets, widths = {}, {}
        if kind in ("zscore", "minmax"):
            for v, name in enumerate(sorted(views)):
                offsets[name], widths[name] = _statistics(kind, views[name], observed[:, v])
        return cls(kind, offsets, widths)

    def apply(
        self,
        views: Mapping[str, np.ndarray],
        observed: np.ndarray,
        like: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        """Scaled rows, zeros where a row lacks the view.

        Args:
            like: the scaled rows of the fit, whose types later rows take; without them a view keeps its own.

        Shapes:
            views[v]: (M, d_v); observed: (M, V) -> (M, d_v) float32 or float64.
        Raises:
            UserError: scaled values beyond the type.
        """
        scaled = {}
        for v, name in enumerate(sorted(views)):
            rows = views[name]
            kind = rows.dtype if like is None else like[name].dtype
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                if self.kind == "l2":
                    rows = unit_rows(rows)
                elif self.kind != "none":
                    rows = scaled_columns(rows, self.offsets[name], self.widths[name])
                scaled[name] = np.where(observed[:, [v]], rows, 0.0).astype(kind)
            if not np.isfinite(scaled[name]).all():
                row = int(np.flatnonzero(~np.isfinite(scaled[name]).all(axis=1))[0])
                raise UserError(
                    f"View {name!r}, row {row}: the scaled values are too large for {kind}; the row lies very far "
                    "from those of the fit."
                )
        return scaled


def _statistics(kind: str, view: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offset and width of every column, (d_v,) each."""
    offsets, widths = [], []
    for start in range(0, view.shape[1], BLOCK_COLUMNS):
        block = view[:, start : start + BLOCK_COLUMNS].astype(np.float64)[rows]
        offset, width = column_statistics(kind, block, exact=view.dtype == np.float64)
        offsets.append(offset)
        widths.append(width)
    return np.concatenate(offsets), np.concatenate(widths)
