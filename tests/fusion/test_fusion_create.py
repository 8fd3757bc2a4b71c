"""From a method's text to an object: seeds, options, JSON, the user's mistakes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mvgraph.data import MultiViewData
from mvgraph.errors import UserError
from mvgraph.fusion import EstimatorMethod, NetworkMethod, check_options, create
from mvgraph.fusion.dm_gcn import DMGCN
from mvgraph.registry import resolve_method

WIDTHS = {"view_dims": {"b": 3, "a": 2}, "n_classes": 2}


def test_names_classes_and_references_make_the_same() -> None:
    for text in ("dm-gcn", DMGCN, "mvgraph.fusion.dm_gcn:DMGCN", "dm-gcn@identity"):
        model = create(text, hidden=(4,), **WIDTHS)
        assert isinstance(model, DMGCN)
        assert model.view_names == ("a", "b")
        assert model.hidden == (4,)


def test_widths_come_from_data() -> None:
    rng = np.random.default_rng(0)
    data = MultiViewData.from_arrays({"x": rng.random((6, 4)), "y": rng.random((6, 2))}, list("aabbcc"))
    model = create("dm-gcn", data)
    assert (model.view_dims, model.n_classes) == ({"x": 4, "y": 2}, 3)
    with pytest.raises(UserError, match="'dm-gcn' needs data, or view_dims and n_classes"):
        create("dm-gcn")
    assert isinstance(create("concat-logreg"), EstimatorMethod)


def test_seed_decides_and_global_generator_stays() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (create("dm-gcn", seed=s, **WIDTHS).state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stack.layers.0.weight"], other["stack.layers.0.weight"])


def test_options_pass_through_json() -> None:
    model = create("at-gcn", hidden=[8, 4], common_hidden=[5, 4], **WIDTHS)
    options = json.loads(json.dumps(model.get_options()))
    assert create("at-gcn", **options, **WIDTHS).get_options() == model.get_options()
    assert model.get_options()["hidden"] == (8, 4)


def test_options_of_the_text_and_of_the_call() -> None:
    spec = resolve_method("pyg:GATConv")
    assert check_options(spec, {"fusion": "concat"}) == {"conv": "GATConv", "fusion": "concat"}
    with pytest.raises(
        UserError, match="Method 'label-spreading' has no option 'alpa'; did you mean 'alpha'"
    ):
        create("label-spreading", alpa=0.5)
    with pytest.raises(UserError, match="has no option 'zzz'; it has alpha, average"):
        create("label-spreading", zzz=0.5)


@pytest.mark.parametrize("text", ["json:loads", "json:JSONDecoder", dict])
def test_what_is_no_method_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="neither a NetworkMethod nor an EstimatorMethod"):
        create(text, **WIDTHS)


def test_bases_ask_to_be_filled_in() -> None:
    base = NetworkMethod({"a": 1}, 2)
    assert (base.n_layers, base.theta(), base.search_space(), base.contract_options(("a",))) == (
        0,
        [],
        {},
        {},
    )
    with pytest.raises(NotImplementedError):
        base(None)
    for call in (
        lambda e: e.fit(None, None, None, 0),
        lambda e: e.predict_proba(),
        lambda e: e.parameter_count(),
    ):
        with pytest.raises(NotImplementedError):
            call(EstimatorMethod())
