"""MLflow's own database written directly: many runs in one transaction, some milliseconds each.

Through `MlflowClient` a run takes ten transactions and 60 to 170 ms. The tables are made by MLflow itself
(`mvgraph.tracking.template`); before anything is written they are compared with what is written here, and an MLflow
whose tables differ is served by its client instead (`mvgraph.tracking.client_store`). Everything is read by
MLflow's client and interface like runs of its own; they may be open meanwhile.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from mvgraph.errors import UserError
from mvgraph.tracking.entries import Point
from mvgraph.tracking.runs import CELL, PARENT, RUN_NAME, STAMP, SUITE, Known, MirrorRun, write_files

#: Columns written here, by table.
COLUMNS = {
    "experiments": "experiment_id name artifact_location lifecycle_stage creation_time last_update_time",
    "runs": "run_uuid name source_type source_name entry_point_name user_id status start_time end_time "
    "source_version lifecycle_stage artifact_uri experiment_id deleted_time",
    "tags": "key value run_uuid",
    "params": "key value run_uuid",
    "metrics": "key value timestamp step is_nan run_uuid",
    "latest_metrics": "key value timestamp step is_nan run_uuid",
    "datasets": "dataset_uuid experiment_id name digest dataset_source_type dataset_source dataset_schema "
    "dataset_profile",
    "inputs": "input_uuid source_type source_id destination_type destination_id",
    "input_tags": "input_uuid name value",
}
#: Seconds to wait for somebody else who writes; a run waits as long.
PATIENCE = 2.0
_RUN_ID = re.compile(r"[0-9a-f]{32}")


class UnknownTables(Exception):
    """The tables of the installed MLflow are not those written here."""


class SqliteStore:
    """Runs of one experiment, in `<folder>/mlflow.db` and `<folder>/mlartifacts`.

    Args:
        folder: of the run; experiment: its name.
        empty: an empty database of the installed MLflow.
    Raises:
        UserError: the database is of another MLflow.
        UnknownTables: MLflow's tables are not those known here.
    """

    def __init__(self, folder: Path, experiment: str, empty: Path) -> None:
        self.experiment = experiment
        self.artifacts = folder / "mlartifacts"
        self.path = folder / "mlflow.db"
        self.uri = f"sqlite:///{self.path}"
        _check_tables(empty)
        if not self.path.is_file():
            partial = self.path.with_name(f".mlflow.db.{os.getpid()}.partial")
            shutil.copyfile(empty, partial)
            os.replace(partial, self.path)
        if _revision(self.path) != _revision(empty):
            raise UserError(
                f"{self.path} was made by another version of MLflow, so the run was not mirrored: delete it, and it is "
                f"written anew, or bring it up to date with `mlflow db upgrade {self.uri}`."
            )
        self._db = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        # Readers do not wait for the writer; a mirror needs no word from the disk at every transaction.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        try:
            with self.change():
                self._id = self._open_experiment()
        except BaseException:
            self._db.close()
            raise

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction: other writers wait, and a kill inside leaves nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _open_experiment(self) -> int:
        now, place = _now(), self.artifacts.as_uri()
        # The experiment that MLflow makes for itself still points to where the empty database was made.
        self._db.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0 AND name = 'Default'"
            " AND NOT EXISTS (SELECT 1 FROM runs)",
            (f"{place}/0",),
        )
        found = self._db.execute(
            "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments WHERE name = ?",
            (self.experiment,),
        ).fetchone()
        if found is not None and found[1:] == (place, "active"):
            return int(found[0])
        if found is not None:
            # The folder was moved: what is stored points to where it was. A mirror is cheap to write anew.
            self._db.execute(
                "UPDATE experiments SET name = ?, lifecycle_stage = 'deleted', last_update_time = ?"
                " WHERE experiment_id = ?",
                (f"{self.experiment} (moved {found[0]})", now, found[0]),
            )
        made = self._db.execute(
            "INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time)"
            " VALUES (?, ?, 'active', ?, ?)",
            (self.experiment, place, now, now),
        )
        return int(made.lastrowid or 0)

    def parents(self) -> list[Known]:
        return [known for _, known in self._tagged(SUITE)]

    def children(self) -> dict[str, list[Known]]:
        found: dict[str, list[Known]] = {}
        for key, known in self._tagged(CELL):
            found.setdefault(key, []).append(known)
        return found

    def _tagged(self, tag: str) -> list[tuple[str, Known]]:
        rows = self._db.execute(
            "SELECT t.value, r.run_uuid, s.value, r.status FROM runs r"
            " JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = ?"
            " LEFT JOIN tags s ON s.run_uuid = r.run_uuid AND s.key = ?"
            " WHERE r.experiment_id = ? AND r.lifecycle_stage = 'active' ORDER BY r.start_time, r.run_uuid",
            (tag, STAMP, self._id),
        )
        return [(key, Known(run, stamp or "", status)) for key, run, stamp, status in rows]

    def add(self, runs: Sequence[MirrorRun], parent: str | None) -> list[str]:
        names, now = [uuid.uuid4().hex for _ in runs], _now()
        self._db.executemany(
            f"INSERT INTO runs ({_columns('runs')}) VALUES (?, ?, 'UNKNOWN', '', '', 'unknown', ?, ?, ?, '', 'active',"
            " ?, ?, NULL)",
            [
                (
                    run_id,
                    run.name[:250],
                    run.status,
                    now if run.start is None else run.start,
                    run.end,
                    f"{self.artifacts.as_uri()}/{run_id}/artifacts",
                    self._id,
                )
                for run_id, run in zip(names, runs, strict=True)
            ],
        )
        for run_id, run in zip(names, runs, strict=True):
            self._fill(run_id, run, parent)
        return names

    def update(self, run_id: str, run: MirrorRun) -> None:
        self._db.execute(
            "UPDATE runs SET name = ?, status = ?, start_time = COALESCE(?, start_time), end_time = ?"
            " WHERE run_uuid = ?",
            (run.name[:250], run.status, run.start, run.end, run_id),
        )
        for table in ("metrics", "latest_metrics", "params"):
            self._db.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (run_id,))
        # Tags that somebody set in MLflow's interface stay.
        self._fill(run_id, run, None)

    def _fill(self, run_id: str, run: MirrorRun, parent: str | None) -> None:
        write_files(self.artifacts / run_id / "artifacts", run.files)
        tags = {RUN_NAME: run.name, **run.tags, STAMP: run.stamp}
        if parent is not None:
            tags |= {PARENT: parent, CELL: run.key}
        moment = run.start or 0
        insert = self._db.executemany
        insert("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", [(k, v, run_id) for k, v in tags.items()])
        insert("INSERT INTO params VALUES (?, ?, ?)", [(k, v, run_id) for k, v in run.params.items()])
        points = dict.fromkeys(run.points)
        for table, chosen in (("metrics", points), ("latest_metrics", _latest(points))):
            insert(
                f"INSERT INTO {table} ({_columns(table)}) VALUES (?, ?, ?, ?, ?, ?)",
                [(key, _stored(value), moment, step, value != value, run_id) for key, value, step in chosen],
            )
        for given in run.inputs:
            of = (self._id, given.name[:500], given.digest[:36])
            row = self._db.execute(
                "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?", of
            ).fetchone()
            data = str(row[0]) if row else uuid.uuid4().hex
            if row is None:
                self._db.execute(
                    "INSERT INTO datasets (experiment_id, name, digest, dataset_uuid, dataset_source_type,"
                    " dataset_source, dataset_profile) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*of, data, given.kind, given.source, given.profile),
                )
            link = uuid.uuid4().hex
            made = self._db.execute(
                "INSERT OR IGNORE INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)"
                " VALUES (?, 'DATASET', ?, 'RUN', ?)",
                (link, data, run_id),
            )
            if made.rowcount:
                self._db.execute(
                    "INSERT INTO input_tags (input_uuid, name, value) VALUES (?, 'mlflow.data.context', ?)",
                    (link, given.context),
                )

    def remove(self, run_ids: Sequence[str]) -> None:
        now = _now()
        self._db.executemany(
            "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ?, end_time = COALESCE(end_time, ?),"
            " status = CASE status WHEN 'RUNNING' THEN 'KILLED' ELSE status END WHERE run_uuid = ?",
            [(now, now, run_id) for run_id in run_ids],
        )

    def clear_orphans(self) -> None:
        """Remove the files of runs that a kill kept from being written."""
        known = {run_id for (run_id,) in self._db.execute("SELECT run_uuid FROM runs")}
        for place in self.artifacts.glob("*"):
            if _RUN_ID.fullmatch(place.name) and place.name not in known:
                shutil.rmtree(place, ignore_errors=True)

    def close(self) -> None:
        # While somebody reads, sqlite keeps the log; the next one folds it in.
        with suppress(sqlite3.Error):
            self._db.execute("PRAGMA busy_timeout = 0")
            self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()


def _columns(table: str) -> str:
    return ", ".join(COLUMNS[table].split())


def _stored(value: float) -> float:
    """A value as MLflow keeps it: 0 and a mark for NaN, the largest float for an infinity."""
    return 0.0 if value != value else max(-sys.float_info.max, min(sys.float_info.max, value))


def _latest(points: dict[Point, None]) -> list[Point]:
    """The last value of each metric, as MLflow chooses it: by step, then by value."""
    found: dict[str, Point] = {}
    for point in points:
        held = found.get(point[0])
        if held is None or (point[2], point[1]) > (held[2], held[1]):
            found[point[0]] = point
    return list(found.values())


def _check_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        for table, text in COLUMNS.items():
            rows = database.execute(f"PRAGMA table_info({table})").fetchall()
            ours, theirs = set(text.split()), {row[1] for row in rows}
            if not ours <= theirs:
                raise UnknownTables(f"{table} lacks {', '.join(sorted(ours - theirs))}")
            # Of each row: number, name, type, not null, default, part of the key.
            needed = [row[1] for row in rows if row[3] and row[4] is None and row[1] not in ours]
            if needed:
                raise UnknownTables(f"{table} needs {', '.join(needed)}")
        for table in ("tags", "params"):
            rows = database.execute(f"PRAGMA table_info({table})").fetchall()
            if [row[1] for row in rows] != COLUMNS[table].split():
                raise UnknownTables(f"the columns of {table} are others")


def _revision(path: Path) -> list[str]:
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE)) as database:
            return sorted(str(row[0]) for row in database.execute("SELECT version_num FROM alembic_version"))
    except sqlite3.DatabaseError:
        return []


def _now() -> int:
    return round(time.time() * 1000)
