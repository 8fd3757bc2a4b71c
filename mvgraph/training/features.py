"""From the views of a data set to the tensors in which networks compute: the one place where float64 ends."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from mvgraph.data import MultiViewData
from mvgraph.data.resolution import lost_in_float32
from mvgraph.errors import UserError


def feature_tensors(data: MultiViewData, device: torch.device) -> dict[str, Tensor]:
    """Every view in float32, with a warning for one of which that loses something.

    Shapes: view -> (N, d_v) float32.
    Raises:
        UserError: a view with values beyond float32.
    """
    return {
        view: torch.tensor(_in_float32(view, data.views[view], data.observed[:, column])).to(device)
        for column, view in enumerate(data.view_names)
    }


def _in_float32(view: str, rows: np.ndarray, present: np.ndarray) -> np.ndarray:
    if rows.dtype == np.float32:
        return rows
    loss = lost_in_float32(rows, present)
    with np.errstate(over="ignore", under="ignore"):
        held = rows.astype(np.float32)
    if not np.isfinite(held).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(held))[0])
        raise UserError(
            f"View {view!r} holds {rows[row, column]:.6g} in row {row}, column {column}, beyond float32, in which "
            "networks compute; scale it (zscore)."
        )
    if loss is not None:
        warnings.warn(
            f"A network computes in float32, which cannot hold view {view!r}: column {loss.column} {loss.why}; "
            "scale it (zscore).",
            stacklevel=2,
        )
    return held
