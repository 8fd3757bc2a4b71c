"""Graph building end to end against a dense float64 reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.data import MultiViewData
from mvgraph.errors import UserError
from mvgraph.graph import build_graph


def dense_graph(x: torch.Tensor, k: int, how: str) -> tuple[torch.Tensor, float]:
    """Eq. 1 over the kNN graph of x, written out in float64."""
    x = x.double()
    n = len(x)
    distance = (x[:, None] - x[None]).square().sum(2).sqrt()
    mu = float(distance.sum()) / (n * (n - 1))
    edge = torch.zeros(n, n, dtype=torch.bool)
    for i in range(n):
        others = sorted((float(distance[i, j]), j) for j in range(n) if j != i)
        edge[i, [j for _, j in others[:k]]] = True
    weight = torch.exp(-distance / mu) * edge
    if how == "max":
        weight = torch.maximum(weight, weight.T)
    elif how == "mean":
        weight = (weight + weight.T) / 2
    elif how == "union":
        weight = (weight + weight.T) / (edge.double() + edge.T.double()).clamp(min=1)
    return weight, mu


def views(seed: int = 0, n: int = 50) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"b": torch.randn(n, 6, generator=generator), "a": torch.randn(n, 2, generator=generator) * 30}


@pytest.mark.parametrize("how", ["max", "mean", "union", "directed"])
def test_equals_dense_reference(how: Any) -> None:
    x = views()
    graph = build_graph(x, k={"a": 4, "b": 9}, symmetrise=how)
    for name, k in (("a", 4), ("b", 9)):
        expected, mu = dense_graph(x[name], k, how)
        torch.testing.assert_close(graph[name].to_dense().double(), expected, rtol=1e-5, atol=0)
        assert graph.mean_distances[name] == pytest.approx(mu, rel=1e-6)


def test_settings_are_kept() -> None:
    graph = build_graph(views(), k=3, kernel="cosine", symmetrise="mean")
    assert graph.settings is not None
    assert graph.settings.to_json() == {
        "k": 3,
        "kernel": "cosine",
        "symmetrise": "mean",
        "scale_neighbour": None,
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["exp", "self-tuning", "cosine"]))
def test_permutation_equivariance(seed: int, kernel: Any) -> None:
    x = views(seed)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(seed))
    plain = build_graph(x, k=5, kernel=kernel)
    permuted = build_graph({name: rows[order] for name, rows in x.items()}, k=5, kernel=kernel)
    for name in x:
        expected = plain[name].to_dense()[order][:, order]
        torch.testing.assert_close(permuted[name].to_dense(), expected, rtol=1e-5, atol=1e-6)


def test_order_of_views_does_not_matter() -> None:
    x = views()
    assert build_graph(x, k=5).hash == build_graph(dict(reversed(x.items())), k=5).hash


def data(observed: np.ndarray | None = None) -> MultiViewData:
    x = views()
    named = {name: rows.numpy() for name, rows in x.items()}
    return MultiViewData.from_arrays(named, np.arange(50) % 3, observed=observed)


def test_from_multi_view_data() -> None:
    assert build_graph(data(), k=5).hash == build_graph(views(), k=5).hash


def test_missing_rows_take_no_part_and_stay_as_isolated_nodes() -> None:
    observed = np.ones((50, 2), dtype=bool)
    missing = [0, 7, 31, 49]
    observed[missing, 0] = False  # columns follow the views as given: "b" first
    graph = build_graph(data(observed), k=4)
    kept = [i for i in range(50) if i not in missing]
    expected, mu = dense_graph(views()["b"][kept], 4, "max")
    found = graph["b"].to_dense().double()
    torch.testing.assert_close(found[kept][:, kept], expected, rtol=1e-5, atol=0)
    assert found[missing].eq(0).all()
    assert found[:, missing].eq(0).all()
    assert graph.mean_distances["b"] == pytest.approx(mu, rel=1e-6)
    assert graph.laplacian("b").to_dense().diagonal()[missing].eq(1).all()
    full, _ = dense_graph(views()["a"], 4, "max")
    torch.testing.assert_close(graph["a"].to_dense().double(), full, rtol=1e-5, atol=0)


def test_k_is_checked_against_the_observed_rows() -> None:
    observed = np.ones((50, 2), dtype=bool)
    observed[5:, 0] = False
    with pytest.raises(UserError, match="k = 5 neighbours need at least 6 rows, but view 'b' has 5"):
        build_graph(data(observed), k=5)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (views(), {"k": 50}, "view 'a' has 50"),
        (views(), {"k": {"a": 3, "b": 3, "zz": 3}}, "view 'zz'"),
        (views(), {"k": {"a": 3}}, "view 'b'"),
        (views(), {"kernel": "rbf"}, "kernel 'rbf'"),
        ({"a": torch.ones(4, 2), "b": torch.ones(5, 2)}, {"k": 2}, "view 'b' has 5 rows, but 'a' has 4"),
        ({}, {}, "at least one view"),
        (3, {}, "not from int"),
    ],
)
def test_a_mistake_is_named(given: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_graph(given, **options)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kernel", ["exp", "self-tuning", "cosine"])
@pytest.mark.parametrize("how", ["max", "mean", "union", "directed"])
def test_cuda_equals_cpu(kernel: Any, how: Any) -> None:
    cpu = build_graph(views(), k=5, kernel=kernel, symmetrise=how)
    gpu = build_graph(views(), k=5, kernel=kernel, symmetrise=how, device="cuda").to("cpu")
    for name in cpu.view_names:
        torch.testing.assert_close(gpu[name].to_dense(), cpu[name].to_dense(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(gpu.laplacian(name).to_dense(), cpu.laplacian(name).to_dense())


def test_self_loops_weigh_what_they_are_told() -> None:
    """Eq. 2 with A + w I in place of A + I, dense."""
    views = {"a": torch.randn(30, 4, generator=torch.Generator().manual_seed(0))}
    graph = build_graph(views, k=3, self_loops=2.5)
    looped = graph["a"].to_dense().double() + 2.5 * torch.eye(30, dtype=torch.float64)
    scale = looped.sum(1).rsqrt()
    torch.testing.assert_close(
        graph.laplacian("a").to_dense().double(), scale[:, None] * looped * scale, atol=1e-6, rtol=1e-6
    )
    assert graph.hash == build_graph(views, k=3).hash  # the adjacency itself is the same
    assert graph.settings is not None
    assert graph.settings.hash != build_graph(views, k=3).settings.hash  # type: ignore[union-attr]


def test_mean_distance_can_be_that_of_the_neighbours() -> None:
    """Eq. 1 with mu over the k nearest neighbours of every row, dense."""
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    graph = build_graph({"a": x}, k=3, mean_distance="neighbours", symmetrise="directed")
    distances = torch.cdist(x.double(), x.double()).fill_diagonal_(torch.inf)
    near = distances.topk(3, largest=False).values
    assert graph.mean_distances["a"] == pytest.approx(float(near.mean()), rel=1e-5)
    weights = graph["a"].values.double().sort().values
    torch.testing.assert_close(
        weights, torch.exp(-near / near.mean()).flatten().sort().values, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("wrong", [{"self_loops": 0.0}, {"self_loops": -1.0}, {"mean_distance": "median"}])
def test_wrong_graph_options_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        build_graph({"a": torch.randn(9, 2)}, k=2, **wrong)
