"""What the mini-batch loop of plain networks draws from: inputs by row, and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvgraph.errors import UserError

Rows = NDArray[np.int64]


class Samples(Protocol):
    """Labelled samples; `labels` (n,) int64 in 0..C-1."""

    @property
    def labels(self) -> Rows: ...

    def inputs(self, rows: Rows, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """What the network takes for `rows`, each (rows, ...) on the CPU.

        Args:
            rng: for samples that are cut at random (a second of a clip); fixed ones ignore it.
        """
        ...


@dataclass(frozen=True)
class ArraySamples:
    """Samples that lie in memory.

    Shapes: each of `arrays` (n, ...); labels (n,).

    Raises:
        UserError: lengths differ, or there is no sample.
    """

    arrays: tuple[Tensor, ...]
    labels: Rows

    def __post_init__(self) -> None:
        lengths = {len(array) for array in self.arrays} | {len(self.labels)}
        if len(lengths) != 1 or lengths == {0}:
            raise UserError(
                f"Inputs and labels of a network need one length above 0; they have {sorted(lengths)}."
            )

    def inputs(self, rows: Rows, rng: np.random.Generator) -> tuple[Tensor, ...]:
        chosen = torch.from_numpy(rows)
        return tuple(array[chosen] for array in self.arrays)


def batches(rows: Rows, size: int) -> Sequence[Rows]:
    """`rows` in runs of `size`; a last run of one row joins the one before, since batch norm needs two."""
    cuts = list(range(size, len(rows), size))
    if cuts and len(rows) - cuts[-1] == 1:
        cuts.pop()
    return np.split(rows, cuts)
