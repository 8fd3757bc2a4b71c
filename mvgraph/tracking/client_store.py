"""The same runs through MLflow's public client: slow, and right for every MLflow that the extra allows."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mvgraph.tracking.runs import CELL, PARENT, STAMP, SUITE, Known, MirrorRun, write_files

#: MLflow refuses larger batches.
BATCH_METRICS, BATCH_PARAMETERS = 1000, 100


class ClientStore:
    """Runs of one experiment, in `<folder>/mlflow.db` and `<folder>/mlartifacts`."""

    def __init__(self, folder: Path, experiment: str) -> None:
        with _quiet():
            from mlflow import entities
            from mlflow.tracking import MlflowClient

            self.experiment = experiment
            self.artifacts = folder / "mlartifacts"
            self.uri = f"sqlite:///{folder / 'mlflow.db'}"
            self._entities = entities
            self._client = MlflowClient(tracking_uri=self.uri)
            found = self._client.get_experiment_by_name(experiment)
            location = self.artifacts.as_uri()
            if found is not None and found.artifact_location != location:
                # The folder was moved: what is stored points to where it was. A mirror is cheap to write anew.
                self._client.rename_experiment(
                    found.experiment_id, f"{experiment} (moved {found.experiment_id})"
                )
                self._client.delete_experiment(found.experiment_id)
                found = None
            self._id = (
                found.experiment_id
                if found is not None
                else self._client.create_experiment(experiment, artifact_location=location)
            )

    @contextmanager
    def change(self) -> Iterator[None]:
        """The client has no transaction over several calls: a kill may leave a run RUNNING, closed by the next look."""
        with _quiet():
            yield

    def parents(self) -> list[Known]:
        return [known for _, known in self._tagged(SUITE)]

    def children(self) -> dict[str, list[Known]]:
        found: dict[str, list[Known]] = {}
        for key, known in self._tagged(CELL):
            found.setdefault(key, []).append(known)
        return found

    def _tagged(self, tag: str) -> Iterator[tuple[str, Known]]:
        token = None
        while True:
            page = self._client.search_runs(
                [self._id],
                f"tags.`{tag}` != ''",
                order_by=["attributes.start_time ASC"],
                max_results=1000,
                page_token=token,
            )
            for run in page:
                tags = run.data.tags
                yield tags[tag], Known(str(run.info.run_id), tags.get(STAMP, ""), str(run.info.status))
            token = page.token
            if not token:
                return

    def add(self, runs: Sequence[MirrorRun], parent: str | None) -> list[str]:
        names = []
        for run in runs:
            link = {} if parent is None else {PARENT: parent, CELL: run.key}
            made = self._client.create_run(
                self._id, run_name=run.name[:250], start_time=run.start, tags={**run.tags, **link}
            )
            names.append(str(made.info.run_id))
            self._fill(names[-1], run, run.start or 0)
        return names

    def update(self, run_id: str, run: MirrorRun) -> None:
        for key, value in run.tags.items():
            self._client.set_tag(run_id, key, value)
        # Of two values of a metric MLflow shows the one with the later time.
        self._fill(run_id, run, round(time.time() * 1000))

    def _fill(self, run_id: str, run: MirrorRun, moment: int) -> None:
        write_files(self.artifacts / run_id / "artifacts", run.files)
        metrics = [self._entities.Metric(key, value, moment, step) for key, value, step in run.points]
        given = [self._entities.Param(key, value) for key, value in run.params.items()]
        while given or metrics:
            self._client.log_batch(run_id, metrics=metrics[:BATCH_METRICS], params=given[:BATCH_PARAMETERS])
            metrics, given = metrics[BATCH_METRICS:], given[BATCH_PARAMETERS:]
        if run.inputs:
            self._client.log_inputs(run_id, datasets=[self._input(given) for given in run.inputs])
        if run.status == "RUNNING":
            self._client.update_run(run_id, status="RUNNING")
        else:
            self._client.set_terminated(run_id, run.status, run.end)
        # Last, so that a run broken off is known as such.
        self._client.set_tag(run_id, STAMP, run.stamp)

    def _input(self, given: Any) -> Any:
        data = self._entities.Dataset(
            given.name[:500], given.digest[:36], given.kind, given.source, profile=given.profile
        )
        return self._entities.DatasetInput(
            data, tags=[self._entities.InputTag("mlflow.data.context", given.context)]
        )

    def remove(self, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            if self._client.get_run(run_id).info.status == "RUNNING":
                self._client.set_terminated(run_id, "KILLED")
            self._client.delete_run(run_id)

    def clear_orphans(self) -> None:
        """Nothing: the client writes a run before its files."""

    def close(self) -> None:
        """Nothing to let go of."""


@contextmanager
def _quiet() -> Iterator[None]:
    """No telemetry, and no log lines about tables being made."""
    # Read while mlflow is imported, hence set before.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow  # noqa: F401  (its import configures the loggers that are lowered below)

    loggers = [logging.getLogger(name) for name in ("mlflow", "mlflow.store.db.utils", "alembic")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
