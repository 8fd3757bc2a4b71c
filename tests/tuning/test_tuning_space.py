"""From declared ranges to Optuna's and back to settings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.data import MultiViewData
from mvgraph.errors import UserError
from mvgraph.fusion import Choice, Float, Int
from mvgraph.registry import methods
from mvgraph.tuning.prepare import resolve
from mvgraph.tuning.space import Settings, Space, make_space

BASE = Settings(
    {"hidden": [8, 8], "dropout": 0.5}, {"lr": 1e-3}, {"k": 10}, {"kind": "zscore", "scope": "all"}
)
RANGES = {
    "graph.k": Int(3, 12, log=True),
    "options.dropout": Float(0.0, 0.8),
    "options.hidden": Choice(((8, 8), (16, 4))),
    "training.lr": Float(1e-4, 1e-1, log=True),
}


def base_of(name: str, data: MultiViewData) -> Settings:
    resolved = resolve(name)
    return Settings(options=resolved.options, **resolved.settings_for(data))


@pytest.mark.parametrize("name", methods.names())
def test_every_registered_method_has_a_space_that_its_settings_fill(name: str, data: MultiViewData) -> None:
    cls = methods.get(name)
    needed = {"pyg": "pyg:GCNConv", "single-gcn": "single-gcn:near"}.get(name, name)
    space = make_space(cls, data, base_of(needed, data))
    assert set(space.distributions()) == set(space.ranges) == set(space.to_json())
    assert ("graph.k" in space.ranges) == cls.tags.uses_graph
    assert "scaling.kind" in space.ranges
    for key in cls.search_space():
        assert {f"options.{key}", f"training.{key}"} & set(space.ranges)


@settings(max_examples=60, deadline=None)
@given(
    k=st.integers(3, 12),
    dropout=st.floats(0.0, 0.8),
    hidden=st.sampled_from(["[8,8]", "[16,4]"]),
    lr=st.floats(1e-4, 1e-1),
)
def test_a_point_becomes_settings_and_comes_back(k: int, dropout: float, hidden: str, lr: float) -> None:
    params = {"graph.k": k, "options.dropout": dropout, "options.hidden": hidden, "training.lr": lr}
    space = Space(RANGES)
    found = space.apply(BASE, params)
    assert found.options == {"hidden": [8, 8] if hidden == "[8,8]" else [16, 4], "dropout": dropout}
    assert found.training == {"lr": lr}
    assert found.graph == {"k": k}
    assert found.scaling == BASE.scaling
    assert space.params_of(found) == params
    assert Settings.from_json(found.to_json()) == found
    assert BASE.options["dropout"] == 0.5


@pytest.mark.parametrize(
    "changed",
    [
        {"graph": {"k": 13}},
        {"graph": {"k": {"near": 3, "far": 4}}},
        {"options": {"hidden": [8], "dropout": 0.5}},
        {"training": {"lr": 0.5}},
        {"training": None},
    ],
)
def test_settings_outside_the_space_have_no_point(changed: dict) -> None:
    assert Space(RANGES).params_of(replace(BASE, **changed)) is None


def test_what_is_fixed_is_not_searched_and_what_is_added_is(data: MultiViewData) -> None:
    base = base_of("dm-gcn", data)
    cls = methods.get("dm-gcn")
    space = make_space(cls, data, base, ["graph.k", "options.hidden"], {"training.epochs": Int(5, 50)})
    assert {"graph.k", "options.hidden"}.isdisjoint(space.ranges)
    assert space.ranges["training.epochs"] == Int(5, 50)


def test_neighbours_stay_below_the_rows_of_the_smallest_view(data: MultiViewData) -> None:
    few = data.subset(range(12))
    space = make_space(methods.get("dm-gcn"), few, base_of("dm-gcn", few))
    assert space.ranges["graph.k"] == Int(3, 11, log=True)


@pytest.mark.parametrize("name", ["options.nothing", "graph", "training.k", "colour.blue"])
def test_a_name_that_is_no_setting_is_refused(name: str, data: MultiViewData) -> None:
    with pytest.raises(UserError, match="no setting of this search"):
        make_space(methods.get("dm-gcn"), data, base_of("dm-gcn", data), [name])


def test_nothing_left_to_search_is_refused(data: MultiViewData) -> None:
    fixed = ["scaling.kind", "options.strength"]
    with pytest.raises(UserError, match="nothing left to search"):
        make_space(methods.get("concat-logreg"), data, base_of("concat-logreg", data), fixed)
