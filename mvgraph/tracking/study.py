"""Mirror a search into an MLflow store beside it: parent run = study, child run = trial.

    mlflow ui --backend-store-uri sqlite:///runs/tune-dm-gcn-mfeat/mlflow.db

Like the mirror of a run, it may be deleted at any time and is written again from the study.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mvgraph.bench.canonical import digest, finite
from mvgraph.tracking import entries
from mvgraph.tracking.mirror import CELL, STAMP, STATUS, SUITE, MirrorSummary, _quiet, _Store
from mvgraph.tuning.record import StudyRecord, TrialRecord

#: Changed when a trial is mirrored differently, so that an older mirror is written anew.
LAYOUT = 1
_ENDINGS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "abandoned": "KILLED"}


def mirror_study(record: StudyRecord, folder: str | Path) -> MirrorSummary:
    """Bring `mlflow.db` and `mlartifacts` of a study folder in line with the study.

    Every trial that ended has one child run; a second call writes nothing new.

    Raises:
        UserError: MLflow is not installed.
    """
    with _quiet():
        store = _StudyStore(Path(folder).resolve(), record.name)
        parent = store.parent_of(record)
        known = store.children(parent)
        written = kept = removed = 0
        for trial in record.trials:
            stamp = digest({"layout": LAYOUT, "trial": finite(asdict(trial))})
            runs = known.pop(f"trial {trial.number}", [])
            right = [run for run, its_stamp in runs if its_stamp == stamp][:1]
            for run, _ in runs:
                if run not in right:
                    store.remove(run)
                    removed += 1
            if right:
                kept += 1
            else:
                store.write_trial(parent, record, trial, stamp)
                written += 1
        for runs in known.values():
            for run, _ in runs:
                store.remove(run)
                removed += 1
        store.close_study(parent, record)
    return MirrorSummary(store.uri, store.experiment, written, kept, removed)


class _StudyStore(_Store):
    """The MLflow store of one study folder."""

    def parent_of(self, record: StudyRecord) -> str:
        """The run that stands for the study, made when it is not there."""
        for known, _ in self._search(f"tags.`{SUITE}` = '{self.experiment}'"):
            return known
        started = [moment for t in record.trials if (moment := entries.milliseconds(t.started)) is not None]
        run = self._client.create_run(
            self._id,
            run_name=record.name,
            start_time=min(started, default=None),
            tags={SUITE: self.experiment},
        )
        self._artifacts(run, {"spec.json": record.spec})
        return str(run.info.run_id)

    def write_trial(self, parent: str, record: StudyRecord, trial: TrialRecord, stamp: str) -> None:
        """One trial as a child run; its stamp comes last, so that a run broken off is known as such."""
        start = entries.milliseconds(trial.started)
        run = self._client.create_run(
            self._id,
            run_name=f"trial {trial.number}",
            start_time=start,
            tags={"mlflow.parentRunId": parent, CELL: f"trial {trial.number}", STATUS: trial.state},
        )
        tags = (
            {} if trial.reason is None else {"mlflow.note.content": f"{trial.state}: {trial.reason}"[:5000]}
        )
        chosen = {entries.safe_key(key): str(value) for key, value in trial.params.items()}
        self._log(run.info.run_id, chosen, list(_points(record, trial)), start or 0, {**tags, STAMP: stamp})
        files: dict[str, Any] = {"trial.json": finite(asdict(trial))}
        if trial.traceback:
            files["traceback.txt"] = trial.traceback
        self._artifacts(run, files)
        end = entries.milliseconds(trial.finished) or start
        self._client.set_terminated(run.info.run_id, _ENDINGS[trial.state], end)

    def close_study(self, parent: str, record: StudyRecord) -> None:
        """Counts and the best values on the study's own run."""
        figures = {f"trials/{state}": float(len(record.of_state(state))) for state in _ENDINGS}
        if len(record.best) == 1:
            best = record.trial(record.best[0])
            figures |= {
                f"best/{name}": value for (name, _), value in zip(record.figures, best.values, strict=True)
            }
            figures["best/trial"] = float(best.number)
        stamp = digest(figures)
        if self._client.get_run(parent).data.tags.get(STAMP) == stamp:
            return
        end = max((entries.milliseconds(t.finished) or 0 for t in record.trials), default=0)
        metrics = [self._entities.Metric(key, value, end, 0) for key, value in figures.items()]
        self._client.log_batch(parent, metrics=metrics, tags=[self._entities.RunTag(STAMP, stamp)])
        self._client.set_terminated(parent, "FINISHED", end)


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
