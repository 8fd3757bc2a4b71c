"""What the report reads: one frozen picture of a ledger.

The rest of the room sees only plain cell records (``dict``) and one look-up, so anything that has them can feed it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mvgraph.errors import UserError

Record = Mapping[str, Any]
#: What the method of an imported cell begins with; see `mvgraph.bench.imported_cells`.
IMPORTED = "imported:"


@dataclass(frozen=True)
class Predictions:
    """Stored test probabilities of one cell beside the true classes.

    Shapes:
        probabilities: (n, C) float, rows sum to one.  truth: (n,) int64 in 0..C-1.  classes: C names, or none.
    """

    probabilities: np.ndarray
    truth: np.ndarray
    classes: tuple[str, ...] = ()


def no_predictions(record: Record, selection: str) -> Predictions | None:
    """The look-up of a ledger that kept no probabilities."""
    return None


@dataclass(frozen=True)
class Snapshot:
    """Everything the report is a function of.

    ``records`` are the done cells; ``failures`` those that ended otherwise (failed, timeout, oom, skipped; with
    ``cell``, ``status``, ``reason``, ``traceback``); ``missing`` those planned or still running (``cell``, ``status``).
    ``notes`` are sentences on what was read.
    """

    suite: Mapping[str, Any]
    records: Sequence[Record]
    failures: Sequence[Record] = ()
    missing: Sequence[Record] = ()
    predictions: Callable[[Record, str], Predictions | None] = field(default=no_predictions)
    notes: Sequence[str] = ()

    @property
    def selection(self) -> str:
        """The rule that ranks: ``last`` or ``validation``."""
        return str(self.suite.get("selection") or "last")

    @property
    def name(self) -> str:
        return str(self.suite.get("name") or "suite")

    @property
    def title(self) -> str:
        return str(self.suite.get("title") or self.name)


@contextmanager
def read(run_folder: str | Path) -> Iterator[Snapshot]:
    """Read ``run_folder/ledger.sqlite``, open as long as the context lasts.

    Raises:
        UserError: the folder holds no ledger.
    """
    from mvgraph.bench.ledger import (
        Ledger,
    )  # the one door to the truth; late, so that the tables import nothing of it

    path = Path(run_folder) / "ledger.sqlite"
    if not path.is_file():
        raise UserError(
            f"no ledger.sqlite in {run_folder}: give the folder of a run, as `mvgraph run` printed it"
        )
    with Ledger(path) as ledger:
        yield from_ledger(ledger)


def from_ledger(ledger: Any) -> Snapshot:
    """Sort records by content, so that the order in which cells finished leaves no trace.

    Stored arrays that are damaged count as not kept, and one line on stderr says so.
    """
    from mvgraph.bench.ledger import DamagedBlob

    def order(record: Record) -> tuple[str, ...]:
        cell = record["cell"]
        split = cell.get("split") or {}
        return (
            str(cell.get("dataset")),
            str(cell.get("label")),
            f"{int(split.get('index') or 0):09d}",
            f"{int(cell.get('seed') or 0):09d}",
            str(cell.get("id")),
        )

    told: set[str] = set()

    def predictions(record: Record, selection: str) -> Predictions | None:
        cell = record["cell"]["id"]
        try:
            stored = ledger.probabilities(cell, selection)
            labels = ledger.labels(cell)
        except DamagedBlob as damage:
            if str(damage) not in told:
                told.add(str(damage))
                print(f"mvgraph: {damage}", file=sys.stderr, flush=True)
            return None
        if stored is None or "test" not in stored:
            return None
        truth = np.asarray(labels["test"])
        known = truth >= 0
        probabilities = np.asarray(stored["test"], dtype=np.float64)[known]
        return Predictions(probabilities, truth[known], tuple(ledger.classes(cell)))

    done = [record for record in ledger.records() if record.get("status", "done") == "done"]
    return Snapshot(
        suite=ledger.suite() or {},
        records=sorted(done, key=order),
        failures=sorted([*ledger.failures(), *_not_imported(ledger, done)], key=order),
        missing=sorted(ledger.missing(), key=order),
        predictions=predictions,
    )


def _not_imported(ledger: Any, done: Sequence[Record]) -> list[Record]:
    """Splits of the plan without predictions of a method that was imported for others: it has no rank without them."""
    imported: dict[tuple[str, str], dict[str, Record]] = {}
    for record in done:
        cell = record["cell"]
        if str(cell.get("method")).startswith(IMPORTED):
            key = (str(cell.get("label")), str(cell.get("fingerprint")))
            imported.setdefault(key, {})[str(cell["split"]["hash"])] = cell
    if not imported:
        return []
    splits: dict[str, dict[str, Record]] = {}
    for cell in ledger.specs():
        splits.setdefault(str(cell["fingerprint"]), {}).setdefault(str(cell["split"]["hash"]), cell)
    found: list[Record] = []
    for (_, fingerprint), have in imported.items():
        like = next(iter(have.values()))
        for name, cell in splits.get(fingerprint, {}).items():
            if name not in have:
                there = {
                    **{key: cell[key] for key in ("split", "dataset", "fingerprint", "views")},
                    "id": f"{like['label']} {name}",
                    "protocol": {**like["protocol"], "split": cell["protocol"].get("split")},
                }
                found.append(
                    {
                        "cell": {**like, **there},
                        "status": "skipped",
                        "reason": "no predictions of this split were imported",
                    }
                )
    return found
