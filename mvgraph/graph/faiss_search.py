"""Candidates from faiss: an exact fast path, and approximate search whose recall is measured.

faiss is optional (`pip install mvgraph[faiss]`), runs on the CPU, and only proposes: distances and the order of
neighbours are settled as everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.graph.rows import Rows
from mvgraph.graph.settle import settle_table

#: Rows on which recall is measured and from which the mean distance is estimated.
SAMPLE = 1024
#: Recall at which an approximate index stops searching wider.
TARGET_RECALL = 0.95


def exact_candidates(rows: Rows, width: int) -> tuple[Tensor, Tensor]:
    """The `width` nearest of every row by faiss' exact search.

    Shapes:
        -> values (N, width) float32, squared distances of centred rows as faiss rounds them; columns (N, width)
    """
    faiss = _faiss()
    data = _numpy(rows.centred)
    with _threads(faiss):
        values, columns = faiss.knn(data, data, width + 1)
    everybody = torch.arange(rows.n)
    values, columns = _without_self(torch.from_numpy(values), torch.from_numpy(columns), everybody)
    return values.to(rows.device), columns.to(rows.device)


def approximate_candidates(rows: Rows, k: int, kind: str) -> tuple[Tensor, float]:
    """About the k nearest of every row by an index, and the recall on a sample of rows.

    "ivf": k-means cells (4 sqrt(N) of them), of which as many are probed as the sample needs for a recall of
    0.95. "hnsw": a navigable small world graph, searched as wide as the sample needs; it is built on one
    thread, since otherwise its edges change from run to run. Recall counts neighbours no farther than the true
    k-th. Rows for which the index finds fewer than k are searched exactly.

    Shapes:
        -> columns (N, k) int64, recall in 0..1
    Raises:
        UserError: faiss is not installed, or `kind` is unknown.
    """
    faiss = _faiss()
    data = _numpy(rows.centred)
    sample = sample_rows(rows.n)
    with _threads(faiss):
        _, nearest = faiss.knn(data[sample], data, k + 1)
        _, nearest = _without_self(None, torch.from_numpy(nearest), sample)
        limit = settle_table(rows.given, sample.to(rows.device), nearest.to(rows.device), k)[1][:, -1]
        index, widths = _index(faiss, data, k, kind)
        for width in widths:
            _set_width(faiss, index, kind, width)
            found = _search(faiss, index, data, sample, k)
            distance = settle_table(rows.given, sample.to(rows.device), found.to(rows.device), k)[1]
            recall = float((distance <= limit[:, None]).double().mean())
            if recall >= TARGET_RECALL:
                break
        columns = torch.cat(
            [_search(faiss, index, data, part, k) for part in torch.arange(rows.n).split(2**16)]
        )
    return columns.to(rows.device), recall


def sample_rows(n: int) -> Tensor:
    """`SAMPLE` rows drawn without replacement (all, if fewer), the same for the same n, ascending, int64."""
    generator = torch.Generator().manual_seed(n)
    return torch.randperm(n, generator=generator)[:SAMPLE].sort().values


def sampled_mean(rows: Rows, sample: Tensor) -> tuple[float, float]:
    """Mean distance of sampled rows to all others, and its standard error, in the units of `given`.

    Shapes:
        sample: (S,) int64
    """
    means = []
    for part in sample.to(rows.device).split(max(1, 2**24 // rows.n)):
        squared = torch.addmm(rows.norms[None], rows.centred[part], rows.centred.T, alpha=-2.0)
        squared += rows.norms[part, None]
        squared[torch.arange(part.numel(), device=rows.device), part] = 0.0
        means.append(squared.clamp_(min=0.0).sqrt_().sum(1, dtype=torch.float64) / (rows.n - 1))
    each = torch.cat(means)
    left_out = 1 - each.numel() / rows.n
    error = float(each.std()) * (left_out / each.numel()) ** 0.5 if each.numel() > 1 else 0.0
    return float(each.mean()) * rows.unit, error * rows.unit


def _index(faiss: Any, data: np.ndarray, k: int, kind: str) -> tuple[Any, list[int]]:
    """An index that holds the data, and how wide to search it, narrow first."""
    n, d = data.shape
    if kind == "ivf":
        cells = max(1, min(round(4 * n**0.5), n // 39))
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(d), d, cells)
        index.cp.seed = 0
        # Cells need not be good; with the 256 points per cell of faiss, training would take most of the time.
        index.cp.max_points_per_centroid = 64
        index.train(data)
        index.add(data)
        return index, [*(2**power for power in range(3, cells.bit_length()) if 2**power < cells), cells]
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(d, 32)
        index.hnsw.efConstruction = 100
        with _threads(faiss, 1):
            index.add(data)
        return index, [2**power for power in range((2 * k).bit_length(), (32 * k).bit_length() + 1)]
    raise UserError(f"approx {kind!r} is unknown; choose 'ivf' or 'hnsw'")


def _set_width(faiss: Any, index: Any, kind: str, width: int) -> None:
    if kind == "ivf":
        index.nprobe = width
    else:
        index.hnsw.efSearch = width


def _search(faiss: Any, index: Any, data: np.ndarray, which: Tensor, k: int) -> Tensor:
    """About the k nearest of some rows, themselves left out, (M,) -> (M, k)."""
    query = data[which.numpy()]
    _, columns = index.search(query, k + 1)
    short = (columns < 0).any(1)
    if short.any():
        columns[short] = faiss.knn(query[short], data, k + 1)[1]
    return _without_self(None, torch.from_numpy(columns), which)[1]


def _without_self(values: Tensor | None, columns: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """A table one column narrower: without the row itself, or without the last where it is not found.

    Shapes:
        values, columns: (M, c + 1); which: (M,) -> (M, c), (M, c)
    """
    drop = columns == which[:, None]
    drop[~drop.any(1), -1] = True
    shape = (columns.shape[0], columns.shape[1] - 1)
    kept = columns[~drop].view(shape)
    return (kept if values is None else values[~drop].view(shape)), kept


def _numpy(centred: Tensor) -> np.ndarray:
    return np.ascontiguousarray(centred.cpu().numpy())


@contextmanager
def _threads(faiss: Any, number: int | None = None) -> Iterator[None]:
    """faiss on as many threads as torch has."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(number or torch.get_num_threads())
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise UserError(
            'faiss is not installed; install mvgraph[faiss], or leave out approx= and backend="faiss"'
        ) from None
    return faiss
