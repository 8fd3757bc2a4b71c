"""`graph: {fused: snf}` in a suite: a setting like any other, in the cell's id and in its result."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from mvgraph.bench import run_suite
from mvgraph.bench.ledger import Ledger
from mvgraph.bench.plan import make_plan
from mvgraph.bench.suite import parse_suite
from mvgraph.errors import UserError


def fused(suite: dict[str, Any]) -> dict[str, Any]:
    methods = [
        "dm-gcn",
        {"method": "dm-gcn", "label": "dm-gcn + snf", "graph": {"fused": "snf"}},
        "snf",
        "concat-logreg",
    ]
    return {**copy.deepcopy(suite), "methods": methods}


def test_it_makes_a_cell_of_its_own(suite: dict[str, Any]) -> None:
    cells = {cell.label: cell for cell in make_plan(parse_suite(fused(suite))) if cell.split["index"] == 0}
    assert cells["dm-gcn"].id != cells["dm-gcn + snf"].id
    assert cells["dm-gcn + snf"].graph == {**(cells["dm-gcn"].graph or {}), "fused": "snf"}
    plain = {cell.id for cell in make_plan(parse_suite({**suite, "methods": ["dm-gcn"]}))}
    assert cells["dm-gcn"].id in plain
    wrong = {**suite, "graph": {"k": 3, "fused": "mean"}}
    with pytest.raises(UserError, match="fused 'mean' is unknown"):
        make_plan(parse_suite(wrong))


def test_its_cells_run(suite: dict[str, Any], tmp_path: Path) -> None:
    run_suite(fused(suite), tmp_path / "run", mirror=False)
    records = [
        record
        for record in Ledger(tmp_path / "run" / "ledger.sqlite").records()
        if record["status"] == "done"
    ]
    assert len(records) == 2 * 4
    for record in records:
        theta = record["diagnostics"].get("theta", [{}])[0]
        if record["cell"]["label"] == "dm-gcn + snf":
            assert list(theta) == ["far", "near", "snf"]
        elif record["cell"]["label"] == "dm-gcn":
            assert list(theta) == ["far", "near"]
