"""Costs are said before they are paid, and what cannot be paid is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mvgraph.errors import UserError
from mvgraph.graph import build_graph, knn, limits
from mvgraph.graph.csr import CSR
from mvgraph.graph.operations import laplacian, symmetrise


def test_exact_search_of_ten_million_rows_is_refused_before_memory_is_taken() -> None:
    x = torch.zeros(1, 128).expand(10_000_000, 128)  # 5 GB if anybody copied it
    before = resident()
    with pytest.raises(UserError, match=r'10000000 rows, 128 columns.*approx="ivf"|beside the data, but'):
        build_graph({"audio": x}, k=20)
    assert resident() - before < 300 * 2**20


def test_the_sentence_has_the_time_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNASKED", 1000)
    x = torch.randn(2000, 4)
    with pytest.raises(UserError, match=r'would take about .* hours and .* GiB here; say approx="ivf"'):
        knn(x, 5, max_seconds=1e-9)
    assert knn(x, 5, max_seconds=None).k == 5
    assert knn(x, 5, max_seconds=1e6).k == 5


def test_a_graph_that_does_not_fit_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "available_memory", lambda device: 2**20)
    with pytest.raises(
        UserError, match=r"view 'a' \(500 rows, 4 columns, k = 5\) would take about .* are free on cpu"
    ):
        build_graph({"a": torch.randn(500, 4)}, k=5)


def test_small_data_costs_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: object, **options: object) -> None:
        raise AssertionError("a trial ran")

    monkeypatch.setattr(limits, "Pass", never)
    assert limits.estimate(torch.randn(50, 3), 4, exact=False).seconds is None
    limits.check_affordable(torch.randn(50, 3), 4, "the data")


def test_the_estimate_of_time_is_of_the_right_order() -> None:
    x = torch.randn(12_000, 16)
    knn(x[:2000], 10)
    said = limits.estimate(x, 10).seconds
    begin = time.perf_counter()
    knn(x, 10)
    took = time.perf_counter() - begin
    assert said is not None
    # The machine may be busy with other things meanwhile.
    assert took / 20 < said < took * 20


def test_free_memory_is_known_here() -> None:
    free = limits.available_memory(torch.device("cpu"))
    assert free is not None
    assert 2**20 < free < 2**50


def resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon")


def peak_of(work: Callable[[], CSR]) -> tuple[CSR, int]:
    """What `work` returns, and how far resident memory rose above where it began, at its highest."""
    before = highest = resident()
    done = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.is_set():
            highest = max(highest, resident())
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return work(), highest - before
    finally:
        done.set()
        watcher.join()


def ring(n: int, k: int) -> CSR:
    """Every node with k random ones of the 2k that follow: about a third of the edges are mutual nowhere."""
    generator = torch.Generator().manual_seed(0)
    step = torch.rand(n, 2 * k, generator=generator).argsort(1)[:, :k].add_(1)
    columns = (torch.arange(n)[:, None] + step).remainder_(n).sort(1).values
    values = torch.rand(n * k, generator=generator)
    return CSR(torch.arange(0, n * k + 1, k), columns.flatten(), values, n)


def test_graph_algebra_takes_few_copies_of_the_edges() -> None:
    """The peak beside the input, the result included, in units of the edges of the result."""
    a = ring(100_000, 20)
    symmetric, peak = peak_of(lambda: symmetrise(a, "max"))
    edges = 12 * symmetric.nnz
    assert symmetric.nnz == 2 * a.nnz
    assert peak < 3 * edges
    _, peak = peak_of(lambda: laplacian(symmetric))
    assert peak < 3 * edges
    _, peak = peak_of(symmetric.transpose)
    assert peak < 3 * edges
    assert peak > 0


def test_the_search_itself_holds_no_square() -> None:
    n = 20_000
    x = torch.randn(n, 8)
    knn(x[:3000], 10)
    _, peak = peak_of(lambda: CSR.eye(knn(x, 10).k))
    assert peak < 300 * 2**20 < 4 * n * n
