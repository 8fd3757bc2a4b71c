from __future__ import annotations

from pathlib import Path

from mvgraph.report.context import configurations, environments, flatten, last_line, protocol_card, troubles
from mvgraph.report.snapshot import Snapshot


def test_the_card_names_the_cells_that_differ(partial: Snapshot) -> None:
    card = {line.rule: line for line in protocol_card(partial)}
    assert card["scaling: kind"].value == "zscore"
    assert card["setting"].value == "transductive"
    (other,) = card["setting"].deviations
    assert (other.value, other.where) == ("inductive", "concat-logreg")
    assert card["seed"].value == "0, 1"
    assert card["split: index"].value == "0, 1, 2"
    assert card["split: index"].deviations == ()


def test_a_single_odd_cell_is_named_by_its_id(snapshot: Snapshot) -> None:
    records = [dict(r) for r in snapshot.records]
    odd = records[0]
    odd["cell"] = {**odd["cell"], "protocol": {**odd["cell"]["protocol"], "selection": "validation"}}
    card = {line.rule: line for line in protocol_card(Snapshot(suite={}, records=records))}
    (other,) = card["selection"].deviations
    assert other.where == f"cell {odd['cell']['id'][:12]}"


def test_the_environment_counts_where_machines_differ(snapshot: Snapshot) -> None:
    records = [dict(r) for r in snapshot.records]
    records[0]["environment"] = {**records[0]["environment"], "cpu": "Another CPU"}
    facts = dict(environments(Snapshot(suite={}, records=records)))
    assert facts["cpu"] == [("Made-up CPU", len(records) - 1), ("Another CPU", 1)]
    assert facts["python"] == [("3.11.0", len(records))]


def test_troubles_give_the_reason_in_one_line(partial: Snapshot) -> None:
    (failed,) = troubles(partial.failures)
    assert (failed.status, failed.label, failed.split, failed.seed) == ("timeout", "at-gcn", "1", "0")
    assert failed.reason == "TimeLimit: more than 600 s"
    assert {(t.status, t.label) for t in troubles(partial.missing)} == {("planned", "label-spreading")}
    assert last_line("") == ""


def test_settings_that_differ_between_cells_are_said_to(snapshot: Snapshot) -> None:
    records = [dict(r) for r in snapshot.records if r["cell"]["label"] == "dm-gcn"]
    records[0]["cell"] = {**records[0]["cell"], "options": {"hidden": 128}}
    (found,) = configurations(Snapshot(suite={}, records=records), ["dm-gcn"])
    assert found.options == "hidden differs between cells"
    assert found.graph == "k 10, kernel exp, symmetrise max"
    assert flatten({"a": {"b": None, "c": [1, True]}}) == {"a.b": "none", "a.c": "1, yes"}


def test_nothing_names_a_folder_of_this_machine(finished: Path) -> None:
    for path in (finished / "report").glob("*.[hcm]*"):
        assert str(finished) not in path.read_text(encoding="utf-8")
