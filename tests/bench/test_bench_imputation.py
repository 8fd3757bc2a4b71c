"""NaN cells that a suite fills from training rows alone: other numbers, another cell, and said on the card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvgraph.bench import Ledger, run_suite
from mvgraph.bench.plan import make_plan
from mvgraph.bench.suite import parse_suite
from mvgraph.data import load, write_h5mu


@pytest.fixture
def holed(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    views = {name: rng.normal(size=(60, 4)) + labels[:, None] for name in ("a", "b")}
    views["a"][rng.random((60, 4)) < 0.2] = np.nan
    np.savez(tmp_path / "m.npz", **views, y=labels)
    path = tmp_path / "holed.h5mu"
    write_h5mu(load(tmp_path / "m.npz", nan="median", nan_is_missing=True), path)
    return path


def test_the_scope_of_the_filling_is_part_of_a_cell(
    holed: Path, suite: dict[str, Any], tmp_path: Path
) -> None:
    suite |= {"datasets": [str(holed)], "methods": ["dm-gcn"]}
    everywhere = make_plan(parse_suite(suite))
    training = make_plan(parse_suite({**suite, "scaling": {"imputation": "train"}}))
    assert not {cell.id for cell in everywhere} & {cell.id for cell in training}
    assert everywhere[0].protocol["imputation"]["scope"] == "all"
    card = training[0].protocol["imputation"]
    assert (card["kind"], card["scope"]) == ("median", "train")
    assert card["cells"] > 10
    losses = []
    for name, content in (("all", suite), ("train", {**suite, "scaling": {"imputation": "train"}})):
        run_suite(content, tmp_path / name, progress="none", mirror=False)
        with Ledger(tmp_path / name / "ledger.sqlite") as ledger:
            losses.append([r["metrics"]["last"]["test"]["log_loss"] for r in ledger.records()])
    assert losses[0] != losses[1]


def test_data_without_filled_cells_keeps_its_cells(suite: dict[str, Any]) -> None:
    plain = {cell.id for cell in make_plan(parse_suite(suite))}
    asked = make_plan(parse_suite({**suite, "scaling": {"imputation": "train"}}))
    assert {cell.id for cell in asked} == plain
    assert "imputation" not in asked[0].protocol
