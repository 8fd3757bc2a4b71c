"""`tune: N` in a suite: a search in every cell, on its training and validation rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tuning_data import SHORT

from mvgraph.bench import Ledger, make_plan, parse_suite, run_suite
from mvgraph.bench.cell import run_cell
from mvgraph.bench.limits import TimeLimit
from mvgraph.bench.material import Material
from mvgraph.data import MultiViewData, Split
from mvgraph.data.h5mu_write import write_h5mu
from mvgraph.errors import UserError
from mvgraph.report.context import configurations
from mvgraph.report.snapshot import read
from mvgraph.tuning.cell import choose


@pytest.fixture
def suite(path: Path) -> dict[str, Any]:
    return {
        "name": "nested",
        "datasets": [str(path)],
        "methods": [
            "concat-logreg",
            {"method": "dm-gcn", "label": "plain", **SHORT},
            {
                "method": "dm-gcn",
                "label": "tuned",
                "tune": {"trials": 4, "inner": 2},
                **SHORT,
                "seeds": [0, 1],
            },
        ],
        "splits": {"rate": 0.4, "validation": 0.3, "n": 1},
    }


def records(folder: str) -> dict[tuple[str, int], dict[str, Any]]:
    with Ledger(Path(folder) / "ledger.sqlite") as ledger:
        return {(r["cell"]["label"], r["cell"]["seed"]): r for r in ledger.records()}


def test_what_was_chosen_stands_in_the_record(suite: dict[str, Any]) -> None:
    summary = run_suite(suite, "run", mirror=False, progress="none")
    assert summary.failed == 0
    found = records("run")
    tuned = found["tuned", 0]
    search = tuned["tuning"]
    assert search["trials"] == {"complete": 4, "failed": 0, "pruned": 0}
    assert search["value"] <= search["start"]
    assert search["chosen"]["options"]["hidden"] == [8, 8], "what the entry sets is fixed"
    assert search["chosen"]["training"]["epochs"] == 6
    assert "options.hidden" not in search["space"]
    assert tuned["cell"]["protocol"]["search"]["rows"] == "training and validation"
    assert tuned["seconds"]["tuning"] > 0
    assert tuned["seconds"]["total"] > tuned["seconds"]["tuning"]
    with read("run") as snapshot:
        shown = {c.label: c for c in configurations(snapshot, ["plain", "tuned"])}
    assert f"lr {search['chosen']['training']['lr']:g}" in shown["tuned"].training
    assert found["tuned", 1]["tuning"] == search, "one search serves all initialisation seeds"
    assert found["tuned", 1]["seconds"]["cell"] < tuned["seconds"]["cell"]
    assert "tuning" not in found["plain", 0]
    assert "tuning" not in found["plain", 0]["seconds"]


def test_the_cell_is_the_fit_with_what_was_chosen(suite: dict[str, Any]) -> None:
    run_suite(suite, "run", mirror=False, progress="none")
    tuned = records("run")["tuned", 0]
    chosen = tuned["tuning"]["chosen"]
    by_hand = {**suite, "methods": [{"method": "dm-gcn", "label": "by hand", **chosen}]}
    run_suite(by_hand, "again", mirror=False, progress="none")
    assert records("again")["by hand", 0]["metrics"] == tuned["metrics"]


def test_a_search_changes_the_id_and_its_absence_does_not(suite: dict[str, Any]) -> None:
    def ids(content: dict[str, Any]) -> dict[str, str]:
        return {cell.label: cell.id for cell in make_plan(parse_suite(content))}

    first = ids(suite)
    assert first["tuned"] != first["plain"]
    methods = [*suite["methods"][:2], {**suite["methods"][2], "tune": {"trials": 5, "inner": 2}}]
    assert ids({**suite, "methods": methods})["tuned"] != first["tuned"]
    assert ids({**suite, "methods": methods[:2]}) == {k: first[k] for k in ("concat-logreg", "plain")}


def test_a_suite_may_search_everywhere_but_where_told_not_to(suite: dict[str, Any]) -> None:
    suite["methods"][1]["tune"] = 0
    cells = {cell.label: cell for cell in make_plan(parse_suite({**suite, "tune": 7}))}
    assert cells["plain"].tune is None
    assert cells["tuned"].tune is not None
    assert cells["tuned"].tune["trials"] == 4
    assert cells["concat-logreg"].tune == {
        "trials": 7,
        "inner": 3,
        "objective": "log-loss",
        "seed": 0,
        "selection": "last",
        "fixed": [],
    }
    assert cells["tuned"].tune["fixed"] == ["options.hidden", "training.epochs", "training.evaluate_every"]


@pytest.mark.parametrize("wrong", [-1, {"trials": 0}, {"objective": "both"}, {"trails": 5}, "many"])
def test_a_wrong_search_is_refused_when_the_suite_is_read(suite: dict[str, Any], wrong: Any) -> None:
    with pytest.raises(UserError, match="tune"):
        parse_suite({**suite, "tune": wrong})


def test_test_labels_do_not_choose(data: MultiViewData, split: Split, tmp_path: Path) -> None:
    labels = np.array(data.labels)
    labels[split.test] = (labels[split.test] + 1) % 3
    views = {name: data.views[name] for name in data.view_names}
    poisoned = MultiViewData.from_arrays(views, labels, ids=data.ids, groups=data.groups, card=data.card)
    base = make_plan(
        parse_suite(
            {"name": "x", "datasets": [_write(data, tmp_path)], "methods": [SHORT | {"method": "dm-gcn"}]}
        )
    )[0]
    settings = {name: getattr(base, name) for name in ("options", "training", "graph", "scaling")}
    tune = {"trials": 5, "inner": 2, "objective": "log-loss", "seed": 0, "selection": "last", "fixed": []}
    assert choose("dm-gcn", data, split, settings, tune) == choose("dm-gcn", poisoned, split, settings, tune)


def _write(data: MultiViewData, folder: Path) -> str:
    write_h5mu(data, folder / "data.h5mu")
    return str(folder / "data.h5mu")


def test_the_limit_of_the_cell_ends_its_search(path: Path) -> None:
    suite = parse_suite(
        {
            "name": "late",
            "datasets": [str(path)],
            "methods": [{"method": "odd_methods:Nearest", "tune": 100_000}],
            "limits": {"seconds": 1.5},
        }
    )
    with pytest.raises(TimeLimit):
        run_cell(make_plan(suite)[0])


def test_a_search_without_a_complete_trial_fails_its_cell(path: Path) -> None:
    suite = parse_suite(
        {"name": "no", "datasets": [str(path)], "methods": [{"method": "odd_methods:Hopeless", "tune": 2}]}
    )
    with pytest.raises(UserError, match=r"No trial of the search was complete.*never enough"):
        run_cell(make_plan(suite)[0])


def test_the_tuner_can_be_another(path: Path) -> None:
    suite = parse_suite(
        {"name": "x", "datasets": [str(path)], "methods": [{"method": "concat-logreg", "tune": 9}]}
    )
    cell = make_plan(suite)[0]
    asked = []

    def tuner(method: str, data: MultiViewData, split: Split, base: Any, tune: Any) -> dict[str, Any]:
        asked.append((method, tune["trials"]))
        return {"chosen": {**base, "options": {**base["options"], "strength": 123.0}}}

    record, _ = run_cell(cell, Material(), tuner)
    assert asked == [("concat-logreg", 9)]
    assert record["tuning"]["chosen"]["options"]["strength"] == 123.0
