"""Cells of a ledger that no method of a suite made: predictions of another tool."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mvgraph.bench.arrays import StoredArrays
from mvgraph.bench.cell import Arrays, now

#: What the method of an imported cell begins with.
IMPORTED = "imported:"


class ImportedCells(StoredArrays):
    """The part of a ledger that keeps imported cells beside those of the plan."""

    def _imported_labels(self, db: sqlite3.Connection) -> set[str]:
        rows = db.execute(
            "SELECT DISTINCT json_extract(c.spec, '$.label') FROM imports i JOIN cells c ON c.id = i.cell"
        )
        return {row[0] for row in rows}

    def _place_imported(self, db: sqlite3.Connection, splits: Collection[tuple[str, str]]) -> None:
        """Imported cells of the plan's splits come after its own; those of other splits are no part of it."""
        rows = db.execute(
            "SELECT c.id, json_extract(c.spec, '$.fingerprint'), json_extract(c.spec, '$.split.hash')"
            " FROM imports i JOIN cells c ON c.id = i.cell ORDER BY i.rowid"
        ).fetchall()
        last = db.execute("SELECT max(position) FROM cells WHERE id NOT IN (SELECT cell FROM imports)")
        position = int(last.fetchone()[0] or 0)
        for identity, *where in rows:
            position += 1
            there = position if tuple(where) in splits else None
            db.execute("UPDATE cells SET position = ? WHERE id = ?", (there, identity))

    def exchange_imported(self, drop: Sequence[str], add: Sequence[tuple[Mapping[str, Any], Arrays]]) -> None:
        """Replace imported cells: all of it or nothing.

        Args:
            drop: ids of imported cells that go; add: records (with their `cell`) and arrays of those that come.
        """
        with self._transaction() as db:
            for identity in drop:
                db.execute("DELETE FROM probabilities WHERE cell = ?", (identity,))
                db.execute("DELETE FROM imports WHERE cell = ?", (identity,))
                db.execute("DELETE FROM cells WHERE id = ?", (identity,))
            for record, arrays in add:
                identity = record["cell"]["id"]
                spec = json.dumps(record["cell"], sort_keys=True, allow_nan=False)
                rest = {key: value for key, value in record.items() if key != "cell"}
                text = json.dumps(rest, sort_keys=True, allow_nan=False)
                db.execute(
                    "INSERT INTO cells (id, status, spec, attempts, finished, record) VALUES (?, 'done', ?, 1, ?, ?)",
                    (identity, spec, now(), text),
                )
                db.execute("INSERT INTO imports VALUES (?)", (identity,))
                self._keep_arrays(db, identity, record["cell"], arrays)
            planned = db.execute(
                "SELECT DISTINCT json_extract(spec, '$.fingerprint'), json_extract(spec, '$.split.hash') FROM cells"
                " WHERE position IS NOT NULL AND id NOT IN (SELECT cell FROM imports)"
            )
            self._place_imported(db, set(planned.fetchall()))

    def imported(self) -> list[dict[str, Any]]:
        """Specifications of all imported cells, those of splits that are no longer planned included, with `status`."""
        if not self._has("imports"):
            return []
        rows = self._db.execute(
            "SELECT c.spec, c.status FROM imports i JOIN cells c ON c.id = i.cell ORDER BY i.rowid"
        )
        return [{**json.loads(spec), "status": status} for spec, status in rows]
