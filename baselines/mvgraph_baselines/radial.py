"""The sum of radial kernels of several views, over the views that two rows share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from scipy.spatial.distance import cdist

from mvgraph.errors import UserError

#: Entries between rows that are asked about and training rows, held at a time.
BLOCK = 2**16


class RadialKernel:
    r"""The mean of Gaussian kernels over the views that both rows have.

    .. math::

        K(x, y) = \frac{\sum_{v \in V(x) \cap V(y)} \exp(-\gamma \lVert x_v - y_v \rVert^2 / s_v)}
                       {\sqrt{|V(x)| \, |V(y)|}}

    s_v is the mean squared distance between training rows that have view v. K is positive definite whatever is
    missing, and K(x, x) = 1.

    Args:
        views: training rows of each view.
        observed: which row has which view.

    Shapes:
        views[v]: (M, d_v); observed: (M, V) bool.
    """

    def __init__(self, views: Sequence[np.ndarray], observed: np.ndarray) -> None:
        self.views = [x.astype(np.float64) for x in views]
        self.observed = observed

    @cached_property
    def scales(self) -> list[float]:
        """s_v of every view; 1 where all rows are equal."""
        found = []
        for v, x in enumerate(self.views):
            rows = x[self.observed[:, v]]
            # The mean over pairs is twice the variance, whatever the number of rows.
            mean = 2.0 * float(rows.var(axis=0, ddof=1).sum()) if len(rows) > 1 else 0.0
            found.append(mean if mean > 0 else 1.0)
        return found

    def among(self, kept: np.ndarray) -> RadialKernel:
        """Of some of the training rows. Shapes: kept (M,) bool."""
        return RadialKernel([x[kept] for x in self.views], self.observed[kept])

    def squared(self, views: Sequence[np.ndarray], observed: np.ndarray) -> list[np.ndarray]:
        """Squared distances in units of s_v; infinite where one of the rows lacks the view. Shapes: (N, M)."""
        found = []
        for v, (x, own, scale) in enumerate(zip(views, self.views, self.scales, strict=True)):
            # By differences: an entry does not depend on which rows are asked about together.
            table = cdist(x.astype(np.float64), own, "sqeuclidean")
            table /= scale
            table[~observed[:, v]] = np.inf
            table[:, ~self.observed[:, v]] = np.inf
            found.append(table)
        return found

    def table(self, squared: Sequence[np.ndarray], observed: np.ndarray, gamma: float) -> np.ndarray:
        """K of rows from their squared distances. Shapes: squared[v] (N, M); observed (N, V) -> (N, M)."""
        total = np.zeros_like(squared[0])
        for each in squared:
            total += np.exp(-gamma * each)
        total /= np.sqrt(np.maximum(observed.sum(axis=1), 1))[:, None]
        total /= np.sqrt(np.maximum(self.observed.sum(axis=1), 1))
        return total

    def to(
        self, views: Sequence[np.ndarray], observed: np.ndarray, gamma: float
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows by blocks: which, and their K with the training rows."""
        step = max(1, BLOCK // len(self.observed))
        for start in range(0, len(observed), step):
            part = slice(start, start + step)
            squared = self.squared([x[part] for x in views], observed[part])
            yield part, self.table(squared, observed[part], gamma)

    def check_memory(self, method: str, limit_mib: float) -> None:
        """Refuse a table over all pairs of training rows that is too large.

        Raises:
            UserError: it takes more than `limit_mib`.
        """
        n = len(self.observed)
        needed = 8.0 * n**2 * (len(self.views) + 1) / 2**20
        if needed > limit_mib:
            raise UserError(
                f"{method}: kernels over {n} training rows take {needed:.0f} MiB, more than memory_mib={limit_mib:g}; "
                "label fewer rows, or allow more."
            )
