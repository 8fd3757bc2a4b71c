"""Mirror a search into an MLflow store beside it: parent run = study, child run = trial.

    mlflow ui --backend-store-uri sqlite:///runs/tune-dm-gcn-mfeat/mlflow.db

Like the mirror of a run, it may be deleted at any time and is written again from the study; what a mirror that was
killed left RUNNING is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mvgraph.bench.canonical import digest, finite
from mvgraph.tracking import entries
from mvgraph.tracking.align import align
from mvgraph.tracking.mirror import MirrorSummary, open_store
from mvgraph.tracking.runs import STATUS, SUITE, TEXT_LENGTH, DataInput, MirrorRun
from mvgraph.tracking.template import Template
from mvgraph.tuning.record import StudyRecord, TrialRecord

#: Changed when a trial is mirrored differently, so that an older mirror is written anew.
LAYOUT = 2
_ENDINGS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "abandoned": "KILLED"}


def mirror_study(record: StudyRecord, folder: str | Path) -> MirrorSummary:
    """Bring `mlflow.db` and `mlartifacts` of a study folder in line with the study.

    Every trial that ended has one child run; a second call writes nothing new.

    Raises:
        UserError: MLflow is not installed, or `mlflow.db` is of another version of it.
    """
    with (
        closing(Template()) as template,
        closing(open_store(Path(folder).resolve(), record.name, template)) as store,
    ):
        trials = {f"trial {trial.number}": trial for trial in record.trials}
        stamps = {key: digest([LAYOUT, finite(asdict(trial))]) for key, trial in trials.items()}
        whole = _study_run(record, digest([LAYOUT, stamps, finite(record.spec), record.best]))
        with store.change():
            store.clear_orphans()
        done = align(
            store, stamps, lambda key: _trial_run(record, trials[key], stamps[key]), whole, lambda: whole
        )
        return MirrorSummary(store.uri, store.experiment, *done)


def _trial_run(record: StudyRecord, trial: TrialRecord, stamp: str) -> MirrorRun:
    start = entries.milliseconds(trial.started)
    tags = {STATUS: trial.state, **_source(record)}
    if trial.reason is not None:
        tags["mlflow.note.content"] = f"{trial.state}: {trial.reason}"[:TEXT_LENGTH]
    files: dict[str, Any] = {"trial.json": finite(asdict(trial))}
    if trial.traceback:
        files["traceback.txt"] = trial.traceback
    return MirrorRun(
        key=f"trial {trial.number}",
        stamp=stamp,
        name=f"trial {trial.number}",
        status=_ENDINGS[trial.state],
        start=start,
        end=entries.milliseconds(trial.finished) or start,
        params={entries.safe_key(key): str(value)[:TEXT_LENGTH] for key, value in trial.params.items()},
        tags=tags,
        points=list(_points(record, trial)),
        files=files,
        inputs=_inputs(record),
    )


def _study_run(record: StudyRecord, stamp: str) -> MirrorRun:
    """The study, with counts and its best values."""
    figures = {f"trials/{state}": float(len(record.of_state(state))) for state in _ENDINGS}
    if len(record.best) == 1:
        best = record.trial(record.best[0])
        figures |= {
            f"best/{name}": float(value) for (name, _), value in zip(record.figures, best.values, strict=True)
        }
        figures["best/trial"] = float(best.number)
    started = [moment for t in record.trials if (moment := entries.milliseconds(t.started)) is not None]
    return MirrorRun(
        key="",
        stamp=stamp,
        name=record.name,
        status="FINISHED",
        start=min(started, default=None),
        end=max((entries.milliseconds(t.finished) or 0 for t in record.trials), default=None),
        tags={SUITE: record.name, **_source(record)},
        points=[(name, value, 0) for name, value in figures.items()],
        files={"spec.json": finite(record.spec)},
        inputs=_inputs(record),
    )


def _source(record: StudyRecord) -> dict[str, str]:
    return {"mlflow.source.name": f"mvgraph tune {record.name}", "mlflow.source.type": "LOCAL"}


def _inputs(record: StudyRecord) -> list[DataInput]:
    name, seen = str(record.spec.get("dataset")), str(record.spec.get("seen"))
    return [DataInput(name, seen[:16], json.dumps({"name": name, "fingerprint": seen}), context="training")]


def _points(record: StudyRecord, trial: TrialRecord) -> Iterator[entries.Point]:
    for (name, _), value in zip(record.figures, trial.values, strict=False):
        yield f"objective/{name}", float(value), 0
    for name, value in trial.means.items():
        yield f"validation/{name}", float(value), 0
    for step, log_loss, accuracy in trial.curve:
        yield "curve/log_loss", float(log_loss), int(step)
        yield "curve/accuracy", float(accuracy), int(step)
    for index, split in enumerate(trial.splits):
        yield "split/log_loss", float(split["log_loss"]), index
        yield "split/accuracy", float(split["accuracy"]), index
    yield "parameters", float(trial.parameters), 0
    yield "seconds/trial", trial.seconds, 0
    yield "seconds/fit", trial.fit_seconds, 0
