"""Checkpoints: round trips, and files that lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mvgraph.contract.synthetic import blobs, graph_of, split_of, tensors
from mvgraph.errors import UserError
from mvgraph.fusion.dm_gcn import DMGCN
from mvgraph.graph.propagation import Propagation
from mvgraph.training import FitResult, fit, load_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def result() -> FitResult:
    data = blobs()
    return fit(
        "dm-gcn",
        data,
        split_of(data),
        graph_of(data),
        options={"hidden": [6, 4], "theta_per_layer": False},
        training={"epochs": 20, "evaluate_every": 2, "lr": 0.05},
        seed=9,
    )


@pytest.mark.parametrize("selection", ["last", "validation"])
def test_round_trip(selection: str, result: FitResult, tmp_path: Path) -> None:
    stem = tmp_path / "deep" / "run.v1"
    target = save_checkpoint(result, stem, selection)
    assert target == tmp_path / "deep" / "run.v1.json"
    assert sorted(p.name for p in stem.parent.iterdir()) == ["run.v1.json", "run.v1.safetensors"]
    for path in (stem, str(stem) + ".json", str(stem) + ".safetensors"):
        model, description = load_checkpoint(path)
        assert isinstance(model, DMGCN)
        assert not model.training
        assert (model.hidden, model.theta_per_layer) == ((6, 4), False)
    assert description["epoch"] == result.selections[selection].epoch
    assert (description["seed"], description["method"], description["selection"]) == (9, "dm-gcn", selection)
    data = blobs()
    p = Propagation(model.prepare(graph_of(data)), tensors(data, torch.float32))
    with torch.no_grad():
        found = torch.softmax(model(p), dim=1).numpy()
    np.testing.assert_allclose(found, result.probabilities(selection), atol=1e-6)


def test_families_and_controls_load_by_name(tmp_path: Path) -> None:
    data = blobs()
    for method in ("single-gcn:image", "at-gcn@identity", "concat-mlp"):
        fitted = fit(method, data, split_of(data), graph_of(data), training={"epochs": 1})
        save_checkpoint(fitted, tmp_path / "m")
        model, description = load_checkpoint(tmp_path / "m")
        assert description["method"] == method
        assert model.get_options() == fitted.model.get_options()


class Unregistered(DMGCN):
    """Not in any registry."""

    name = "unregistered"


def test_a_file_never_names_code_to_import(tmp_path: Path) -> None:
    data = blobs()
    fitted = fit(Unregistered, data, split_of(data), graph_of(data), training={"epochs": 1})
    save_checkpoint(fitted, tmp_path / "m")
    with pytest.raises(UserError, match="'unregistered', which is not registered here; pass method="):
        load_checkpoint(tmp_path / "m")
    model, _ = load_checkpoint(tmp_path / "m", Unregistered)
    assert type(model) is Unregistered
    description = json.loads((tmp_path / "m.json").read_text())
    description["method"] = "os:system"
    (tmp_path / "m.json").write_text(json.dumps(description))
    with pytest.raises(UserError, match="'os:system', which is not registered here"):
        load_checkpoint(tmp_path / "m")


def test_checkpoints_that_do_not_fit_are_refused(result: FitResult, tmp_path: Path) -> None:
    stem = tmp_path / "m"
    with pytest.raises(UserError, match="There is no checkpoint"):
        load_checkpoint(stem)
    save_checkpoint(result, stem)
    whole = json.loads((tmp_path / "m.json").read_text())
    weights = (tmp_path / "m.safetensors").read_bytes()

    def broken(change: dict[str, Any] | list[Any] | str, says: str) -> None:
        text = change if isinstance(change, str) else json.dumps(change)
        (tmp_path / "m.json").write_text(text)
        with pytest.raises(UserError, match=says):
            load_checkpoint(stem)

    broken("{", "is not JSON")
    broken([], "not a checkpoint of format 1")
    broken({**whole, "format": 99}, "not a checkpoint of format 1")
    for key in ("method", "options", "view_dims", "classes"):
        broken({k: v for k, v in whole.items() if k != key}, f"is damaged: its entry '{key}' is missing")
    broken({**whole, "method": ["dm-gcn"]}, "is damaged: its entry 'method'")
    broken({**whole, "options": {"hidden": [6, 4], "wings": 2}}, "has no option 'wings'")
    broken({**whole, "classes": ["a", "b"]}, "The weights beside .* do not fit it")
    broken({**whole, "method": "at-gcn", "options": {}}, "The weights beside .* do not fit it")
    broken(
        {**whole, "method": "concat-logreg", "options": {}},
        "is of method 'concat-logreg', which has no weights",
    )
    broken({**whole, "view_dims": {"depth": [6]}}, "is damaged: its options make no method")
    broken({**whole, "options": {"dropout": "half"}}, "is damaged: its options make no method")
    (tmp_path / "m.json").write_text(json.dumps(whole))
    (tmp_path / "m.safetensors").write_bytes(weights[:-4])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        load_checkpoint(stem)
    (tmp_path / "m.safetensors").unlink()
    with pytest.raises(UserError, match="There is no file"):
        load_checkpoint(stem)


def test_what_cannot_be_saved(result: FitResult, tmp_path: Path) -> None:
    data = blobs()
    with pytest.raises(UserError, match="selection='oracle': choose one of last, validation"):
        save_checkpoint(result, tmp_path / "m", "oracle")
    with pytest.raises(UserError, match="'concat-logreg' has no network weights"):
        save_checkpoint(fit("concat-logreg", data, split_of(data)), tmp_path / "m")
