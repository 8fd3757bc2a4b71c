"""Invariants of every graph network, on random problems: numbering of nodes and names of views mean nothing."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import torch
from fusion_dense import N_CLASSES, Problem, make_problem, propagation, randomise
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mvgraph.fusion import NetworkMethod, create

CASES: list[tuple[str, dict[str, Any]]] = [
    ("dm-gcn", {}),
    ("mean-gcn", {}),
    ("mean-gcn", {"average": "laplacian"}),
    ("at-gcn", {}),
    ("pyg:GATConv", {"fusion": "concat"}),
    ("pyg:SAGEConv", {"fusion": "attention"}),
]
IDS = [" ".join([name, *map(str, options.values())]) for name, options in CASES]
seeds = st.integers(0, 10_000)
relaxed = settings(deadline=None, max_examples=12)


def renumbered(problem: Problem, order: Tensor) -> Problem:
    return Problem(
        {view: x[order] for view, x in problem.features.items()},
        {view: a[order][:, order] for view, a in problem.adjacency.items()},
        problem.rows,
        problem.targets,
    )


def renamed(problem: Problem, names: dict[str, str]) -> Problem:
    return Problem(
        {names[view]: x for view, x in problem.features.items()},
        {names[view]: a for view, a in problem.adjacency.items()},
        problem.rows,
        problem.targets,
    )


def carried_over(model: NetworkMethod, other: NetworkMethod, names: dict[str, str]) -> None:
    """Give `other`, whose views are called `names[view]`, the weights that `model` has for `view`."""
    before, after = list(model.view_names), list(other.view_names)
    position = [before.index(view) for view in sorted(before, key=lambda view: after.index(names[view]))]
    starts = [0]
    for view in before:
        starts.append(starts[-1] + model.view_dims[view])
    columns = torch.cat([torch.arange(starts[v], starts[v + 1]) for v in position])
    state = {}
    for name, value in model.state_dict().items():
        where = name
        if name == "stack.layers.0.weight":
            value = value[columns]
        elif name == "theta_logits":
            value = value[:, position]
        elif name == "classifier.weight" and getattr(model, "fusion", "") == "concat":
            value = value.unflatten(1, (len(before), -1))[:, position].flatten(1)
        elif match := re.match(r"(specific|stacks)\.(\d+)(\..*)", name):
            where = f"{match[1]}.{position.index(int(match[2]))}{match[3]}"
        state[where] = value
    other.load_state_dict(state)


@pytest.mark.parametrize(("method", "options"), CASES, ids=IDS)
@relaxed
@given(seed=seeds, n_views=st.integers(1, 4), directed=st.booleans())
def test_renumbering_the_nodes_renumbers_the_logits(
    method: str, options: dict[str, Any], seed: int, n_views: int, directed: bool
) -> None:
    problem = make_problem(n_views, n=11, seed=seed, directed=directed)
    model = randomise(create(method, view_dims=problem.dims, n_classes=N_CLASSES, hidden=(5, 4), **options))
    order = torch.randperm(11, generator=torch.Generator().manual_seed(seed))
    expected = model(propagation(model, problem))[order]
    found = model(propagation(model, renumbered(problem, order)))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("method", "options"), CASES, ids=IDS)
@relaxed
@given(seed=seeds, n_views=st.integers(2, 4), restricted=st.booleans())
def test_renaming_the_views_changes_nothing(
    method: str, options: dict[str, Any], seed: int, n_views: int, restricted: bool
) -> None:
    """The weights of a view move with it; then the order of names does not matter."""
    problem = make_problem(n_views, n=11, seed=seed)
    aliases = [f"view{i}" for i in range(n_views)]
    random.Random(seed).shuffle(aliases)
    names = dict(zip(problem.dims, aliases, strict=True))
    moved = renamed(problem, names)
    common = {"n_classes": N_CLASSES, "hidden": (5, 4), **options}
    model = randomise(create(method, view_dims=problem.dims, **common))
    other = create(method, view_dims=moved.dims, **common).double().eval()
    carried_over(model, other, names)
    restricted = restricted and not model.tags.full_graph
    expected = model(propagation(model, problem, restricted))
    found = other(propagation(other, moved, restricted))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@relaxed
@given(seed=seeds, n_views=st.integers(1, 4), size=st.integers(1, 17), directed=st.booleans())
@pytest.mark.parametrize("method", ["dm-gcn", "mean-gcn", "at-gcn", "single-gcn:audio"])
def test_any_receptive_field_is_exact(
    method: str, seed: int, n_views: int, size: int, directed: bool
) -> None:
    problem = make_problem(n_views, seed=seed, directed=directed)
    model = randomise(create(method, view_dims=problem.dims, n_classes=N_CLASSES, hidden=(5, 6, 4)))
    rows = torch.randperm(17, generator=torch.Generator().manual_seed(seed))[:size].sort().values
    p = propagation(model, problem)
    part = p.restricted(rows, model.n_layers, joint=model.tags.mixes_views)
    torch.testing.assert_close(model(part), model(p)[rows], rtol=1e-9, atol=1e-9)


@relaxed
@given(seed=seeds, extra=st.integers(1, 3))
def test_an_isolated_component_does_not_reach_the_others(seed: int, extra: int) -> None:
    """Nodes that no edge joins to the rest leave the rest's logits as they were."""
    problem = make_problem(2, n=11, seed=seed)
    model = randomise(create("dm-gcn", view_dims=problem.dims, n_classes=N_CLASSES, hidden=(5, 4)))
    larger = Problem(
        {
            v: torch.cat([x, torch.randn(extra, x.shape[1], dtype=x.dtype)])
            for v, x in problem.features.items()
        },
        {
            v: torch.block_diag(a, torch.zeros(extra, extra, dtype=a.dtype))
            for v, a in problem.adjacency.items()
        },
        problem.rows,
        problem.targets,
    )
    expected = model(propagation(model, problem))
    found = model(propagation(model, larger))[:11]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
