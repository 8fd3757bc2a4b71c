"""The mirror, read back through MLflow itself."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from pathlib import Path

import pytest
from tracking_runs import client, runs, small_suite

from mvgraph.bench import Ledger, run_suite
from mvgraph.errors import UserError
from mvgraph.tracking import mirror
from mvgraph.tracking.entries import safe_key

pytest.importorskip("mlflow")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 4 done and 2 failed cells, and its mirror."""
    place = tmp_path_factory.mktemp("mirror")
    summary = run_suite(small_suite(place), place / "run", progress="none")
    assert summary.notes == []
    assert (summary.done, summary.failed) == (4, 2)
    return place / "run"


def test_a_cell_is_a_child_with_all_it_holds(folder: Path) -> None:
    parent, children = runs(folder)
    by_cell = {run.data.tags["mvgraph.cell"]: run for run in children}
    assert len(by_cell) == len(children) == 6
    with Ledger(folder / "ledger.sqlite") as ledger:
        records = ledger.records()
    for record in records:
        run = by_cell[record["cell"]["id"]]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.status == "FINISHED"
        for selection in ("last", "validation"):
            for part in ("validation", "test"):
                for name, value in record["metrics"][selection][part].items():
                    assert run.data.metrics[f"{selection}/{part}/{name}"] == pytest.approx(value)
        assert run.data.metrics["oracle/test/accuracy"] == record["metrics"]["oracle"]["test"]["accuracy"]
        assert run.data.metrics["parameters"] == record["parameters"]
        assert run.data.metrics["seconds/training"] == pytest.approx(record["seconds"]["training"])
        assert run.data.params["label"] == record["cell"]["label"]
        assert run.data.params["split.rate"] == "0.3"
        names = {artifact.path for artifact in client(folder).list_artifacts(run.info.run_id)}
        assert names == {"record.json", "protocol.json"}
        path = client(folder).download_artifacts(run.info.run_id, "record.json")
        assert json.loads(Path(path).read_text()) == record
        length = run.info.end_time - run.info.start_time
        assert length == pytest.approx(1000 * record["seconds"]["cell"], abs=1)


def test_learning_curves_have_epochs_as_steps(folder: Path) -> None:
    _, children = runs(folder)
    run = next(run for run in children if run.data.params["label"] == "dm-gcn")
    history = client(folder).get_metric_history(run.info.run_id, "curve/validation_log_loss")
    assert [point.step for point in history] == [2, 4]
    assert len(client(folder).get_metric_history(run.info.run_id, "theta/1/far _m__")) == 2
    assert run.data.params["options.hidden"] == "[256, 128]"
    assert run.data.params["training.epochs"] == "4"
    assert run.data.params["graph.k"] == "3"


def test_failed_cells_are_failed_runs(folder: Path) -> None:
    parent, children = runs(folder)
    failed = [run for run in children if run.data.params["label"] == "failing"]
    assert [run.info.status for run in failed] == ["FAILED", "FAILED"]
    assert "nowhere" in failed[0].data.tags["mlflow.note.content"]
    path = client(folder).download_artifacts(failed[0].info.run_id, "traceback.txt")
    assert "UserError" in Path(path).read_text()
    assert parent.info.status == "FAILED"
    assert parent.data.metrics["cells/done"] == 4
    assert parent.data.metrics["cells/failed"] == 2


def test_mirroring_twice_changes_nothing(folder: Path) -> None:
    before = {run.info.run_id: run.data.to_dictionary() for run in runs(folder)[1]}
    summary = mirror(folder)
    assert (summary.written, summary.kept, summary.removed) == (0, 6, 0)
    assert {run.info.run_id: run.data.to_dictionary() for run in runs(folder)[1]} == before
    assert not list(folder.rglob("*.pkl"))


def test_a_run_that_is_not_in_line_is_replaced(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "mlartifacts")
    (tmp_path / "run" / "mlflow.db").unlink()
    place = tmp_path / "run"
    assert mirror(place).written == 6
    parent, children = runs(place)
    broken = children[0]
    client(place).set_tag(broken.info.run_id, "mvgraph.stamp", "broken off")
    stray = client(place).create_run(
        broken.info.experiment_id,
        tags={"mlflow.parentRunId": parent.info.run_id, "mvgraph.cell": "of another plan"},
    )
    summary = mirror(place)
    assert (summary.written, summary.kept, summary.removed) == (1, 5, 2)
    left = {run.info.run_id for run in runs(place)[1]}
    assert len(left) == 6
    assert not left & {broken.info.run_id, stray.info.run_id}


def test_a_moved_run_folder_keeps_its_artifacts_beside_it(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere")
    summary = mirror(tmp_path / "elsewhere")
    assert summary.written == 6
    _, children = runs(tmp_path / "elsewhere")
    assert all(str(tmp_path / "elsewhere") in run.info.artifact_uri for run in children)


def test_a_suite_with_cells_left_is_scheduled_once_nobody_works_on_it(tmp_path: Path) -> None:
    suite = small_suite(tmp_path) | {"methods": ["concat-logreg"]}
    run_suite(suite, tmp_path / "run", progress="none", limit=1)
    assert runs(tmp_path / "run")[0].info.status == "SCHEDULED"
    run_suite(suite, tmp_path / "run", progress="none")
    parent, children = runs(tmp_path / "run")
    assert parent.info.status == "FINISHED"
    assert len(children) == 2


def test_without_mlflow_the_run_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def refuse(name: str) -> str:
        if name == "mlflow":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", refuse)
    suite = small_suite(tmp_path) | {"methods": ["concat-logreg"]}
    summary = run_suite(suite, tmp_path / "run", progress="none")
    assert summary.done == 2
    assert len(summary.notes) == 1
    assert "mvgraph[bench]" in summary.notes[0]


def test_a_folder_without_a_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no ledger"):
        mirror(tmp_path)


@pytest.mark.parametrize(
    ("name", "key"),
    [("theta/1/a b", "theta/1/a b"), ("a/../b", "a/_/b"), ("α=1", "__1"), ("x" * 400, "x" * 250)],
)
def test_keys_are_what_mlflow_takes(name: str, key: str) -> None:
    assert safe_key(name) == key
