"""The rows of one view, made ready for distances from matrix products, and how wrong such distances can be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mvgraph.data.resolution import suited
from mvgraph.errors import UserError


def as_rows(
    x: Tensor | np.ndarray, device: torch.device | str | None = None, present: Tensor | None = None
) -> Tensor:
    """`x` as an (N, d) tensor on `device` (where it is, by default).

    float32, or float64 where float32 would lose something of the rows that are `present` (see
    `mvgraph.data.resolution`).

    Shapes:
        x: (N, d); present: (N,) bool, all by default
    """
    if isinstance(x, np.ndarray) and not x.flags.writeable:
        x = x.copy()  # torch has no read-only tensors and warns about sharing such memory
    rows = torch.as_tensor(x).detach()
    if rows.ndim != 2:
        raise UserError(f"a view must have two dimensions (rows, features), not shape {tuple(rows.shape)}")
    kind = torch.float32
    if rows.dtype in (torch.float64, torch.int32, torch.int64) and rows.shape[1]:
        mask = None if present is None else present.cpu().numpy()
        if suited(rows.cpu().numpy(), mask) is np.float64:
            kind = torch.float64
    return rows.to(device=device, dtype=kind)


def within_float32(rows: Tensor) -> tuple[Tensor, float]:
    """Rows whose distances float32 can hold, and the power of two they were divided by (exactly; mostly 1).

    Shapes:
        rows: (N, d)
    """
    if rows.dtype != torch.float64 or not rows.numel():
        return rows, 1.0
    half = float((rows.amax(0) / 2 - rows.amin(0) / 2).max())
    if not math.isfinite(half) or half == 0:
        return rows, 1.0
    # No distance is longer than 2^most.
    most = math.frexp(half)[1] + 1 + math.ceil(math.log2(rows.shape[1]) / 2)
    if most > MOST:
        unit = 2.0 ** (most - MOST)
    elif most < -MOST // 2:
        unit = 2.0 ** max(most, -1074)
    else:
        return rows, 1.0
    return rows / unit, unit


_LIBRARIES = (torch.backends.cuda, torch.backends.mkldnn)
_HAS_SWITCHES = all(hasattr(getattr(library, "matmul", None), "fp32_precision") for library in _LIBRARIES)

#: Rows, evenly spread, whose medians are the centre.
CENTRE_ROWS = 1024
#: The largest power of two that a distance may reach in float32, with room for a square of its rounding.
MOST = 125
#: Elements of a table taken to float64 at a time.
WIDE_ELEMENTS = 2**22


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows and their centred, rescaled twin.

    Distances are blind to a shift and squared norms are not: columns are centred, lest |x|^2 + |y|^2 - 2 x.y
    cancel; on medians, which a few far rows do not draw away from all others. Rows are divided by a power of
    two, which is exact, lest squares overflow or vanish.

    Shapes:
        given: (N, d) float32 or float64, from which distances are computed in the end
        centred: (N, d) float32, `(given - column medians) / unit`, longest row about 1
        norms: (N,) float32, squared lengths of `centred`
    """

    given: Tensor
    centred: Tensor
    norms: Tensor
    unit: float

    @classmethod
    def of(cls, given: Tensor) -> Rows:
        """Raises UserError unless all values, and all distances, are finite in float32."""
        if given.shape[1] == 0:
            raise UserError("a view needs at least one column")
        parts = given.split(max(1, WIDE_ELEMENTS // given.shape[1]))
        centre = given[:: max(1, len(given) // CENTRE_ROWS)].double().median(0).values
        # torch's maximum keeps a NaN, Python's may lose it.
        lengths = torch.stack([torch.linalg.vector_norm(part - centre, dim=1).max() for part in parts])
        largest = float(lengths.max())
        if not math.isfinite(largest):
            raise UserError(
                "kNN needs finite values; repair the rows that hold NaN or infinity, or mask them"
            )
        if largest > torch.finfo(torch.float32).max / 4:
            raise UserError(
                "kNN needs finite distances, but values are too large for float32; scale the view"
            )
        unit = 2.0 ** math.frexp(largest)[1] if largest > 0 else 1.0
        centred = torch.cat([((part - centre) / unit).to(torch.float32) for part in parts])
        norms = torch.cat(
            [
                torch.linalg.vector_norm(part.double(), dim=1).square().to(torch.float32)
                for part in centred.split(parts[0].shape[0])
            ]
        )
        return cls(given, centred, norms, unit)

    @property
    def n(self) -> int:
        return self.given.shape[0]

    @property
    def d(self) -> int:
        return self.given.shape[1]

    @property
    def device(self) -> torch.device:
        return self.given.device

    @property
    def rounding(self) -> float:
        """Bound on |computed - true| / (|x| + |y|)^2 for a squared distance from a float32 matrix product.

        A sum of d + 2 products in any order errs by at most (d + 2) u / (1 - (d + 2) u) times the sum of their
        magnitudes, which is (|x| + |y|)^2 (u = eps / 2; Higham, "Accuracy and stability of numerical
        algorithms", section 3.1). Twice that, and some, covers the rounding of centring and of the norms.
        """
        return (self.d + 8) * torch.finfo(torch.float32).eps

    def bound(self, which: Tensor | slice, distance: Tensor) -> Tensor:
        """Computed squared distance that no row at most `distance` away exceeds.

        A row that is at most `distance` from x is at most |x| + `distance` long, so only its rounding counts,
        however long other rows are.

        Shapes:
            which: (M,) or a slice of rows; distance: (M,) in the units of `given` -> (M,) float64
        """
        scaled = distance.double() / self.unit
        length = self.norms[which].double().sqrt()
        return scaled.square() + self.rounding * (2 * length + scaled).square()


@contextmanager
def full_precision() -> Iterator[None]:
    """Matrix products in true float32 (not TF32 or bfloat16) while distances are computed."""
    if not _HAS_SWITCHES:  # torch before 2.9
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)
        return
    libraries: tuple[Any, ...] = _LIBRARIES
    switches = [library.matmul for library in libraries]
    # One switch per library: torch refuses to read the common one when a user has set them apart.
    chosen = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, precision in zip(switches, chosen, strict=True):
            switch.fp32_precision = precision
