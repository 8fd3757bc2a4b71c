"""Arrays of a ledger: probabilities of cells, and the rows, labels and sample ids of the splits they belong to."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvgraph.bench.cell import Arrays
from mvgraph.bench.schema import is_whole, pack, pack_texts, unpack, unpack_texts
from mvgraph.errors import UserError


class DamagedBlob(UserError):
    """Stored arrays are not the bytes that were written; metrics and the rest of the record do not depend on them."""


class StoredArrays:
    """The part of a ledger that keeps arrays, each content once and under its hash."""

    path: Path
    _db: sqlite3.Connection

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    def _blob(self, array: NDArray[Any], dtype: str) -> str:
        name, data = pack(array, dtype)
        self._db.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (name, data))
        return name

    def probabilities(self, cell_id: str, selection: str = "last") -> dict[str, NDArray[Any]] | None:
        """Probabilities `validation` and `test` (n, C) float32 with their `validation_rows`, `test_rows`.

        None when the cell is not done or has no such selection.

        Raises:
            DamagedBlob: they are not what was stored; so for `labels`.
        """
        rows = self._db.execute(
            "SELECT p.part, p.classes, b.hash, b.data FROM probabilities p JOIN blobs b ON b.hash = p.blob"
            " WHERE p.cell = ? AND p.selection = ?",
            (cell_id, selection),
        ).fetchall()
        if not rows:
            return None
        known = self.labels(cell_id)
        found: dict[str, NDArray[Any]] = {}
        for part, classes, name, data in rows:
            found[part] = self._array(cell_id, name, data, "<f4", classes)
            found[f"{part}_rows"] = known[f"{part}_rows"]
        return found

    def labels(self, cell_id: str) -> dict[str, NDArray[Any]]:
        """Labels `validation` and `test` (n,) int64 with their row numbers; empty for an unknown split."""
        fingerprint, split = self._where(cell_id)
        rows = self._db.execute(
            "SELECT l.part, r.hash, r.data, b.hash, b.data FROM labels l JOIN blobs r ON r.hash = l.rows"
            " JOIN blobs b ON b.hash = l.labels WHERE l.fingerprint = ? AND l.split = ?",
            (fingerprint, split),
        )
        found: dict[str, NDArray[np.int64]] = {}
        for part, name_of_rows, numbers, name_of_labels, labels in rows:
            found[part] = self._array(cell_id, name_of_labels, labels, "<i8")
            found[f"{part}_rows"] = self._array(cell_id, name_of_rows, numbers, "<i8")
        return found

    def _array(
        self, cell_id: str, name: str, data: bytes, dtype: str, columns: int | None = None
    ) -> NDArray[Any]:
        if not is_whole(name, data):
            raise DamagedBlob(
                f"{self.path}: the stored arrays of cell {cell_id[:12]} are damaged; run the suite again, which makes "
                "them anew."
            )
        return unpack(data, dtype, columns)

    def classes(self, cell_id: str) -> tuple[str, ...]:
        """Names of the C classes a cell predicts; empty for an unknown split."""
        row = self._db.execute(
            "SELECT classes FROM labels WHERE fingerprint = ? AND split = ? LIMIT 1", self._where(cell_id)
        ).fetchone()
        return tuple(json.loads(row[0])) if row else ()

    def _where(self, cell_id: str) -> tuple[str, str]:
        row = self._db.execute("SELECT spec FROM cells WHERE id = ?", (cell_id,)).fetchone()
        if row is None:
            raise KeyError(f"Cell {cell_id} was never planned.")
        spec = json.loads(row[0])
        return str(spec["fingerprint"]), str(spec["split"]["hash"])

    def is_whole(self) -> bool:
        """Whether all stored arrays are what was written."""
        return not self._broken()

    def _broken(self) -> set[str]:
        """Hashes of the damaged blobs."""
        return {
            name
            for name, data in self._db.execute("SELECT hash, data FROM blobs")
            if not is_whole(name, data)
        }

    def _keep_arrays(
        self, db: sqlite3.Connection, cell_id: str, cell: Mapping[str, Any], arrays: Arrays
    ) -> None:
        db.execute("DELETE FROM probabilities WHERE cell = ?", (cell_id,))
        for part, labels in arrays.labels.items():
            names = (self._blob(arrays.rows[part], "<i8"), self._blob(labels, "<i8"))
            db.execute(
                "INSERT OR IGNORE INTO labels VALUES (?, ?, ?, ?, ?, ?)",
                (cell["fingerprint"], cell["split"]["hash"], part, *names, json.dumps(arrays.classes)),
            )
        for selection, parts in arrays.probabilities.items():
            for part, values in parts.items():
                db.execute(
                    "INSERT INTO probabilities VALUES (?, ?, ?, ?, ?, ?)",
                    (cell_id, selection, part, *values.shape, self._blob(values, "<f4")),
                )

    # ---- samples -----------------------------------------------------------------------------------------

    def keep_split(
        self,
        fingerprint: str,
        split: str,
        ids: Sequence[str],
        classes: Sequence[str],
        rows: Mapping[str, NDArray[Any]],
        labels: Mapping[str, NDArray[Any]],
    ) -> None:
        """Keep whose rows a split is made of.

        Args:
            fingerprint: of the data; ids: its N sample ids, in the order of rows; classes: its C names.
            split: hash; rows[part], labels[part]: (n,) of train, validation and test.
        """
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM samples WHERE fingerprint = ?", (fingerprint,)).fetchone() is None:
                name, data = pack_texts(ids)
                db.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (name, data))
                db.execute("INSERT INTO samples VALUES (?, ?)", (fingerprint, name))
            for part, numbers in rows.items():
                names = (self._blob(numbers, "<i8"), self._blob(labels[part], "<i8"))
                db.execute(
                    "INSERT OR IGNORE INTO labels VALUES (?, ?, ?, ?, ?, ?)",
                    (fingerprint, split, part, *names, json.dumps(list(classes))),
                )

    def kept_splits(self) -> set[tuple[str, str]]:
        """Fingerprint and hash of the splits whose rows, training rows and ids included, are kept."""
        if not self._has("samples"):
            return set()
        rows = self._db.execute(
            "SELECT l.fingerprint, l.split FROM labels l JOIN samples s ON s.fingerprint = l.fingerprint"
            " JOIN blobs b ON b.hash = s.ids WHERE l.part = 'train'"
        )
        return set(rows.fetchall())

    def ids(self, fingerprint: str) -> list[str] | None:
        """Sample ids in the order of rows; None where they are not kept.

        Raises:
            DamagedBlob: they are not what was stored.
        """
        if not self._has("samples"):
            return None
        row = self._db.execute(
            "SELECT b.hash, b.data FROM samples s JOIN blobs b ON b.hash = s.ids WHERE s.fingerprint = ?",
            (fingerprint,),
        ).fetchone()
        if row is None:
            return None
        if not is_whole(*row):
            raise DamagedBlob(f"{self.path}: the stored sample ids are damaged; run the suite again.")
        return unpack_texts(row[1])

    def prediction_rows(self) -> int:
        """Number of stored predictions, over all cells of the plan and selections."""
        row = self._db.execute(
            "SELECT sum(p.rows) FROM probabilities p JOIN cells c ON c.id = p.cell WHERE c.position IS NOT NULL"
        ).fetchone()
        return int(row[0] or 0)

    def _has(self, table: str) -> bool:
        """Whether a table that came later is there."""
        found = self._db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,))
        return found.fetchone() is not None
