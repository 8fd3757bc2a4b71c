"""faiss as a fast path: the same neighbours; approximate search: a recall that is measured, and true."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from mvgraph.errors import UserError
from mvgraph.graph import Neighbours, build_graph, knn
from mvgraph.graph.faiss_search import sample_rows, sampled_mean
from mvgraph.graph.rows import Rows

faiss = pytest.importorskip("faiss")


def clustered(n: int, d: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    centres = 3 * torch.randn(20, d, generator=generator)
    return centres[torch.randint(0, 20, (n,), generator=generator)] + torch.randn(n, d, generator=generator)


def same(a: Neighbours, b: Neighbours) -> None:
    assert torch.equal(a.indices, b.indices)
    assert torch.equal(a.distances, b.distances)
    assert a.mean_distance == pytest.approx(b.mean_distance, rel=1e-6)


@pytest.mark.parametrize("k", [1, 9, 299])
def test_the_exact_path_gives_the_same_table(k: int) -> None:
    x = clustered(300, 12)
    same(knn(x, k, backend="faiss"), knn(x, k))


def test_ties_and_duplicates_are_settled_as_without_faiss() -> None:
    x = clustered(300, 3).round()
    x[100:160] = x[0]  # more duplicates than neighbours: faiss need not even return the row itself
    same(knn(x, 7, backend="faiss"), knn(x, 7))


def true_recall(x: torch.Tensor, found: Neighbours) -> float:
    exact = knn(x, found.k)
    return float((found.distances <= exact.distances[:, -1:]).double().mean())


@pytest.mark.parametrize("approx", ["ivf", "hnsw"])
def test_recall_is_measured(approx: Any) -> None:
    x = clustered(3000, 16)
    found = knn(x, 10, approx=approx)
    assert found.recall >= 0.95
    # 3000 rows, of which the sample holds 1024: the two agree within the error of sampling.
    assert found.recall == pytest.approx(true_recall(x, found), abs=0.01)
    assert not (found.indices == torch.arange(3000)[:, None]).any()
    assert bool((found.distances.diff(dim=1) >= 0).all())
    again = knn(x, 10, approx=approx)
    assert torch.equal(again.indices, found.indices)
    assert again.recall == found.recall


def test_a_bad_index_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a second try, a narrow search misses neighbours, and the recall reported is that of the table."""
    from mvgraph.graph import faiss_search

    monkeypatch.setattr(faiss_search, "TARGET_RECALL", 0.0)
    monkeypatch.setattr(faiss_search, "SAMPLE", 3000)
    index = faiss_search._index

    def narrow(*arguments: Any) -> Any:
        return index(*arguments)[0], [1]

    monkeypatch.setattr(faiss_search, "_index", narrow)
    x = torch.randn(3000, 24, generator=torch.Generator().manual_seed(1))
    found = knn(x, 10, approx="ivf")
    assert found.recall < 0.9
    assert found.recall == pytest.approx(true_recall(x, found), abs=1e-9)


def test_rows_the_index_is_short_of_are_searched_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    from mvgraph.graph import faiss_search

    monkeypatch.setattr(faiss_search, "TARGET_RECALL", 0.0)
    index = faiss_search._index
    monkeypatch.setattr(faiss_search, "_index", lambda *given: (index(*given)[0], [1]))
    x = clustered(400, 4)
    x[:3] += 100.0  # a cell of three has no ten neighbours to give
    found = knn(x, 10, approx="ivf")
    assert torch.equal(found.indices[:3], knn(x, 10).indices[:3])


def test_the_mean_distance_is_estimated_with_its_error() -> None:
    x = clustered(3000, 16)
    found, exact = knn(x, 5, approx="ivf"), knn(x, 5)
    assert 0 < found.mean_error < 0.01 * exact.mean_distance
    assert abs(found.mean_distance - exact.mean_distance) < 4 * found.mean_error
    rows = Rows.of(x)
    everybody, error = sampled_mean(rows, torch.arange(3000))
    assert everybody == pytest.approx(exact.mean_distance, rel=1e-6)
    assert error == 0


def test_samples_are_the_same_every_time() -> None:
    assert torch.equal(sample_rows(5000), sample_rows(5000))
    assert sample_rows(5000).unique().numel() == 1024
    assert sample_rows(10).tolist() == list(range(10))


def test_the_graph_says_its_recall() -> None:
    views = {"a": clustered(1500, 8), "b": clustered(1500, 5, seed=1)}
    graph = build_graph(views, k=6, approx="ivf")
    assert set(graph.recall) == {"a", "b"}
    assert min(graph.recall.values()) >= 0.95
    assert graph.select("b").recall == {"b": graph.recall["b"]}
    assert graph.settings is not None
    assert graph.settings.approx == "ivf"
    assert build_graph(views, k=6).recall == {}


def test_the_exact_backend_gives_the_same_graph() -> None:
    views = {"a": clustered(500, 8)}
    plain, fast = build_graph(views, k=6), build_graph(views, k=6, backend="faiss")
    torch.testing.assert_close(plain["a"].to_dense(), fast["a"].to_dense())
    assert plain.settings == fast.settings


def test_threads_of_faiss_are_left_as_they_were() -> None:
    before = faiss.omp_get_max_threads()
    knn(clustered(200, 3), 3, approx="hnsw")
    assert faiss.omp_get_max_threads() == before


def test_what_is_missing_or_unknown_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    x = clustered(100, 3)
    with pytest.raises(UserError, match="backend 'annoy' is unknown"):
        knn(x, 3, backend="annoy")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="approx 'lsh' is unknown"):
        knn(x, 3, approx="lsh")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="approx 'lsh' is unknown"):
        build_graph({"a": x}, approx="lsh")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UserError, match=r"install mvgraph\[faiss\]"):
        knn(x, 3, backend="faiss")
