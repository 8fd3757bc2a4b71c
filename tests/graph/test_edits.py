"""Edges taken away, against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_audit import N, dense, material

from mvgraph.data import Split
from mvgraph.errors import UserError
from mvgraph.graph.edits import finest_group, inductive, without_group_edges

both = pytest.mark.parametrize(("seed", "symmetrise"), [(0, "max"), (1, "directed")])


@both
def test_without_group_edges(seed: int, symmetrise: str) -> None:
    data, graph, _ = material(seed, symmetrise)
    group = data.groups["clip"]
    found = without_group_edges(graph, group)
    other = np.array([[group[i] != group[j] for j in range(N)] for i in range(N)])
    for view in graph.view_names:
        np.testing.assert_array_equal(dense(found, view), np.where(other, dense(graph, view), 0))
        assert found[view].nnz == (dense(graph, view)[other] > 0).sum() < graph[view].nnz
    assert found.mean_distances == graph.mean_distances
    assert without_group_edges(graph, np.arange(N)).hash == graph.hash
    assert without_group_edges(graph, np.zeros(N)).hash == graph.identity().hash


@both
def test_inductive(seed: int, symmetrise: str) -> None:
    _, graph, split = material(seed, symmetrise)
    found = inductive(graph, split)
    test = np.isin(np.arange(N), split.test)
    for view in graph.view_names:
        a, before = dense(found, view), dense(graph, view)
        assert not a[:, test].any()
        np.testing.assert_array_equal(a[:, ~test], before[:, ~test])
        assert a[test].any()
    assert found.settings is not None
    assert found.settings.symmetrise == "directed"


def test_a_test_row_no_longer_matters_to_any_other_row() -> None:
    _, graph, split = material(0)
    found = inductive(graph, split)
    changed = torch.randn(N, 2, generator=torch.Generator().manual_seed(0))
    moved = changed.clone()
    moved[torch.from_numpy(split.test[:1].copy())] += 100
    for view in graph.view_names:
        differs = (found.laplacian(view).matmul(changed) != found.laplacian(view).matmul(moved)).any(dim=1)
        assert set(differs.nonzero().flatten().tolist()) == {int(split.test[0])}


def test_finest_group() -> None:
    groups = {
        "row": np.arange(12).astype(str),
        "city": np.arange(12).astype(str) == "1",
        "clip": (np.arange(12) // 3).astype(str),
    }
    assert finest_group(groups) == "clip"
    with pytest.raises(UserError, match="no groups of several rows"):
        finest_group({"row": groups["row"]})
    with pytest.raises(UserError, match="no groups of several rows"):
        finest_group({})


def test_clips_are_finest_even_where_few_of_them_have_several_rows() -> None:
    """One second of each training clip and ten of each test clip: most clips are a single row."""
    clip = np.repeat(np.arange(12), [1] * 9 + [10] * 3)
    assert finest_group({"clip": clip, "location": clip // 2, "city": clip // 6}) == "clip"
    once = np.arange(len(clip))
    once[-2:] = once[-1]
    assert finest_group({"row": once, "city": clip // 6}) == "city", "two rows alone are no kind of group"


def test_mistakes() -> None:
    _, graph, _ = material(0)
    with pytest.raises(UserError, match="each of the 24 nodes"):
        without_group_edges(graph, np.zeros(3))
    with pytest.raises(UserError, match="does not have"):
        inductive(graph, Split(np.array([0]), np.array([1]), np.array([N])))
