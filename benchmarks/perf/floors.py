"""The least that a piece of work must do: floating-point work of its dense products, and bytes that must move.

A floor is the work over the measured GEMM rate plus the bytes over the measured bandwidth; nothing is assumed to
stay in a cache between passes, and no other work (random bits, rectification, the optimiser) is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from workload import N_CLASSES, Workload

from mvgraph.features import gammatone
from mvgraph.features.gammatone_bank import block_length
from mvgraph.features.gammatone_scan import STATES
from mvgraph.graph.propagation import Propagation

#: An entry of a sparse operator: a float32 value and an int32 column.
ENTRY = 8
FLOAT = 4
#: A hidden activation is written and read forward, and so is its gradient backward.
PASSES = 4


def machine_rates(dtype: torch.dtype = torch.float32) -> dict[str, float]:
    """What this machine can do at best: GEMM in FLOP/s, memory in B/s (copy, read plus write)."""
    a, b = torch.randn(4096, 1024, dtype=dtype), torch.randn(1024, 1024, dtype=dtype)
    target = torch.empty(4096, 1024, dtype=dtype)
    gemm = 2 * 4096 * 1024 * 1024 / _best_of(lambda: torch.mm(a, b, out=target))
    source = torch.randn(32 * 2**20)
    copy = torch.empty_like(source)
    bandwidth = 2 * source.numel() * 4 / _best_of(lambda: copy.copy_(source))
    return {"gemm_flops": gemm, "bytes_per_second": bandwidth}


def _best_of(action: Callable[[], Any], rounds: int = 7) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


@dataclass(frozen=True)
class Floor:
    """Floating-point operations and bytes."""

    flops: float
    bytes: float

    def note(self, rates: dict[str, float]) -> dict[str, Any]:
        """As the report wants it: seconds and what they are made of."""
        parts = []
        if self.flops:
            parts.append(f"{self.flops / 1e9:.3g} GFLOP of dense products")
        if self.bytes:
            parts.append(f"{self.bytes / 1e9:.3g} GB moved")
        return {
            "floor_seconds": self.seconds(rates),
            "floor_of": f"{' and '.join(parts)} at this machine's measured rates",
        }

    def seconds(self, rates: dict[str, float]) -> float:
        """At the measured rates."""
        return self.flops / rates["gemm_flops"] + self.bytes / rates["bytes_per_second"]

    def __add__(self, other: Floor) -> Floor:
        return Floor(self.flops + other.flops, self.bytes + other.bytes)

    def times(self, count: int) -> Floor:
        return Floor(self.flops * count, self.bytes * count)


def epoch_floor(
    method: str,
    field: Propagation,
    workload: Workload,
    labelled: int | None = None,
    fan_out: int | None = None,
) -> Floor:
    """Forward and backward on the receptive field of the labelled rows, or of one sampled batch of them.

    Args:
        labelled: rows of the batch; None takes all.
        fan_out: neighbours drawn of each row, beside the row itself.
    """
    if method == "at-gcn":
        return sum((_at_view(field, workload, *view) for view in workload.scale.widths), Floor(0, 0))
    first, second = workload.scale.hidden
    width = sum(w for _, w in workload.scale.widths)
    views = len(workload.scale.widths)
    n1, n2 = _rows(field, 1, None), labelled or workload.scale.labelled
    head = 3 * n2 * (first + second) * N_CLASSES
    # dm-gcn: product, gradient of W, and of the mixture for theta; the mean has no theta.
    inner = (3 if method == "dm-gcn" else 2) * n1 * width * first
    if fan_out is None:
        entries = sum(_entries(field, 2, None, view, workload) for view, _ in workload.scale.widths)
    else:
        entries = n2 * (fan_out + 1) * views
    read = views if method == "dm-gcn" else 1
    moved = 2 * read * n1 * width * FLOAT + PASSES * n1 * first * FLOAT + 2 * entries * ENTRY
    return Floor(2.0 * (inner + 3 * n1 * first * second + head), moved)


def search_floor(nodes: int, width: int) -> Floor:
    """One GEMM over all pairs, whose result is never written."""
    return Floor(2.0 * nodes * nodes * width, 0.0)


def cells_floor(nodes: int, width: int, cells: int, probed: int, sample: int) -> Floor:
    """Approximate search by an inverted file: products that choose cells (to file rows and to search them), with
    the rows of the probed cells if all were of one size, and of the sample with everything (recall and mean).
    """
    pairs = 2 * nodes * cells + nodes * nodes * probed / cells + 2 * sample * nodes
    return Floor(2.0 * pairs * width, 0.0)


def laplacian_floor(edges: int) -> Floor:
    """Every entry read once and written once."""
    return Floor(0.0, 2.0 * edges * ENTRY)


def inference_floor(nodes: int, edges: int, workload: Workload) -> Floor:
    """DM-GCN on all rows: the products of both layers and the head, every entry in both layers, every feature of
    a view read and every activation written and read.
    """
    first, second = workload.scale.hidden
    width = sum(w for _, w in workload.scale.widths)
    flops = nodes * (width * first + first * second + (first + second) * N_CLASSES)
    features = len(workload.scale.widths) * nodes * width
    return Floor(2.0 * flops, FLOAT * (features + 2 * nodes * (first + second)) + 2.0 * edges * ENTRY)


def gammatone_floor(samples: int) -> Floor:
    """The dense products of three planes in block form (float64): see `mvgraph.features.gammatone_bank`.

    Moments of the samples and their quadratic forms for three planes; inputs to the states and the two products of
    the states for two channels, from which the third plane follows.
    """
    unit = gammatone.window_and_hop(gammatone.SAMPLE_RATE)[1]
    block = block_length(unit)
    assert block is not None
    bands = gammatone.BANDS
    moments = 3 * samples * block
    forms = 3 * (samples // unit) * block**2 * bands
    inputs = 2 * samples * bands * 2 * STATES
    states = 2 * (samples // block) * bands * 2 * STATES**2
    return Floor(2.0 * (moments + forms + inputs + states), 0.0)


def copy_floor(read: int, written: int) -> Floor:
    """Bytes read once and bytes written once, as if files were memory."""
    return Floor(0.0, float(read + written))


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
