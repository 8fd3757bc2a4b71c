"""Mirror a run folder's ledger into an MLflow sqlite store beside it, while the suite runs or afterwards.

    mlflow ui --backend-store-uri sqlite:///runs/quickstart/mlflow.db

Parent run = suite, with the leaderboard; child run = cell. The mirror may be deleted at any time; it is written again
from the ledger. Only the parent is ever RUNNING, while a driver works: a cell's run appears when the cell has ended.
What a mirror that was killed left RUNNING is replaced or marked KILLED.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvgraph.bench.canonical import digest
from mvgraph.bench.ledger import Ledger
from mvgraph.bench.lock import has_driver
from mvgraph.errors import UserError
from mvgraph.registry import import_reference
from mvgraph.tracking.align import align
from mvgraph.tracking.cells import cell_run, suite_run
from mvgraph.tracking.client_store import ClientStore
from mvgraph.tracking.runs import MirrorRun, Store
from mvgraph.tracking.sqlite_store import SqliteStore, UnknownTables
from mvgraph.tracking.template import Template

#: Changed when a cell is mirrored differently, so that an older mirror is written anew.
LAYOUT = 2
#: The leaderboard, by name: reports are built on what is tracked, so tracking does not import them.
BOARD = "mvgraph.report.lines:leaderboard_lines"
#: Looks while a suite runs: so many seconds apart, and so many times what the last one took.
LOOK_EVERY, LOOK_RATIO = 2.0, 50.0


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
        UserError: there is no ledger, MLflow is not installed, or `mlflow.db` is of another version of it.
    """
    follower = follow(run_folder)
    try:
        return follower.bring_in_line(driving=has_driver(Path(run_folder)))
    finally:
        follower.let_go()


def follow(run_folder: str | Path) -> Follower:
    """Mirror a run while its driver works: `look` now and then, `close` at its end.

    Raises:
        UserError: there is no ledger, or MLflow is not installed.
    """
    return Follower(Path(run_folder).resolve())


class Follower:
    """Keeps the mirror of one run folder in line with its ledger.

    The driver calls `look` whenever it has a moment. It writes at most every `LOOK_EVERY` seconds and so seldom that
    it takes 2 % of the time; cells are measured undisturbed, since nothing goes on beside them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ledger = Ledger(folder / "ledger.sqlite")
        try:
            self._suite = self._ledger.suite()
            if not self._suite:
                raise UserError(f"The ledger in {folder} holds no plan yet; run the suite first.")
            self._template = Template()
        except BaseException:
            self._ledger.close()
            raise
        self._store: Store | None = None
        self._due = 0.0

    def look(self) -> None:
        """Write what has ended since the last look, if it is time for that."""
        if time.monotonic() < self._due or not self._template.ready():
            return
        begun = time.monotonic()
        try:
            self.bring_in_line(driving=True)
        finally:
            now = time.monotonic()
            self._due = now + max(LOOK_EVERY, LOOK_RATIO * (now - begun))

    def close(self) -> None:
        """Write what is left; the driver ends."""
        try:
            self.bring_in_line(driving=False)
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Close what is open."""
        for part in (self._store, self._template, self._ledger):
            if part is not None:
                with suppress(Exception):
                    part.close()

    def bring_in_line(self, *, driving: bool) -> MirrorSummary:
        """Make the store what the ledger says; `driving`: somebody works on it, so an unfinished suite is RUNNING."""
        store = self._open()
        stamps = {cell: digest([LAYOUT, mark]) for cell, mark in self._ledger.endings().items()}
        counts = self._ledger.counts()
        status = suite_status(counts, driving)
        stamp = digest([LAYOUT, status, counts, stamps])
        done = align(
            store,
            stamps,
            lambda cell: cell_run(self._ledger.entry(cell), stamps[cell], self._suite),
            suite_run(self._suite, counts, status=status, stamp=stamp, cells=self._ledger.specs()),
            lambda: self._whole(counts, status, stamp),
        )
        return MirrorSummary(store.uri, store.experiment, *done)

    def _open(self) -> Store:
        if self._store is None:
            self._store = open_store(self._folder, str(self._suite["name"]), self._template)
            with self._store.change():
                self._store.clear_orphans()
        return self._store

    def _whole(self, counts: Mapping[str, int], status: str, stamp: str) -> MirrorRun:
        rows: Sequence[Mapping[str, Any]] = import_reference(BOARD)(self._ledger)
        return suite_run(
            self._suite, counts, status=status, stamp=stamp, rows=rows, cells=self._ledger.specs()
        )


def open_store(folder: Path, experiment: str, template: Template) -> Store:
    """The quick store where MLflow's tables are those known, else its client."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return SqliteStore(folder, experiment, template.wait())
    except UnknownTables:
        return ClientStore(folder, experiment)


def suite_status(counts: Mapping[str, int], driving: bool) -> str:
    """Status of the suite's run.

    RUNNING while a driver works on it. Without one: KILLED when cells say they are running, SCHEDULED when cells are
    left, FAILED when one failed, else FINISHED.
    """
    if driving and (counts["planned"] or counts["running"]):
        return "RUNNING"
    if counts["running"]:
        return "KILLED"
    if counts["planned"]:
        return "SCHEDULED"
    return "FAILED" if counts["failed"] + counts["timeout"] + counts["oom"] else "FINISHED"
