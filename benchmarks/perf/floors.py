"""The least that an epoch must do: floating-point work of its dense products, and bytes that must move.

A floor is the work over the measured GEMM rate plus the bytes over the measured bandwidth; nothing is assumed to
stay in a cache between passes, and no other work (random bits, rectification, the optimiser) is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workload import N_CLASSES, Workload

from mvgraph.graph.propagation import Propagation

#: An entry of a sparse operator: a float32 value and an int32 column.
ENTRY = 8
FLOAT = 4
#: A hidden activation is written and read forward, and so is its gradient backward.
PASSES = 4


@dataclass(frozen=True)
class Floor:
    """Floating-point operations and bytes of one epoch, forward and backward."""

    flops: float
    bytes: float

    def note(self, rates: dict[str, float]) -> dict[str, Any]:
        """As the report wants it: seconds and what they are made of."""
        return {
            "floor_seconds": self.flops / rates["gemm_flops"] + self.bytes / rates["bytes_per_second"],
            "floor_of": f"{self.flops / 1e9:.1f} GFLOP of dense products and {self.bytes / 1e9:.2f} GB moved",
        }

    def __add__(self, other: Floor) -> Floor:
        return Floor(self.flops + other.flops, self.bytes + other.bytes)

    def times(self, count: int) -> Floor:
        return Floor(self.flops * count, self.bytes * count)


def epoch_floor(method: str, field: Propagation, workload: Workload) -> Floor:
    """On the receptive field of the labelled rows."""
    if method == "at-gcn":
        return sum((_at_view(field, workload, *view) for view in workload.scale.widths), Floor(0, 0))
    first, second = workload.scale.hidden
    width = sum(w for _, w in workload.scale.widths)
    views = len(workload.scale.widths)
    n1, n2 = _rows(field, 1, None), workload.scale.labelled
    head = 3 * n2 * (first + second) * N_CLASSES
    # dm-gcn: product, gradient of W, and of the mixture for theta; the mean has no theta.
    inner = (3 if method == "dm-gcn" else 2) * n1 * width * first
    entries = sum(_entries(field, 2, None, view, workload) for view, _ in workload.scale.widths)
    read = views if method == "dm-gcn" else 1
    moved = 2 * read * n1 * width * FLOAT + PASSES * n1 * first * FLOAT + 2 * entries * ENTRY
    return Floor(2.0 * (inner + 3 * n1 * first * second + head), moved)


def search_floor(nodes: int, width: int) -> Floor:
    """One GEMM over all pairs, whose result is never written."""
    return Floor(2.0 * nodes * nodes * width, 0.0)


def _at_view(field: Propagation, workload: Workload, view: str, width: int) -> Floor:
    first, second = workload.scale.hidden
    r1, r2, r3 = (_rows(field, level, view) for level in (1, 2, 3))
    specific = 2 * r1 * width * first + 3 * r1 * first * second
    common = 3 * r3 * second * first + 3 * r3 * first * second
    entries = sum(_entries(field, level, view, view, workload) for level in (2, 3, 4))
    moved = 2 * r1 * width + PASSES * (r1 * first + r2 * second + r3 * first)
    return Floor(2.0 * (specific + common), moved * FLOAT + 2 * entries * ENTRY)


def _rows(field: Propagation, level: int, view: str | None) -> int:
    rows = field.rows(level, view)
    assert rows is not None
    return rows.numel()


def _entries(field: Propagation, level: int, group: str | None, view: str, workload: Workload) -> int:
    """Stored entries of the rows that a level holds, self loops included."""
    rows = field.rows(level, group)
    assert rows is not None
    indptr = workload.graph.adjacency[view].indptr
    return int((indptr[rows + 1] - indptr[rows] + 1).sum())
