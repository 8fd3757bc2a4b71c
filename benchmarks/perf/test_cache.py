"""A graph from the cache: what mapping it with its sums compared costs, against building it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from workload import Scale, clustered_views

import mvgraph as mv
from mvgraph.data.integrity import sums_of

Note = Callable[..., None]


def test_cached_graph(benchmark: Any, note: Note, scale: Scale, tmp_path: Path) -> None:
    """The 128-d view: built, filed, then mapped; the sums alone are timed beside it."""
    views = {"audio": torch.from_numpy(clustered_views(scale)[0]["audio"])}
    begun = time.perf_counter()
    mv.build_graph(views, k=scale.k)
    building = time.perf_counter() - begun
    built = mv.build_graph(views, k=scale.k, cache=tmp_path)
    (entry,) = (path.parent for path in tmp_path.glob("??/*/graph.json"))
    names = [path.name for path in entry.glob("*.npy")]
    verifying = []
    for _ in range(5):
        begun = time.perf_counter()
        sums_of(entry, names)
        verifying.append(time.perf_counter() - begun)
    note(
        "graph of one view from the cache",
        "mvgraph",
        building_seconds=building,
        verifying_seconds=min(verifying),
        verifying=min(verifying) / building,
        mib=sum(path.stat().st_size for path in entry.iterdir()) / 2**20,
    )
    found = benchmark.pedantic(lambda: mv.build_graph(views, k=scale.k, cache=tmp_path), rounds=5)
    assert found.hash == built.hash
