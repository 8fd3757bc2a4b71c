"""Mirror a run folder's ledger into an MLflow sqlite store beside it.

    mlflow ui --backend-store-uri sqlite:///runs/quickstart/mlflow.db

Parent run = suite, child run = cell. The mirror may be deleted at any time; it is written again from the ledger.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvgraph.bench.canonical import digest
from mvgraph.bench.ledger import Ledger
from mvgraph.errors import UserError
from mvgraph.tracking import entries

#: MLflow refuses larger batches.
BATCH_METRICS, BATCH_PARAMETERS = 1000, 100
CELL, STAMP, SUITE, STATUS = "mvgraph.cell", "mvgraph.stamp", "mvgraph.suite", "mvgraph.status"
#: Changed when a cell is mirrored differently, so that an older mirror is written anew.
LAYOUT = 1


@dataclass(frozen=True)
class MirrorSummary:
    """What a call of `mirror` did.

    Args:
        uri: tracking URI of the store; experiment: its name.
        written: runs written; kept: runs that were right already; removed: runs that no longer stand for
            anything in the plan.
    """

    uri: str
    experiment: str
    written: int
    kept: int
    removed: int


def mirror(run_folder: str | Path) -> MirrorSummary:
    """Bring `<run>/mlflow.db` and `<run>/mlartifacts` in line with `<run>/ledger.sqlite`.

    Cells that are done or failed have one child run each; a second call writes nothing new. A run that is not
    in line (broken off, or of a cell that ended anew) is replaced.

    Raises:
        UserError: there is no ledger, or MLflow is not installed.
    """
    folder = Path(run_folder).resolve()
    with Ledger(folder / "ledger.sqlite") as ledger:
        suite = ledger.suite()
        ended = [*ledger.records(), *ledger.failures()]
        counts = ledger.counts()
    if not suite:
        raise UserError(f"The ledger in {run_folder} holds no plan yet; run the suite first.")
    with _quiet():
        store = _Store(folder, str(suite["name"]))
        parent = store.parent(suite, counts, ended)
        known = store.children(parent)
        written = kept = removed = 0
        for entry in ended:
            stamp = digest({"layout": LAYOUT, "entry": entry})
            runs = known.pop(entry["cell"]["id"], [])
            right = [run for run, its_stamp in runs if its_stamp == stamp][:1]
            for run, _ in runs:
                if run not in right:
                    store.remove(run)
                    removed += 1
            if right:
                kept += 1
            else:
                store.write(parent, entry, stamp)
                written += 1
        for runs in known.values():
            for run, _ in runs:
                store.remove(run)
                removed += 1
        store.close(parent, counts, ended)
    return MirrorSummary(store.uri, store.experiment, written, kept, removed)


class _Store:
    """The MLflow store of one run folder."""

    def __init__(self, folder: Path, experiment: str) -> None:
        try:
            from mlflow import entities
            from mlflow.tracking import MlflowClient
        except ImportError:
            raise UserError(
                "MLflow is not installed, so the run was not mirrored: pip install 'mvgraph[bench]' and run the "
                "suite again, which computes nothing."
            ) from None
        self.experiment = experiment
        self.artifacts = folder / "mlartifacts"
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self._entities = entities
        self._client = MlflowClient(tracking_uri=self.uri)
        found = self._client.get_experiment_by_name(experiment)
        location = self.artifacts.as_uri()
        if found is not None and found.artifact_location != location:
            # The folder was moved: what is stored points to where it was. A mirror is cheap to write anew.
            self._client.rename_experiment(found.experiment_id, f"{experiment} (moved {found.experiment_id})")
            self._client.delete_experiment(found.experiment_id)
            found = None
        self._id = (
            found.experiment_id
            if found is not None
            else self._client.create_experiment(experiment, artifact_location=location)
        )

    def parent(self, suite: Mapping[str, Any], counts: Mapping[str, int], ended: Sequence[Any]) -> str:
        """The run that stands for the suite, made when it is not there."""
        for known, _ in self._search(f"tags.`{SUITE}` = '{self.experiment}'"):
            return known
        started = [moment for e in ended if (moment := entries.milliseconds(e.get("started"))) is not None]
        run = self._client.create_run(
            self._id,
            run_name=self.experiment,
            start_time=min(started, default=None),
            tags={SUITE: self.experiment},
        )
        self._artifacts(run, {"suite.json": suite})
        return str(run.info.run_id)

    def children(self, parent: str) -> dict[str, list[tuple[str, str]]]:
        """Run id and stamp of the runs of every cell."""
        found: dict[str, list[tuple[str, str]]] = {}
        for run, tags in self._search(f"tags.`mlflow.parentRunId` = '{parent}'"):
            found.setdefault(tags.get(CELL, ""), []).append((run, tags.get(STAMP, "")))
        return found

    def _search(self, query: str) -> Iterator[tuple[str, dict[str, str]]]:
        token = None
        while True:
            page = self._client.search_runs([self._id], query, max_results=1000, page_token=token)
            for run in page:
                yield str(run.info.run_id), dict(run.data.tags)
            token = page.token
            if not token:
                return

    def remove(self, run: str) -> None:
        self._client.delete_run(run)

    def write(self, parent: str, entry: Mapping[str, Any], stamp: str) -> None:
        """One cell as a child run; its stamp comes last, so that a run broken off is known as such."""
        cell = entry["cell"]
        done = entry["status"] == "done"
        start = entries.milliseconds(entry.get("started"))
        name = f"{cell['label']} {cell['dataset']} split {cell['split']['index']} seed {cell['seed']}"
        run = self._client.create_run(
            self._id,
            run_name=name,
            start_time=start,
            tags={"mlflow.parentRunId": parent, CELL: cell["id"], STATUS: entry["status"]},
        )
        end = start
        points: list[entries.Point] = []
        if done:
            points = [*entries.figures(entry), *entries.curves(entry)]
            end = None if start is None else start + round(1000 * entry["seconds"]["cell"])
            tags = {f"version.{k}": str(v) for k, v in entry["versions"].items() if v is not None}
        else:
            end = entries.milliseconds(entry.get("finished")) or start
            tags = {"mlflow.note.content": f"{entry['status']}: {entry['reason']}"[:5000]}
        self._log(run.info.run_id, entries.parameters(cell), points, start or 0, {**tags, STAMP: stamp})
        files: dict[str, Any] = {"record.json": entry, "protocol.json": cell["protocol"]}
        if entry.get("traceback"):
            files["traceback.txt"] = entry["traceback"]
        self._artifacts(run, files)
        self._client.set_terminated(run.info.run_id, "FINISHED" if done else "FAILED", end)

    def _log(
        self,
        run: str,
        parameters: Mapping[str, str],
        points: Sequence[entries.Point],
        moment: int,
        tags: Mapping[str, str],
    ) -> None:
        metrics = [self._entities.Metric(key, value, moment, step) for key, value, step in points]
        given = [self._entities.Param(key, value) for key, value in parameters.items()]
        while given or metrics:
            self._client.log_batch(run, metrics=metrics[:BATCH_METRICS], params=given[:BATCH_PARAMETERS])
            metrics, given = metrics[BATCH_METRICS:], given[BATCH_PARAMETERS:]
        self._client.log_batch(run, tags=[self._entities.RunTag(key, value) for key, value in tags.items()])

    def _artifacts(self, run: Any, files: Mapping[str, Any]) -> None:
        """Write artifacts where MLflow looks for them, each whole or not at all."""
        place = self.artifacts / run.info.run_id / "artifacts"
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content, indent=1, sort_keys=True)
            handle, partial = tempfile.mkstemp(dir=place, prefix=f".{name}.")
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text + "\n")
            os.chmod(partial, 0o644)
            os.replace(partial, place / name)

    def close(self, parent: str, counts: Mapping[str, int], ended: Sequence[Mapping[str, Any]]) -> None:
        """Counts and status of the suite's run: RUNNING while cells are missing, FAILED when one failed."""
        failed = counts["failed"] + counts["timeout"] + counts["oom"]
        figures = {f"cells/{status}": float(count) for status, count in counts.items()}
        stamp = digest(figures)
        current = self._client.get_run(parent)
        if current.data.tags.get(STAMP) == stamp:
            return
        moments = [entries.milliseconds(e.get("finished") or e.get("started")) or 0 for e in ended]
        end = max(moments, default=0)
        metrics = [self._entities.Metric(key, value, end, 0) for key, value in figures.items()]
        self._client.log_batch(parent, metrics=metrics, tags=[self._entities.RunTag(STAMP, stamp)])
        if counts["planned"] or counts["running"]:
            self._client.update_run(parent, status="RUNNING")
        else:
            self._client.set_terminated(parent, "FAILED" if failed else "FINISHED", end)


@contextmanager
def _quiet() -> Iterator[None]:
    """No telemetry, and no log lines about tables being made."""
    # Read while mlflow is imported, hence set before.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with suppress(ImportError):
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
