"""Run a suite: plan first, then the cells that are not done, every ending kept."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mvgraph.bench.choice import check_choice, chosen_cells
from mvgraph.bench.estimate import Estimate, duration, make_estimate
from mvgraph.bench.executor import Executor, Outcome, SerialExecutor
from mvgraph.bench.given import set_aside
from mvgraph.bench.ledger import Ledger
from mvgraph.bench.lock import only_driver
from mvgraph.bench.material import Material
from mvgraph.bench.plan import Cell, make_plan
from mvgraph.bench.progress import Progress, make_progress
from mvgraph.bench.samples import remember
from mvgraph.bench.stale import stale_line
from mvgraph.bench.suite import Suite, as_suite
from mvgraph.bench.watch import Watch, watched_run
from mvgraph.data.resolution import float64_notes
from mvgraph.display import html_card, html_line
from mvgraph.errors import UserError
from mvgraph.graph.cache import shared_folder
from mvgraph.registry import import_reference

#: The leaderboard in a notebook, by name: report is built on bench, so bench does not import it.
LEADERBOARD = "mvgraph.report.notebook:leaderboard_html"


@dataclass(frozen=True)
class RunSummary:
    """What a call of `run_suite` did.

    Args:
        folder: the run folder; suite: its name.
        cells: cells of the plan; cached: done before this call; ran: tried by this call; of these `done` and
            `failed` (timeouts and memory included); missing: cells of the plan not done after it.
        seconds: wall time of the call.
        estimate: the outlook before anything ran.
        dry_run: nothing was run or written.
        stale: one line about results that no longer answer because the code they came from changed, or None.
        notes: sentences worth telling, e.g. why there is no MLflow mirror.
    """

    folder: Path
    suite: str
    cells: int
    cached: int
    ran: int
    done: int
    failed: int
    missing: int
    seconds: float
    estimate: Estimate
    dry_run: bool = False
    stale: str | None = None
    notes: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """The summary in words."""
        if self.dry_run:
            return f"{self.suite}: {self.estimate.sentence()}"
        text = f"{self.suite}: {self.cells} cells, {self.cached} cached, {self.ran} run in {duration(self.seconds)}"
        if self.failed:
            text += f", {self.failed} of them failed"
        if self.missing:
            text += f", {self.missing} still without a result"
        return text + "."

    def _repr_html_(self) -> str:
        told = [html_line(line) for line in (self.stale, *self.notes) if line]
        board = ""
        if not self.dry_run:
            try:
                board = import_reference(LEADERBOARD)(self.folder)
            except UserError as error:  # the folder may be gone by the time the summary is shown again
                board = html_line(str(error))
        return html_card(self.sentence(), *told, board)


def run_suite(
    suite: str | Path | Mapping[str, Any] | Suite,
    out: str | Path | None = None,
    *,
    limit: int | None = None,
    dry_run: bool = False,
    retry: Collection[str] = (),
    rerun: Collection[str] = (),
    only: Collection[str] = (),
    progress: str | Progress = "auto",
    mirror: bool = True,
    executor: Executor | None = None,
) -> RunSummary:
    """Run a suite, or continue it: cells that are done are never computed again.

    The plan is written before anything runs, and every cell as soon as it ends, so that an interrupt, a crash
    or a full disk costs at most the cell in hand. A cell that failed keeps its traceback and is tried again
    only on request.

    Args:
        suite: path of a suite file, its content as a mapping, or a `Suite`. In a mapping, `datasets` may hold
            `MultiViewData` objects; the ledger keeps their name and fingerprint, and continuing the run needs them.
        out: run folder, by default `runs/<suite name>`.
        limit: run at most this many cells now.
        dry_run: only count, and estimate the time; nothing is written.
        retry: statuses to try again: failed, timeout, oom.
        rerun: labels, methods or data sets whose cells run again although they are done; an earlier result stays
            until the new one is there.
        only: labels, methods or data sets that this call is about; other cells stay as they are.
        progress: "auto", "bar", "notebook", "plain", "none", or an object of one's own.
        mirror: mirror the ledger into MLflow while cells run.
        executor: where cells run, by default one after the other in this process.
    Returns:
        What was done.
    Raises:
        UserError: a mistake in the suite, or another run is writing to the folder.
        KeyboardInterrupt: passed on, with the ledger as it should be.
    """
    begun = time.perf_counter()
    suite, given = set_aside(suite)
    checked, base = as_suite(suite)
    if given and executor is not None:
        raise UserError(
            "Data sets given as objects run in this process only; leave out `executor`, or save them and name "
            "the files."
        )
    folder = Path(out) if out is not None else Path("runs") / checked.name
    material = Material(graphs=None if dry_run else shared_folder(), given=given)
    cells = make_plan(checked, base, material)
    check_choice(cells, limit, retry, rerun, only)
    choose = partial(chosen_cells, cells, limit=limit, retry=retry, rerun=rerun, only=only)
    if dry_run:
        statuses, records = _look(folder)
        estimate = make_estimate(cells, choose(statuses), statuses, records)
        missing = sum(statuses.get(cell.id) != "done" for cell in cells)
        stale = stale_line(cells, statuses, records)
        counts = (len(cells), estimate.cached, 0, 0, 0, missing)
        return RunSummary(folder, checked.name, *counts, _since(begun), estimate, True, stale)
    with only_driver(folder), Ledger(folder / "ledger.sqlite", create=True) as ledger:
        ledger.plan(cells, checked)
        damaged = ledger.release_damaged()
        remember(ledger, cells, material)
        statuses = ledger.statuses()
        chosen = choose(statuses)
        records = ledger.records(everything=True)
        estimate = make_estimate(cells, chosen, statuses, records)
        stale = stale_line(cells, statuses, records)
        shown = make_progress(progress)
        kept: list[str] = []
        try:
            if chosen:
                told = f"{checked.name}: {estimate.sentence()}"
                shown.begin(len(chosen), told if stale is None else f"{told} {stale}")
            with watched_run(folder, mirror) as watch:
                outcomes = _drive(chosen, ledger, executor or SerialExecutor(material), shown, kept, watch)
        finally:
            shown.close()
        ended = ledger.statuses()
        done = sum(ended[cell.id] == "done" for cell in cells)
    succeeded = outcomes.count("done")
    return RunSummary(
        folder=folder,
        suite=checked.name,
        cells=len(cells),
        cached=estimate.cached,
        ran=len(outcomes),
        done=succeeded,
        failed=len(outcomes) - succeeded,
        missing=len(cells) - done,
        seconds=_since(begun),
        estimate=estimate,
        stale=stale,
        notes=[*_told(damaged), *kept, *_lost_in_float32(cells, material), *watch.notes],
    )


def _lost_in_float32(cells: Sequence[Cell], material: Material) -> list[str]:
    """A sentence on every view that goes unscaled into methods although float32 cannot hold it."""
    unscaled = {(cell.dataset, cell.source, cell.views) for cell in cells if cell.scaling["kind"] == "none"}
    return [
        f"{dataset}: {note}"
        for dataset, source, views in sorted(unscaled)
        for note in float64_notes(material.data(source, views))
    ]


def _look(folder: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Statuses and records of a run folder, earlier plans included; nothing when there is no ledger yet."""
    if not (folder / "ledger.sqlite").is_file():
        return {}, []
    with Ledger(folder / "ledger.sqlite") as ledger:
        return ledger.statuses(everything=True), ledger.records(everything=True)


def _drive(
    cells: Sequence[Cell],
    ledger: Ledger,
    executor: Executor,
    shown: Progress,
    kept: list[str],
    watch: Watch,
) -> list[str]:
    """Feed the executor, write down every ending, and return the statuses in the order the cells ended.

    `kept` receives a sentence about each cell that was done before and now ended otherwise.
    """
    waiting, flying, ended = deque(cells), dict[str, float](), list[str]()
    try:
        while waiting or flying:
            while waiting and len(flying) < executor.slots:
                cell = waiting.popleft()
                # A result that is there stays until the new one is.
                if ledger.status(cell.id) != "done":
                    ledger.start(cell.id)
                flying[cell.id] = time.perf_counter()
                executor.submit(cell)
                shown.started(cell)
            watch.look()
            outcome = executor.wait()
            if outcome.status == "done" or ledger.status(outcome.cell.id) != "done":
                _keep(outcome, ledger)
            else:
                kept.append(
                    f"The earlier result of {outcome.cell.label} on {outcome.cell.dataset}, split "
                    f"{outcome.cell.split['index']}, stays: run again it ended as {outcome.status} "
                    f"({(outcome.reason or 'no reason').rstrip('.')})."
                )
            shown.ended(outcome, _since(flying.pop(outcome.cell.id)))
            ended.append(outcome.status)
    finally:
        # Reached with cells in the air only when something broke in: they have not ended, so they are planned.
        executor.cancel()
        for identity in flying:
            if ledger.status(identity) == "running":
                ledger.release(identity)
    return ended


def _keep(outcome: Outcome, ledger: Ledger) -> None:
    if outcome.record is not None and outcome.arrays is not None:
        ledger.finish(outcome.cell.id, outcome.record, outcome.arrays)
    else:
        ledger.fail(outcome.cell.id, outcome.status, outcome.traceback, outcome.reason)


def _told(damaged: Sequence[str]) -> list[str]:
    """One line about cells that ran again because their stored arrays were damaged."""
    if not damaged:
        return []
    whose = ", ".join(dict.fromkeys(damaged))
    return [
        f"Stored arrays of {len(damaged)} cells were damaged, so that these cells had to run again: {whose}."
    ]


def _since(begun: float) -> float:
    return time.perf_counter() - begun
