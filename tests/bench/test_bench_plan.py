from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvgraph.bench.plan import Cell, make_plan
from mvgraph.bench.suite import parse_suite
from mvgraph.data import Card, MultiViewData
from mvgraph.data.h5mu_write import write_h5mu
from mvgraph.errors import UserError

Tiny = Callable[[], MultiViewData]


def plan(suite: dict[str, Any]) -> list[Cell]:
    return make_plan(parse_suite(suite))


def ids(suite: dict[str, Any]) -> set[str]:
    return {cell.id for cell in plan(suite)}


def changed(suite: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(suite), **keys}


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=False))
def test_ids_are_free_of_order(suite: dict[str, Any], random: Any) -> None:
    full = changed(
        suite,
        methods=[
            "concat-logreg",
            {"method": "dm-gcn", "options": {"dropout": 0.1, "bias": False}},
            "dm-gcn@identity",
        ],
        seeds=[0, 1, 2],
        splits=[{"rate": 0.3, "n": 2}, {"rate": 0.4, "n": 1}],
    )

    def shuffle(value: Any) -> Any:
        if isinstance(value, dict):
            keys = list(value)
            random.shuffle(keys)
            return {key: shuffle(value[key]) for key in keys}
        if isinstance(value, list):
            items = [shuffle(item) for item in value]
            random.shuffle(items)
            return items
        return value

    other = shuffle(full)
    assert ids(other) == ids(full)


def test_a_default_written_out_gives_the_same_id(suite: dict[str, Any]) -> None:
    written_out = changed(
        suite,
        methods=[
            {"method": "concat-logreg", "options": {"strength": None}},
            {
                "method": "dm-gcn",
                "options": {"hidden": [256, 128], "dropout": 0.5},
                "training": {"lr": 0.0005},
            },
            {"method": "dm-gcn@identity", "graph": {"kernel": "exp", "symmetrise": "max", "k": 3}},
        ],
        scaling={"kind": "zscore", "scope": "all"},
        graph={"k": {"near": 3, "far": 3.0}} | {"k": {"near": 3, "far": 3}},
        training={"epochs": 4.0, "evaluate_every": 2, "weight_decay": 1e-4},
    )
    assert ids(written_out) == ids(suite)


def test_labels_names_limits_and_selection_are_not_in_the_id(
    suite: dict[str, Any], tmp_path: Path, tiny: Tiny
) -> None:
    (tmp_path / "elsewhere").mkdir()
    write_h5mu(tiny(), tmp_path / "elsewhere" / "copy.h5mu")
    other = changed(
        suite,
        name="other",
        title="Another name",
        datasets=[str(tmp_path / "elsewhere" / "copy.h5mu")],
        selection="validation",
        limits={"seconds": 5},
        views=["near", "far"],
        methods=[
            {"method": "concat-logreg", "label": "a"},
            {"method": "mvgraph.fusion.dm_gcn:DMGCN", "label": "b"},
            {"method": "dm-gcn@identity", "label": "c"},
        ],
    )
    assert ids(other) == ids(suite)
    assert {cell.label for cell in plan(other)} == {"a", "b", "c"}
    assert {cell.protocol["selection"] for cell in plan(other)} == {"validation"}


@pytest.mark.parametrize(
    "keys",
    [
        {"views": ["near"]},
        {"seeds": [7]},
        {"scaling": {"kind": "minmax"}},
        {"scaling": {"scope": "train"}},
        {"splits": {"rate": 0.3, "validation": 0.3, "n": 2, "seed": 9}},
    ],
)
def test_what_changes_numbers_changes_every_id(suite: dict[str, Any], keys: dict[str, Any]) -> None:
    assert not ids(changed(suite, **keys)) & ids(suite)


@pytest.mark.parametrize("keys", [{"graph": {"k": 4}}, {"training": {"epochs": 5, "evaluate_every": 2}}])
def test_settings_a_method_does_not_use_leave_its_id(suite: dict[str, Any], keys: dict[str, Any]) -> None:
    same = [cell.method for cell in plan(changed(suite, **keys)) if cell.id in ids(suite)]
    assert same == ["concat-logreg", "concat-logreg"]


def test_names_swapped_between_views_change_the_id(suite: dict[str, Any], tmp_path: Path, tiny: Tiny) -> None:
    data = tiny()
    swapped = MultiViewData.from_arrays(
        {"near": np.array(data.views["far"]), "far": np.array(data.views["near"])},
        data.labels,
        card=data.card,
    )
    write_h5mu(swapped, tmp_path / "swapped.h5mu")
    other = plan(changed(suite, datasets=[str(tmp_path / "swapped.h5mu")]))
    assert other[0].fingerprint == plan(suite)[0].fingerprint
    assert not {cell.id for cell in other} & ids(suite)


def test_all_methods_of_a_split_come_first(suite: dict[str, Any]) -> None:
    cells = plan(changed(suite, seeds=[0, 1]))
    assert [(c.split["index"], c.seed, c.label) for c in cells[:4]] == [
        (0, 0, "concat-logreg"),
        (0, 0, "dm-gcn"),
        (0, 0, "dm-gcn@identity"),
        (0, 1, "concat-logreg"),
    ]
    assert len(cells) == 12


def test_seeds_of_one_method(suite: dict[str, Any]) -> None:
    cells = plan(changed(suite, seeds=[0, 1], methods=["dm-gcn", {"method": "concat-logreg", "seeds": [0]}]))
    assert sorted((c.label, c.seed) for c in cells if c.split["index"] == 0) == [
        ("concat-logreg", 0),
        ("dm-gcn", 0),
        ("dm-gcn", 1),
    ]


def test_a_family_argument_is_an_option(suite: dict[str, Any]) -> None:
    one = changed(suite, methods=["single-gcn:near"])
    other = changed(suite, methods=[{"method": "single-gcn", "options": {"view": "near"}}])
    assert ids(one) == ids(other)
    assert plan(one)[0].options["view"] == "near"


def test_the_protocol_card(suite: dict[str, Any]) -> None:
    cells = {cell.label: cell for cell in plan(suite)}
    card = cells["dm-gcn@identity"].protocol
    assert card["setting"] == "transductive"
    assert card["graph_control"] == "identity"
    assert card["labels_in_graph"] is False
    assert card["scaling"] == {"kind": "zscore", "scope": "all"}
    assert card["split"]["parameters"]["rate"] == 0.3
    assert sum(card["labelled"]["train_per_class"]) == card["labelled"]["train"]
    assert card["labelled"]["rows"] == 60 == sum(card["labelled"][p] for p in ("train", "validation", "test"))
    assert cells["concat-logreg"].protocol["setting"] == "inductive"


def test_the_record_names_no_path(suite: dict[str, Any], tmp_path: Path) -> None:
    assert str(tmp_path) not in str([cell.to_json() for cell in plan(suite)])


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"methods": ["dm-gnc"]}, ["dm-gnc", "dm-gcn"]),
        ({"methods": ["dm-gcn@nothing"]}, ["nothing"]),
        (
            {"methods": [{"method": "dm-gcn", "options": {"droput": 0.1}}]},
            ["'dm-gcn'", "droput", "'dropout'"],
        ),
        ({"methods": [{"method": "dm-gcn", "training": {"epoch": 3}}]}, ["'epoch'", "'epochs'"]),
        ({"methods": [{"method": "dm-gcn", "graph": {"kk": 3}}]}, ["'dm-gcn'", "kk"]),
        ({"methods": [{"method": "dm-gcn", "scaling": {"kind": "no"}}]}, ["'dm-gcn'", "kind"]),
        ({"methods": [{"method": "concat-logreg", "graph": {"k": 3}}]}, ["concat-logreg", "no graph"]),
        (
            {"methods": [{"method": "concat-logreg", "training": {"epochs": 3}}]},
            ["concat-logreg", "fits itself"],
        ),
        ({"methods": ["concat-logreg@identity"]}, ["no graph"]),
        ({"methods": ["dm-gcn", {"method": "dm-gcn", "label": "other"}]}, ["'dm-gcn'", "'other'", "same"]),
        ({"methods": ["dm-gcn", {"method": "dm-gcn", "graph": {"k": 4}}]}, ["label", "dm-gcn"]),
        ({"methods": [{"method": "single-gcn:near", "options": {"view": "far"}}]}, ["'view'", "twice"]),
        ({"views": ["nar"]}, ["nar"]),
        ({"datasets": ["mfaet"]}, ["mfaet", "mfeat"]),
        ({"splits": {"scheme": "official"}}, ["official"]),
        ({"splits": {"scheme": "random"}}, ["random"]),
        ({"graph": {"k": {"near": 3}}}, ["far"]),
    ],
)
def test_mistakes_are_named_before_anything_runs(
    suite: dict[str, Any], keys: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        plan(changed(suite, **keys))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            {"graph": {"k": 5000}},
            "'tiny', dm-gcn, dm-gcn@identity: k = 5000 neighbours need at least 5001 rows, but view 'far' has 60; "
            "choose k below 60.",
        ),
        ({"graph": {"k": {"near": 3, "far": 60}}}, "view 'far' has 60; choose k below 60"),
        ({"graph": {"k": {"near": 3, "fra": 3}}}, "k names view 'fra', which the data has not"),
        (
            {"training": {"device": "cuda"}},
            "'tiny', dm-gcn, dm-gcn@identity: device='cuda': this torch sees no CUDA",
        ),
        ({"training": {"device": "tpu"}}, "device='tpu': give cpu, cuda"),
        (
            {"methods": ["dm-gcn@no-siblings"]},
            "'tiny', dm-gcn@no-siblings: The data has no groups of several rows",
        ),
        ({"methods": [{"method": "dm-gcn", "options": {"hidden": [0]}}]}, "positive layer widths"),
        ({"methods": [{"method": "dm-gcn", "options": {"dropout": 2}}]}, "give a rate in [0, 1)"),
        (
            {"methods": [{"method": "dm-gcn", "training": {"batch_size": 4, "fan_out": [2, 2, 2]}}]},
            "the method has 2 layers",
        ),
        ({"methods": ["pyg:GATKonv"]}, "no convolution 'GATKonv'"),
    ],
)
def test_what_would_end_every_cell_is_found_while_planning(
    suite: dict[str, Any], monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], told: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError) as caught:
        plan(changed(suite, **keys))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_neighbours_are_counted_among_the_rows_that_have_the_view(
    suite: dict[str, Any], tmp_path: Path, tiny: Tiny
) -> None:
    seen = np.ones((60, 2), dtype=bool)
    seen[:50, 0] = False
    write_h5mu(tiny().with_observed(seen), tmp_path / "gaps.h5mu")
    gaps = changed(suite, datasets=[str(tmp_path / "gaps.h5mu")], graph={"k": 10}, methods=["dm-gcn"])
    with pytest.raises(UserError, match=r"k = 10 neighbours need at least 11 rows, but view 'far' has 10"):
        plan(gaps)
    assert len(plan(changed(gaps, graph={"k": 9}))) == 2


def test_a_view_with_a_given_graph_has_no_k(suite: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    views = {"near": rng.normal(size=(60, 3)), "cites": rng.normal(size=(60, 3))}
    edges = np.triu(rng.random((60, 60)) < 0.1, 1).astype(np.float32)
    seen = {"near": np.ones(60, dtype=bool), "cites": np.arange(60) < 5}
    data = MultiViewData.from_arrays(
        views, labels, observed=seen, graphs={"cites": edges + edges.T}, card=Card(name="papers")
    )
    write_h5mu(data, tmp_path / "papers.h5mu")
    papers = changed(suite, datasets=[str(tmp_path / "papers.h5mu")], methods=["dm-gcn"])
    assert len(plan(changed(papers, graph={"k": 10}))) == 2, (
        "ten neighbours among five rows are not looked for"
    )
    assert len(plan(changed(papers, graph={"k": {"near": 4}}))) == 2
    with pytest.raises(UserError, match="k names view 'cites', whose graph is given and has no k"):
        plan(changed(papers, graph={"k": {"near": 4, "cites": 4}}))


def test_graphs_that_changed_names_are_other_content(suite: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows, nets = rng.normal(size=(60, 3)), np.triu(rng.random((2, 60, 60)) < 0.1, 1).astype(np.float32)
    files = []
    for name, (cites, authors) in {"papers": nets, "swapped": nets[::-1]}.items():
        data = MultiViewData.from_arrays(
            {"cites": rows, "authors": rows},
            np.arange(60) % 3,
            graphs={"cites": cites, "authors": authors},
            card=Card(name=name),
        )
        files.append(str(tmp_path / f"{name}.h5mu"))
        write_h5mu(data, files[-1])
    one, other = (ids(changed(suite, datasets=[file], methods=["dm-gcn"])) for file in files)
    assert one
    assert not one & other
    assert len(ids(changed(suite, datasets=files, methods=["dm-gcn"]))) == len(one) + len(other)


def test_all_that_is_wrong_is_told_at_once(suite: dict[str, Any], tmp_path: Path, tiny: Tiny) -> None:
    write_h5mu(tiny().subset(np.arange(45)).with_card(Card(name="small")), tmp_path / "other.h5mu")
    both = changed(suite, datasets=[*suite["datasets"], str(tmp_path / "other.h5mu")], graph={"k": 60})
    with pytest.raises(UserError) as caught:
        plan(changed(both, methods=["dm-gcn", {"method": "dm-gcn", "label": "b", "options": {"dropout": 2}}]))
    told = str(caught.value)
    assert "dm-gcn, b: k = 60 neighbours" in told
    assert told.count("give a rate in [0, 1)") == 2, "of both data sets"
    wrong = ["dm-gnc", {"method": "dm-gcn", "options": {"droput": 0.1}}]
    with pytest.raises(UserError, match=r"dm-gnc.*droput"):
        plan(changed(suite, methods=wrong))


def test_one_content_under_two_names_is_refused(suite: dict[str, Any], tmp_path: Path, tiny: Tiny) -> None:
    write_h5mu(tiny(), tmp_path / "copy.h5mu")
    with pytest.raises(UserError, match="same content"):
        plan(changed(suite, datasets=[*suite["datasets"], str(tmp_path / "copy.h5mu")]))
