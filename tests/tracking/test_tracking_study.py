"""A search in MLflow, read back through MLflow itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from study_records import make_study, make_trial

from mvgraph.tracking.study import mirror_study

pytest.importorskip("mlflow")


def client(folder: Path) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{folder.resolve()}/mlflow.db")


def runs(folder: Path) -> tuple[Any, dict[str, Any]]:
    """The parent, and the children by name."""
    found = client(folder)
    experiment = found.get_experiment_by_name(make_study().name)
    all_runs = list(found.search_runs([experiment.experiment_id]))
    parents = [run for run in all_runs if "mlflow.parentRunId" not in run.data.tags]
    assert len(parents) == 1
    children = {run.info.run_name: run for run in all_runs if run is not parents[0]}
    assert len(children) == len(all_runs) - 1
    return parents[0], children


def test_every_trial_is_a_child_and_a_second_mirror_writes_nothing(tmp_path: Path) -> None:
    record = make_study()
    first = mirror_study(record, tmp_path)
    assert (first.written, first.kept, first.removed) == (13, 0, 0)
    parent, children = runs(tmp_path)
    assert set(children) == {f"trial {n}" for n in range(13)}
    assert parent.data.metrics["trials/complete"] == 10
    assert parent.data.metrics["best/log_loss"] == pytest.approx(0.1)
    best = children["trial 9"]
    assert best.info.status == "FINISHED"
    assert best.data.params == {"graph.k": "12", "options.hidden": "[8,8]", "training.lr": "1e-09"}
    assert best.data.metrics["objective/log_loss"] == pytest.approx(0.1)
    curve = client(tmp_path).get_metric_history(best.info.run_id, "curve/log_loss")
    assert [(point.step, point.value) for point in curve] == [(1, 1.5), (2, 1.2)]
    assert children["trial 10"].info.status == "KILLED"
    assert children["trial 11"].info.status == "FAILED"
    assert children["trial 11"].data.tags["mlflow.note.content"] == "failed: ArithmeticError: too hot"
    place = tmp_path / "mlartifacts" / children["trial 11"].info.run_id / "artifacts"
    assert json.loads((place / "trial.json").read_text())["number"] == 11
    assert "too hot" in (place / "traceback.txt").read_text()

    second = mirror_study(record, tmp_path)
    assert (second.written, second.kept, second.removed) == (0, 13, 0)
    assert set(runs(tmp_path)[1]) == set(children)

    # The study went on, and one trial is told otherwise.
    changed = [*record.trials[:-1], make_trial(12, values=(0.01,)), make_trial(13, values=(0.3,))]
    third = mirror_study(replace(record, trials=changed, best=[12]), tmp_path)
    assert (third.written, third.kept, third.removed) == (2, 12, 1)
    parent, children = runs(tmp_path)
    assert len(children) == 14
    assert parent.data.metrics["best/trial"] == 12


def test_what_a_killed_mirror_left_running_is_closed(tmp_path: Path) -> None:
    record = make_study()
    mirror_study(record, tmp_path)
    parent, children = runs(tmp_path)
    for run in (parent, children["trial 3"], children["trial 10"]):
        client(tmp_path).update_run(run.info.run_id, status="RUNNING")
    again = mirror_study(record, tmp_path)
    assert (again.written, again.kept, again.removed) == (2, 11, 2)
    parent, children = runs(tmp_path)
    assert len(children) == 13
    assert not [run for run in [parent, *children.values()] if run.info.status == "RUNNING"]
    for run in [parent, *children.values()]:
        (given,) = run.inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == ("tiny", "f" * 16)
        assert run.data.tags["mlflow.source.name"] == f"mvgraph tune {record.name}"
