"""The check that nothing of size N x N is ever held."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mvgraph.contract.case import MethodCase
from mvgraph.contract.result import require
from mvgraph.contract.synthetic import blobs, ring
from mvgraph.data import Split

#: Bytes per pair of samples above which growth counts as quadratic; one N x N table of booleans has 1.
ALLOWED = 0.5
#: N, 2 N and 4 N samples are tried, from the smallest N on; in doubt up to the largest 4 N.
SMALLEST, LARGEST = 512, 8192
#: Bytes that a larger size may be expected to take; beyond, the verdict stands as it is.
BUDGET = 2**30


def no_matrix_over_all_pairs(case: MethodCase) -> None:
    """Peak memory of a fit at fixed degree grows with N, not with N^2.

    A polynomial p(N) = a N^2 + b N + c has p(4N) - 3 p(2N) + 2 p(N) = 6 a N^2, whatever b and c are: that
    isolates the part that a matrix over all pairs would add. Bytes are counted, not read from the
    operating system: tensors as torch makes and frees them, the rest (numpy, scipy) by tracemalloc.
    Where the peak moves from one phase of the fit to another, p bends although nothing is quadratic; such
    a bend is gone at larger sizes, so what looks quadratic has to look so up to the largest.
    """
    with _LiveTensors():
        _one_epoch(case, 60)()  # imports and caches that the first fit fills belong to no size
    sizes = [SMALLEST, 2 * SMALLEST, 4 * SMALLEST]
    peaks = [peak_bytes(_one_epoch(case, n)) for n in sizes]
    per_pair = _quadratic_part(sizes, peaks)
    while per_pair > ALLOWED and sizes[-1] < LARGEST and per_pair * (2 * sizes[-1]) ** 2 < BUDGET:
        sizes = [*sizes[1:], 2 * sizes[-1]]
        peaks = [*peaks[1:], peak_bytes(_one_epoch(case, sizes[-1]))]
        per_pair = _quadratic_part(sizes, peaks)
    require(
        per_pair <= ALLOWED,
        f"peak memory of a fit at N = {', '.join(map(str, sizes))} is "
        f"{', '.join(f'{peak / 2**20:.1f}' for peak in peaks)} MiB, so about {per_pair:.2f} bytes per pair of "
        "samples are held; work through sparse products or blocks of rows.",
    )


def _quadratic_part(sizes: list[int], peaks: list[int]) -> float:
    """Bytes per pair of samples, from sizes N, 2N, 4N."""
    small, middle, large = peaks
    return (large - 3 * middle + 2 * small) / (6 * sizes[0] ** 2)


def _one_epoch(case: MethodCase, n_samples: int) -> Callable[[], object]:
    data = blobs(2, n_samples)
    graph = ring(n_samples, data.view_names)
    tenth = np.arange(n_samples) % 10
    train, validation, test = (np.flatnonzero(tenth == part) for part in (0, 1, 2))
    split = Split(train, validation, test)
    return lambda: case.fit(data, split, graph, training={"epochs": 1})


def peak_bytes(work: Callable[[], object]) -> int:
    """The most bytes that `work` holds at one time, in tensors and in memory that Python knows of."""
    # What lives already is left out of collections, which would look at all of it again and again.
    gc.freeze()
    nested = tracemalloc.is_tracing()
    if not nested:
        tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        with _LiveTensors() as live:
            work()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if not nested:
            tracemalloc.stop()
        gc.unfreeze()
    return live.peak + max(0, peak - before)


class _LiveTensors(TorchDispatchMode):
    """Adds up the bytes of every tensor that an operation returns for as long as its memory lives."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._live = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf)
        return result

    def _count(self, tensor: torch.Tensor) -> None:
        try:
            storage = tensor.untyped_storage()
        except NotImplementedError:  # a sparse tensor; its parts are tensors of their own
            return
        key = storage._cdata
        if key in self._sizes:
            return
        self._sizes[key] = storage.nbytes()
        self._live += storage.nbytes()
        self.peak = max(self.peak, self._live)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self._live -= self._sizes.pop(key, 0)
