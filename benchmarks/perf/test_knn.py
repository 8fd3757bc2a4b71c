"""Exact nearest neighbours with the exact mean distance of one 128-d view, against kept libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import peers
import pytest
import torch
from floors import search_floor
from memory import extra_peak_mib
from workload import Scale, clustered_views

import mvgraph as mv

Note = Callable[..., None]


@pytest.fixture(scope="module")
def audio(scale: Scale) -> np.ndarray:
    """(N, 128) float32."""
    return clustered_views(scale)[0]["audio"]


def test_knn_ours(
    benchmark: Any, note: Note, audio: np.ndarray, scale: Scale, rates: dict[str, float]
) -> None:
    """Neighbours and mu from one pass."""
    n, width = audio.shape
    x = torch.from_numpy(audio)
    note(
        "exact kNN",
        "mvgraph (with exact mu)",
        extra_peak_mib=extra_peak_mib(lambda: mv.knn(x, scale.k)),
        **rates,
        **search_floor(n, width).note(rates),
    )
    found = benchmark.pedantic(lambda: mv.knn(x, scale.k), rounds=5, warmup_rounds=1)
    assert found.indices.shape == (n, scale.k)


def test_knn_faiss(
    benchmark: Any, note: Note, audio: np.ndarray, scale: Scale, rates: dict[str, float]
) -> None:
    """`IndexFlatL2.search` alone: no mean distance, self included."""
    faiss = pytest.importorskip("faiss")
    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatL2(audio.shape[1])
    index.add(audio)
    note("exact kNN", "faiss IndexFlatL2.search", **search_floor(*audio.shape).note(rates))
    benchmark.pedantic(lambda: index.search(audio, scale.k + 1), rounds=5, warmup_rounds=1)


def test_knn_sklearn(
    benchmark: Any, note: Note, audio: np.ndarray, scale: Scale, rates: dict[str, float]
) -> None:
    """`NearestNeighbors(algorithm="brute")`."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=scale.k + 1, algorithm="brute").fit(audio)
    note("exact kNN", "scikit-learn brute", **search_floor(*audio.shape).note(rates))
    benchmark.pedantic(lambda: search.kneighbors(audio), rounds=1 if scale.name == "paper" else 3)


def test_knn_pynndescent(benchmark: Any, note: Note, audio: np.ndarray, scale: Scale) -> None:
    """Approximate, and its compilation counts: that is what a first call costs."""
    pynndescent = pytest.importorskip("pynndescent")
    note("exact kNN", "pynndescent (approximate, first call)")
    benchmark.pedantic(
        lambda: pynndescent.NNDescent(audio, n_neighbors=scale.k + 1, random_state=0).neighbor_graph, rounds=1
    )


@pytest.mark.parametrize("who", ["mvgraph", "dense N x N"])
def test_graph_against_dense(
    benchmark: Any, note: Note, audio: np.ndarray, scale: Scale, rates: dict[str, float], who: str
) -> None:
    """From rows to the normalised adjacency, N = 10,000 at the paper's scale, against the peers' dense way."""
    n = min(10_000, scale.nodes)
    x = torch.from_numpy(audio[:n].copy())
    action: Callable[[], Any]
    if who == "mvgraph":

        def action() -> Any:
            return mv.build_graph({"audio": x}, k=scale.k).laplacian("audio")
    else:

        def action() -> Any:
            return peers.dense_graph(x, scale.k)

    floor = search_floor(*x.shape)
    note(f"graph of {n} rows", who, extra_peak_mib=extra_peak_mib(action), **floor.note(rates))
    result = benchmark.pedantic(action, rounds=3)
    if scale.name == "small" and who != "mvgraph":
        ours = mv.build_graph({"audio": x}, k=scale.k).laplacian("audio").to_dense()
        # Float32 distances from a GEMM choose another neighbour where two lie equally far.
        differing = (ours - result).abs() > 1e-4
        assert differing.double().mean() < 1e-3
