"""`tune`: search the settings of one method on one data set, or go on with a search."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import optuna
from optuna.study import Study, StudyDirection

from mvgraph.bench.canonical import digest, plain
from mvgraph.data import MultiViewData, Split, load, make_splits
from mvgraph.errors import UserError
from mvgraph.fusion.search import Distribution
from mvgraph.registry import datasets, import_reference
from mvgraph.tuning import best
from mvgraph.tuning.driver import Driver
from mvgraph.tuning.objective import RUNGS, Task
from mvgraph.tuning.prepare import fixed_names, make_task, resolve, split_spec
from mvgraph.tuning.progress import Progress, make_progress
from mvgraph.tuning.reading import read_study
from mvgraph.tuning.record import FILE, StudyRecord, read_record, write_record
from mvgraph.tuning.sampler import SeededTPE
from mvgraph.tuning.storage import locked, open_storage, quiet, shown
from mvgraph.tuning.summary import TuneSummary
from mvgraph.tuning.workshop import Workshop

#: What is built on this room, by name: it is not imported from here.
MIRROR, REPORT = "mvgraph.tracking.study:mirror_study", "mvgraph.report.study:write_study"
#: Complete trials before the first is pruned, and points of a curve before it is looked at.
PRUNE_AFTER, WARM_UP = 5, 2


def tune(
    method: str,
    data: str | Path | MultiViewData,
    *,
    trials: int = 50,
    rate: float | None = None,
    splits: Mapping[str, Any] | None = None,
    split: Split | None = None,
    views: Sequence[str] | None = None,
    objective: str = "log-loss",
    inner: int = 3,
    timeout: float | None = None,
    storage: str | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    space: Mapping[str, Distribution] | None = None,
    selection: str = "last",
    progress: str | Progress = "auto",
    mirror: bool = True,
    report: bool = True,
    overwrite: bool = False,
) -> TuneSummary:
    """Search the settings of a method by TPE, or go on with the search that `out` holds.

    Only training and validation rows of the split take part: labels of its other rows are hidden before anything
    else happens. The point the method starts from is the first trial. One trial runs at a time in this process;
    several processes, on several machines, work together when they are given the same database as `storage`.

    Args:
        method: text of the method, as in a suite.
        data: name or path of the data set, or data itself.
        trials: trials the study is to have in all, earlier calls included.
        rate: share of labelled rows of each class (the label-rate scheme), 0.1 unless `splits` says otherwise.
        splits: split specification as in a suite; its first split is used.
        split: a split of one's own, instead of `rate` and `splits`.
        views: names of the views to use, None for all.
        objective: log-loss | accuracy | both (Pareto front, without pruning), on validation rows.
        inner: inner splits that a trial is averaged over.
        timeout: seconds after which no further trial begins.
        storage: address of a database (postgresql://user@host/name); None keeps a journal in the folder.
        seed: of sampling, inner splits and fits.
        out: study folder, by default runs/tune-<method>-<data>.
        overwrite: whether a `best.yaml` that was edited since it was written is replaced.
        settings: `options`, `training`, `graph`, `scaling` as in a suite's method entry: what is given here is
            fixed and not searched.
        space: further ranges by dotted name, or others for those the method declares.
        selection: which epoch's figures count: last | validation.
        progress: "auto", "bar", "plain", "none", or an object of one's own.
        mirror: mirror the trials into MLflow afterwards; report: write the page.

    Raises:
        UserError: a mistake in an argument, another search in the folder, or a storage out of reach.
        KeyboardInterrupt: passed on, with the trial in hand given back.
    """
    _check_numbers(trials, timeout)
    source = None if isinstance(data, MultiViewData) else str(data)
    loaded = load(data)
    if views is not None:
        loaded = loaded.select_views(views)
    spec_of_splits = None if split is not None else split_spec(rate, splits)
    if split is None:
        assert spec_of_splits is not None
        scheme = str(spec_of_splits["scheme"])
        split = make_splits(loaded, scheme, **{k: v for k, v in spec_of_splits.items() if k != "scheme"})[0]
    resolved = resolve(method, settings, source or loaded.name)
    task = make_task(
        resolved,
        loaded,
        split,
        fixed=fixed_names(settings),
        space=space,
        inner=inner,
        objective=objective,
        selection=selection,
        seed=seed,
    )
    by_path = source is not None and source not in datasets
    called = Path(source).stem if by_path and source else loaded.name
    spec = {
        "method": task.method,
        "label": resolved.label,
        "dataset": called,
        "source": str(Path(source).resolve()) if by_path and source else source,
        "seen": task.data.fingerprint.digest,
        "views": None if views is None else sorted(views),
        "splits": spec_of_splits,
        "split": {
            "hash": split.hash,
            "sizes": {p: len(getattr(split, p)) for p in ("train", "validation", "test")},
        },
        "inner": len(task.inner),
        "objective": objective,
        "figures": [list(figure) for figure in task.figures],
        "selection": selection,
        "seed": seed,
        "base": task.base.to_json(),
        "space": plain(task.space.to_json()),
        "rungs": RUNGS,
    }
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", f"{method}-{spec['dataset']}").strip("-").lower()
    folder = Path(out) if out is not None else Path("runs") / f"tune-{slug}"
    best.check_suite(folder, overwrite)
    alone = storage is None
    with quiet(), locked(folder) if alone else nullcontext():
        folder.mkdir(parents=True, exist_ok=True)
        _same_study(folder, spec)
        study = open_study(f"{slug}@{identity(spec)[:12]}", open_storage(folder, storage), task)
        bar = make_progress(progress)
        workshop = Workshop(task.data)
        driver = Driver(study, task, workshop, shared=not alone)
        try:
            driver.run(trials, timeout, bar)
        finally:
            bar.close()
            where = "journal in the study folder" if storage is None else shown(storage)
            record = read_study(study, spec, where)
            with nullcontext() if alone else locked(folder, wait=True):
                write_record(record, folder)
        with nullcontext() if alone else locked(folder, wait=True):
            suite, page, notes = _write_all(record, folder, mirror, report)
    return TuneSummary(
        folder=folder,
        record=record,
        ran=len(driver.ended),
        seconds=driver.seconds,
        fit_seconds=driver.fit_seconds,
        make_seconds=workshop.seconds,
        suite=suite,
        report=page,
        notes=notes,
    )


def open_study(name: str, storage: Any, task: Task) -> Study:
    """The study in `storage`, made if it is not there; its first trial is the point the method starts from."""
    pruned = len(task.figures) == 1
    how: dict[str, Any] = {
        "study_name": name,
        "storage": storage,
        "sampler": SeededTPE(task.seed),
        "pruner": optuna.pruners.MedianPruner(PRUNE_AFTER, WARM_UP) if pruned else optuna.pruners.NopPruner(),
    }
    start = task.space.params_of(task.base)
    try:
        directions = [StudyDirection[direction.upper()] for _, direction in task.figures]
        study = optuna.create_study(**how, directions=directions)
        # Of several drivers that begin at once, the one that made the study puts the point in.
        is_first = True
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(**how)
        is_first = start is not None and _stays_empty(study)
    if start is not None and is_first:
        study.enqueue_trial(start, skip_if_exists=True)
    return study


def _stays_empty(study: Study) -> bool:
    """Whether nobody puts the first point in: its maker was killed between the two steps."""
    for _ in range(20):
        if study.get_trials(deepcopy=False):
            return False
        time.sleep(0.1)
    return True


def identity(spec: Mapping[str, Any]) -> str:
    """What makes two searches the same one: all of the spec but where the data lies and how it is called."""
    return digest({key: value for key, value in spec.items() if key not in ("source", "dataset", "splits")})


def _same_study(folder: Path, spec: Mapping[str, Any]) -> None:
    """Refuse a folder that holds another search."""
    if not (folder / FILE).is_file():
        return
    held = read_record(folder).spec
    if identity(held) == identity(spec):
        return
    names = {"seen": "data", "split": "split", "figures": "objective", "rungs": "version"}
    other = next(
        key for key in spec if digest(spec[key]) != digest(held.get(key)) and key not in ("source", "splits")
    )
    shown_values = (
        f" ({held[other]} there, {spec[other]} here)"
        if isinstance(spec[other], int | str) and other != "seen"
        else ""
    )
    raise UserError(
        f"{folder} holds a search with another {names.get(other, other)}{shown_values}; give another --out."
    )


def _write_all(
    record: StudyRecord, folder: Path, mirror: bool, report: bool
) -> tuple[Path | None, Path | None, list[str]]:
    notes: list[str] = []
    suite = best.suite_of(record, folder)
    path = None if suite is None else best.write_suite(suite, record, folder)
    if not record.best:
        notes.append("No trial is complete, so there is no best configuration.")
    for name in [MIRROR] if mirror else []:
        try:
            import_reference(name)(record, folder)
        except UserError as error:
            notes.append(str(error))
        except Exception as error:
            notes.append(
                f"The MLflow mirror was not written ({type(error).__name__}: {error}); the study is complete."
            )
    page: Path | None = import_reference(REPORT)(record, folder / "report") if report else None
    return path, page, notes


def _check_numbers(trials: int, timeout: float | None) -> None:
    if trials < 1:
        raise UserError(f"trials is {trials}: give at least 1.")
    if timeout is not None and not timeout > 0:
        raise UserError(f"timeout is {timeout:g}: give a positive number of seconds.")
