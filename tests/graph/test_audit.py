"""Figures of a graph's neighbours against loops over dense matrices."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.graph import MultiViewGraph, build_graph
from mvgraph.graph.audit import (
    chance_share,
    crossing_pairs,
    fused,
    graph_figures,
    homophily,
    near_rows,
    own_group_shares,
)

N = 24


def material(seed: int, symmetrise: str = "max") -> tuple[MultiViewData, MultiViewGraph, Split]:
    rng = np.random.default_rng(seed)
    labels = np.arange(N) % 3
    views = {name: rng.standard_normal((N, 3)) + labels[:, None] for name in ("a", "b")}
    views["a"][5] = views["a"][4] + 1e-4
    views["a"][20] = views["a"][3] - 1e-4
    data = MultiViewData.from_arrays(
        views,
        np.where(np.arange(N) == 7, -1, labels),
        groups={"clip": [f"c{i}" for i in rng.integers(6, size=N)], "city": [f"t{i % 2}" for i in range(N)]},
    )
    rows = rng.permutation(np.delete(np.arange(N), 7))
    split = Split(rows[:9], rows[9:13], rows[13:21])
    return data, build_graph(data, k=4, symmetrise=symmetrise), split


def dense(graph: MultiViewGraph, view: str) -> np.ndarray:
    return graph[view].to_dense().double().numpy()


both = pytest.mark.parametrize(("seed", "symmetrise"), [(0, "max"), (1, "directed"), (2, "mean")])


@both
def test_own_group_shares(seed: int, symmetrise: str) -> None:
    data, graph, split = material(seed, symmetrise)
    group = data.groups["clip"]
    found = own_group_shares(graph, group, split.test)
    for view in graph.view_names:
        a = dense(graph, view)
        for at, i in enumerate(split.test):
            neighbours = np.flatnonzero(a[i])
            expected = np.mean([group[j] == group[i] for j in neighbours])
            assert found[view][at] == pytest.approx(expected)


def test_share_by_chance_and_without_neighbours() -> None:
    data, graph, split = material(0)
    group = data.groups["clip"]
    expected = np.mean([np.mean([group[j] == group[i] for j in range(N) if j != i]) for i in split.test])
    assert chance_share(group, split.test) == pytest.approx(expected)
    alone = own_group_shares(graph.identity(), group, split.test)
    assert all(np.isnan(share).all() for share in alone.values())


@both
def test_crossing_pairs(seed: int, symmetrise: str) -> None:
    data, graph, split = material(seed, symmetrise)
    group = data.groups["city"]
    found = crossing_pairs(graph, group, split)
    for view in graph.view_names:
        a = dense(graph, view)
        expected = [
            (i, j) for i in split.train for j in split.test if group[i] == group[j] and (a[i, j] or a[j, i])
        ]
        assert found[view] == len(expected) > 0
    apart = np.array(["test" if i in split.test else "rest" for i in range(N)])
    assert crossing_pairs(graph, apart, split) == {"a": 0, "b": 0}


@both
def test_near_rows(seed: int, symmetrise: str) -> None:
    data, graph, _ = material(seed, symmetrise)
    for fraction in (0.01, 0.4):
        found = near_rows(graph, data.views, fraction)
        for view in graph.view_names:
            x, a = data.views[view].astype(np.float64), dense(graph, view)
            distance = np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2))
            below = fraction * distance[~np.eye(N, dtype=bool)].mean()
            linked = (a + a.T) > 0
            pairs = sorted(
                (distance[i, j], i, j)
                for i in range(N)
                for j in range(i)
                if linked[i, j] and distance[i, j] < below
            )
            assert found[view].below == pytest.approx(below, rel=1e-5)
            np.testing.assert_allclose(found[view].distance, [d for d, _, _ in pairs], rtol=1e-9)
            assert set(zip(found[view].first, found[view].second, strict=True)) == {
                (j, i) for _, i, j in pairs
            }
            # A row that has any other row so near is among them: its nearest neighbour is always an edge.
            with_one = {i for i in range(N) if (np.delete(distance[i], i) < below).any()}
            assert {*found[view].first.tolist(), *found[view].second.tolist()} == with_one
    assert {(3, 20), (4, 5)} <= set(zip(found["a"].first.tolist(), found["a"].second.tolist(), strict=True))


@both
def test_homophily_of_views_and_fusions(seed: int, symmetrise: str) -> None:
    data, graph, _ = material(seed, symmetrise)
    y = data.labels
    theta = {"a": 0.8, "b": 0.2}

    def reference(a: np.ndarray) -> dict[str, float]:
        edges = [(i, j) for i in range(N) for j in range(N) if a[i, j] > 0 and y[i] >= 0 and y[j] >= 0]
        same = [(i, j) for i, j in edges if y[i] == y[j]]
        return {
            "edges": len(same) / len(edges),
            "weight": sum(a[e] for e in same) / sum(a[e] for e in edges),
        }

    def laplacian(a: np.ndarray) -> np.ndarray:
        looped = a + np.eye(N)
        scale = 1 / np.sqrt(looped.sum(axis=1))
        return scale[:, None] * looped * scale

    by_view = {view: dense(graph, view) for view in ("a", "b")}
    summed = sum(theta[view] * laplacian(a) for view, a in by_view.items())
    for found, expected in (
        (homophily(graph["a"], y), by_view["a"]),
        (homophily(graph.mean()["mean"], y), (by_view["a"] + by_view["b"]) / 2),
        (homophily(fused(graph, theta), y), summed - np.diag(np.diag(summed))),
    ):
        assert found == pytest.approx(reference(expected), rel=1e-6)
    assert homophily(graph.identity()["a"], y) == {"edges": None, "weight": None}


def test_all_figures_are_json_and_name_rows() -> None:
    data, graph, split = material(0)
    figures = graph_figures(
        graph, data.views, data.labels, data.groups, split, ids=data.ids, theta=[{"a": 1.0, "b": 0.0}]
    )
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert set(figures["neighbours"]) == {"clip", "city"}
    nearest = figures["near_duplicates"]["views"]["a"]
    named = [tuple(pair["rows"]) for pair in nearest["nearest"]]
    assert {("4", "5"), ("3", "20")} <= set(named)
    part = split.assignment(N)
    assert [pair["train_test"] for pair in nearest["nearest"]] == [
        {part[int(i)], part[int(j)]} == {0, 2} for i, j in named
    ]
    assert sum(pair["train_test"] for pair in nearest["nearest"]) == nearest["train_test_pairs"]
    alone = homophily(graph["a"], data.labels)
    assert figures["homophily"]["theta"][0]["edges"] == pytest.approx(
        homophily(fused(graph, {"a": 1.0}), data.labels)["edges"], abs=0.3
    )
    assert figures["homophily"]["views"]["a"] == alone


def test_mistakes() -> None:
    data, graph, split = material(0)
    with pytest.raises(UserError, match="one group for each of the 24 nodes"):
        own_group_shares(graph, data.groups["clip"][:5], split.test)
    with pytest.raises(UserError, match="'b' is missing"):
        near_rows(graph, {"a": data.views["a"]})
    with pytest.raises(UserError, match="above 0"):
        near_rows(graph, data.views, 0)
    with pytest.raises(UserError, match="no view 'c'"):
        fused(graph, {"c": 1.0})
    with pytest.raises(UserError, match="weighs no view"):
        fused(graph, {})


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_renumbering_the_rows_changes_no_figure(seed: int) -> None:
    data, _, split = material(seed)
    order = np.random.default_rng(seed).permutation(N)
    moved = data.subset(order)
    where = np.argsort(order)
    moved_split = Split(where[split.train], where[split.validation], where[split.test])

    def told(d: MultiViewData, s: Split) -> dict[str, object]:
        figures = graph_figures(build_graph(d, k=4), d.views, d.labels, d.groups, s, ids=d.ids)
        for view in figures["near_duplicates"]["views"].values():
            view.pop("nearest")
        return figures

    flat, flat_moved = _flat(told(data, split)), _flat(told(moved, moved_split))
    assert flat.keys() == flat_moved.keys()
    for key, value in flat.items():
        assert flat_moved[key] == pytest.approx(value, rel=1e-4), key


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    if isinstance(value, dict):
        return {k: v for name, each in value.items() for k, v in _flat(each, f"{prefix}/{name}").items()}
    return {prefix: value}
