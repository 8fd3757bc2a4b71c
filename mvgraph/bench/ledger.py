"""The ledger: one sqlite file that is the truth of a run. Written by the driver alone; readers need no lock."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mvgraph.bench.arrays import DamagedBlob
from mvgraph.bench.canonical import digest
from mvgraph.bench.cell import Arrays, now
from mvgraph.bench.imported_cells import ImportedCells
from mvgraph.bench.plan import Cell
from mvgraph.bench.schema import ADDED, FAILURES, STATUSES, TABLES, VERSION
from mvgraph.bench.suite import Suite
from mvgraph.bench.tabular import flat_row
from mvgraph.errors import UserError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["DamagedBlob", "Ledger"]


class Ledger(ImportedCells):
    """A run's cells and what became of them.

    Args:
        path: the sqlite file.
        create: make it if it is not there; otherwise reading a missing file is an error.
    Raises:
        UserError: the file is missing, is no ledger, or has another version.
    """

    def __init__(self, path: str | Path, *, create: bool = False) -> None:
        self.path = Path(path)
        if not create and not self.path.is_file():
            raise UserError(
                f"There is no ledger at {self.path}; a run folder holds one once `mvgraph run` began."
            )
        if create:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._writes = create
        self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            self._open(create)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise UserError(f"{self.path} is not a ledger of mvgraph ({error}).") from None
        except BaseException:
            self._db.close()
            raise

    def _open(self, create: bool) -> None:
        found = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found not in (0, VERSION) or (found == 0 and (tables or not create)):
            raise UserError(
                f"{self.path} is no ledger of version {VERSION} (it says {found}); use another run folder."
            )
        if create:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            if found == 0:
                self._db.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
            else:
                # Tables that came later; a ledger without them is read all the same.
                self._db.executescript(f"BEGIN; {ADDED} COMMIT;")

    def close(self) -> None:
        """Close the file. The driver folds the write-ahead log in, so that one plain file can be copied away."""
        if self._writes:
            # While somebody reads, sqlite keeps the log; the next driver folds it in.
            with suppress(sqlite3.Error):
                self._db.execute("PRAGMA busy_timeout = 0")
                self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # ---- written by the driver -------------------------------------------------------------------------

    def plan(self, cells: Sequence[Cell], suite: Suite) -> None:
        """Make `cells` the present plan: new ones are added, those that ended keep their ending.

        A cell left `running` by a driver that died is planned again. Cells of earlier plans stay in the file
        but are no longer reported.
        """
        content = suite.to_json()
        identity = digest([content, [cell.id for cell in cells]])
        with self._transaction() as db:
            last = db.execute("SELECT hash FROM suite ORDER BY number DESC LIMIT 1").fetchone()
            if last is None or last[0] != identity:
                db.execute(
                    "INSERT INTO suite (planned, name, json, hash) VALUES (?, ?, ?, ?)",
                    (now(), suite.name, json.dumps(content, sort_keys=True, allow_nan=False), identity),
                )
            imported = self._imported_labels(db)
            for cell in cells:
                if cell.label in imported:
                    raise UserError(
                        f"'{cell.label}' is a label of the suite and of predictions imported into {self.path.parent}; "
                        "give the suite's method another label."
                    )
            db.execute("UPDATE cells SET position = NULL")
            db.execute("UPDATE cells SET status = 'planned', started = NULL WHERE status = 'running'")
            for position, cell in enumerate(cells):
                spec = json.dumps(cell.to_json(), sort_keys=True, allow_nan=False)
                status = "planned" if cell.skip is None else "skipped"
                db.execute(
                    "INSERT INTO cells (id, position, status, spec, reason) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (id) DO UPDATE SET position = excluded.position, spec = excluded.spec",
                    (cell.id, position, status, spec, cell.skip),
                )
                if cell.skip is not None:
                    change = "status = 'skipped', reason = ? WHERE id = ? AND status != 'done'"
                else:
                    change = "status = 'planned', reason = ? WHERE id = ? AND status = 'skipped'"
                db.execute(f"UPDATE cells SET {change}", (cell.skip, cell.id))
            self._place_imported(db, {(cell.fingerprint, cell.split["hash"]) for cell in cells})

    def start(self, cell_id: str) -> None:
        """Note that a cell runs now."""
        self._update(
            cell_id,
            "status = 'running', started = ?, finished = NULL, attempts = attempts + 1",
            (now(),),
        )

    def release_damaged(self) -> list[str]:
        """Take back cells of the plan whose stored arrays are damaged, so that they run again.

        Returns:
            Labels with data set, one a cell.
        """
        broken = self._broken()
        if not broken:
            return []
        marks = ",".join("?" * len(broken))
        names = tuple(broken)
        with self._transaction() as db:
            rows = db.execute(
                "SELECT DISTINCT c.id, c.spec FROM cells c"
                " LEFT JOIN probabilities p ON p.cell = c.id"
                " LEFT JOIN labels l ON l.fingerprint = json_extract(c.spec, '$.fingerprint')"
                "  AND l.split = json_extract(c.spec, '$.split.hash')"
                " WHERE c.status = 'done' AND c.position IS NOT NULL"
                f" AND (p.blob IN ({marks}) OR l.rows IN ({marks}) OR l.labels IN ({marks})) ORDER BY c.position",
                names * 3,
            ).fetchall()
            for identity, _ in rows:
                db.execute("DELETE FROM probabilities WHERE cell = ?", (identity,))
                db.execute(
                    "UPDATE cells SET status = 'planned', started = NULL, record = NULL WHERE id = ?",
                    (identity,),
                )
            db.execute(f"DELETE FROM labels WHERE rows IN ({marks}) OR labels IN ({marks})", names * 2)
            db.execute(f"DELETE FROM samples WHERE ids IN ({marks})", names)
            db.execute(
                "UPDATE cells SET status = 'failed', reason = ?"
                " WHERE status = 'planned' AND id IN (SELECT cell FROM imports)",
                ("its stored predictions are damaged; import them again with --replace",),
            )
            # The last one who needs a damaged blob is an earlier plan's cell: its arrays stay missing.
            db.execute(f"DELETE FROM probabilities WHERE blob IN ({marks})", names)
            db.execute(f"DELETE FROM blobs WHERE hash IN ({marks})", names)
        return [f"{spec['label']} on {spec['dataset']}" for spec in (json.loads(text) for _, text in rows)]

    def release(self, cell_id: str) -> None:
        """Note that a running cell was taken back before it ended; it is planned again."""
        self._update(cell_id, "status = 'planned', started = NULL", ())

    def finish(self, cell_id: str, record: Mapping[str, Any], arrays: Arrays) -> None:
        """Keep the record and arrays of a cell that is done; all of it or nothing."""
        text = json.dumps({k: v for k, v in record.items() if k != "cell"}, sort_keys=True, allow_nan=False)
        with self._transaction() as db:
            self._keep_arrays(db, cell_id, record["cell"], arrays)
            self._update(
                cell_id,
                "status = 'done', finished = ?, record = ?, reason = NULL, traceback = NULL",
                (now(), text),
            )

    def fail(self, cell_id: str, status: str, traceback: str | None, reason: str | None = None) -> None:
        """Keep how a cell ended that is not done.

        Args:
            status: failed | timeout | oom | skipped.
            traceback: the whole story; reason: one sentence.
        """
        if status not in FAILURES:
            raise ValueError(f"'{status}' is no way to fail; right are {', '.join(FAILURES)}.")
        last = (traceback or "").strip().splitlines()
        reason = reason or (last[-1] if last else status)
        self._update(
            cell_id,
            "status = ?, finished = ?, record = NULL, reason = ?, traceback = ?",
            (status, now(), reason, traceback),
        )

    def _update(self, cell_id: str, assignments: str, values: tuple[Any, ...]) -> None:
        done = self._db.execute(f"UPDATE cells SET {assignments} WHERE id = ?", (*values, cell_id))
        if done.rowcount != 1:
            raise KeyError(f"Cell {cell_id} was never planned.")

    # ---- read by anybody -------------------------------------------------------------------------------

    def suite(self) -> dict[str, Any]:
        """The suite planned last, as JSON values; empty before the first plan."""
        row = self._db.execute("SELECT json FROM suite ORDER BY number DESC LIMIT 1").fetchone()
        return dict(json.loads(row[0])) if row else {}

    def status(self, cell_id: str) -> str:
        """Status of one cell, of whatever plan."""
        row = self._db.execute("SELECT status FROM cells WHERE id = ?", (cell_id,)).fetchone()
        if row is None:
            raise KeyError(f"Cell {cell_id} was never planned.")
        return str(row[0])

    def statuses(self, *, everything: bool = False) -> dict[str, str]:
        """Status by cell id, in the order of the present plan; `everything` adds cells of earlier plans."""
        rows = self._db.execute(
            "SELECT id, status FROM cells WHERE ? OR position IS NOT NULL ORDER BY position IS NULL, position, id",
            (everything,),
        )
        return dict(rows.fetchall())

    def counts(self) -> dict[str, int]:
        """Number of cells of the present plan by status, every status named."""
        found = list(self.statuses().values())
        return {status: found.count(status) for status in STATUSES}

    def records(self, *, everything: bool = False) -> list[dict[str, Any]]:
        """Records of done cells in the order of the plan; `everything` adds those of earlier plans."""
        rows = self._db.execute(
            "SELECT spec, record FROM cells WHERE status = 'done' AND (? OR position IS NOT NULL)"
            " ORDER BY position IS NULL, position, id",
            (everything,),
        )
        return [{"cell": json.loads(spec), **json.loads(record)} for spec, record in rows]

    def failures(self) -> list[dict[str, Any]]:
        """Cells of the plan that ended otherwise: cell, status, reason, traceback, attempts, started, finished."""
        rows = self._db.execute(
            "SELECT spec, status, reason, traceback, attempts, started, finished FROM cells"
            f" WHERE position IS NOT NULL AND status IN ({','.join('?' * len(FAILURES))}) ORDER BY position",
            FAILURES,
        )
        names = ("status", "reason", "traceback", "attempts", "started", "finished")
        return [{"cell": json.loads(row[0]), **dict(zip(names, row[1:], strict=True))} for row in rows]

    def missing(self) -> list[dict[str, Any]]:
        """Cells of the plan that have not ended: cell and status."""
        rows = self._db.execute(
            "SELECT spec, status FROM cells WHERE position IS NOT NULL AND status IN ('planned', 'running')"
            " ORDER BY position"
        )
        return [{"cell": json.loads(spec), "status": status} for spec, status in rows]

    def endings(self) -> dict[str, str]:
        """A mark by id of every cell of the plan that has ended; it changes when the cell ends or is planned anew."""
        rows = self._db.execute(
            "SELECT id, status, attempts, finished, reason, spec FROM cells"
            " WHERE position IS NOT NULL AND status NOT IN ('planned', 'running') ORDER BY position"
        )
        return {row[0]: hashlib.sha256(repr(row).encode()).hexdigest() for row in rows}

    def entry(self, cell_id: str) -> dict[str, Any]:
        """One cell that ended, in the form of `records` or `failures`."""
        names = ("status", "reason", "traceback", "attempts", "started", "finished")
        row = self._db.execute(
            f"SELECT spec, record, {', '.join(names)} FROM cells WHERE id = ?", (cell_id,)
        ).fetchone()
        if row is None:
            raise KeyError(f"Cell {cell_id} was never planned.")
        cell = {"cell": json.loads(row[0])}
        return cell | (json.loads(row[1]) if row[1] else dict(zip(names, row[2:], strict=True)))

    def specs(self) -> list[dict[str, Any]]:
        """Specifications of the cells of the plan, with when each `started` and `finished`."""
        rows = self._db.execute(
            "SELECT spec, started, finished FROM cells WHERE position IS NOT NULL ORDER BY position"
        )
        return [{**json.loads(spec), "started": begun, "finished": ended} for spec, begun, ended in rows]

    def frame(self) -> pd.DataFrame:
        """One flat row per cell of the plan, whatever its status; see `mvgraph.bench.tabular`."""
        done = {record["cell"]["id"]: record for record in self.records()}
        ended = {failure["cell"]["id"]: failure for failure in self.failures()}
        waiting = {entry["cell"]["id"]: entry for entry in self.missing()}
        rows = [flat_row({**waiting, **ended, **done}[identity]) for identity in self.statuses()]
        return pd.DataFrame(rows)

    def export(self, folder: str | Path) -> list[Path]:
        """Write `frame` as `cells.parquet` and `cells.csv`; each appears whole or not at all."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        frame = self.frame()
        written = []
        for name in ("cells.parquet", "cells.csv"):
            path, partial = folder / name, folder / f".{name}.{os.getpid()}.partial"
            if name.endswith("parquet"):
                frame.to_parquet(partial, index=False)
            else:
                frame.to_csv(partial, index=False, lineterminator="\n")
            os.replace(partial, path)
            written.append(path)
        return written
