"""From distances to edge weights: Eq. 1 of the paper, local scaling, cosine.

A kernel is two functions: the space in which neighbours are looked for, and the weight of an edge given the
neighbour table found there. Weights lie in [0, 1]; an edge of weight 0 stays in the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.graph.knn import Neighbours


@dataclass(frozen=True)
class Kernel:
    """One way to weigh edges.

    Args:
        space: rows -> rows among which Euclidean neighbours are looked for, (N, d) -> (N, d').
        weigh: (neighbour table, scale neighbour or None) -> weights (N, k) float32.
        in_units: whether distances in that space have the units of the rows.
    """

    space: Callable[[Tensor], Tensor]
    weigh: Callable[[Neighbours, int | None], Tensor]
    in_units: bool = True


def exp_weights(neighbours: Neighbours, scale_neighbour: int | None = None) -> Tensor:
    """Eq. 1: `exp(-d_ij / mu)`, mu the mean distance over all pairs i != j.

    When all rows are equal mu is 0 and so is every distance: the weight is 1.

    Shapes:
        neighbours of (N, k) -> (N, k) float32
    """
    del scale_neighbour
    if neighbours.mean_distance == 0.0:
        return torch.ones_like(neighbours.distances)
    return torch.exp(-neighbours.distances / neighbours.mean_distance)


def self_tuning_weights(neighbours: Neighbours, scale_neighbour: int | None = None) -> Tensor:
    """Local scaling: `exp(-d_ij^2 / (s_i s_j))`, s_i the distance of row i to its k-th neighbour.

    Zelnik-Manor and Perona, "Self-tuning spectral clustering", NIPS 2004, who took the 7th neighbour:
    `scale_neighbour=7`. A row with that many duplicates has s_i = 0; then the weight is the limit: 1 to a
    duplicate, 0 to anything else.

    Shapes:
        neighbours of (N, k) -> (N, k) float32
    Raises:
        UserError: `scale_neighbour` exceeds k.
    """
    at = neighbours.k if scale_neighbour is None else scale_neighbour
    if not 1 <= at <= neighbours.k:
        raise UserError(f"scale_neighbour = {at} must lie in 1..k = {neighbours.k}")
    distances = neighbours.distances.double()
    scale = distances[:, at - 1]
    product = scale[:, None] * scale[neighbours.indices]
    weights = torch.exp(-distances.square() / product)
    limit = (distances == 0).to(torch.float64)
    return torch.where(product > 0, weights, limit).to(torch.float32)


def unit_rows(x: Tensor) -> Tensor:
    """Rows scaled to length 1, with one column more that is 1 for rows of zeros alone.

    A row of zeros has no direction. The additional column gives it one that is orthogonal to all other rows:
    similarity 0 to them, and 1 to the other rows of zeros, which are equal to it.

    Shapes:
        x: (N, d) float32 or float64 -> (N, d + 1) of the same type
    """
    largest = x.abs().amax(1, keepdim=True)
    zero = largest == 0
    # Divided by the largest entry first, so that squares of tiny or huge entries neither vanish nor overflow.
    scaled = x.double() / torch.where(zero, 1.0, largest.double())
    unit = scaled / torch.where(zero, 1.0, scaled.norm(dim=1, keepdim=True))
    return torch.cat([unit, zero.double()], 1).to(x.dtype)


def cosine_weights(neighbours: Neighbours, scale_neighbour: int | None = None) -> Tensor:
    """Cosine similarity clipped at 0 from below, among neighbours found by cosine similarity.

    On unit rows `d^2 = 2 - 2 cos`, so Euclidean neighbours there are cosine neighbours. For rows of zeros see
    `unit_rows`.

    Shapes:
        neighbours of (N, k), found among unit rows -> (N, k) float32
    """
    del scale_neighbour
    return (1.0 - neighbours.distances.double().square() / 2).clamp(0.0, 1.0).to(torch.float32)


def _as_given(x: Tensor) -> Tensor:
    return x


KERNELS: dict[str, Kernel] = {
    "exp": Kernel(_as_given, exp_weights),
    "self-tuning": Kernel(_as_given, self_tuning_weights),
    "cosine": Kernel(unit_rows, cosine_weights, in_units=False),
}
