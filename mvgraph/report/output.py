"""A run folder in, a report folder out."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mvgraph.errors import UserError
from mvgraph.report.merge import read_runs
from mvgraph.report.snapshot import Snapshot

#: So many stored predictions are written beside a report; `mvgraph export-predictions` writes any number.
PREDICTION_ROWS = 20_000
#: How our own file of them begins.
_FIRST = b"id,data,method,split,seed,part,selection,true,predicted,"

# Pictures an earlier report may have left that this one does not make (a suite that grew, say). Only names we give.
_OURS = re.compile(
    r"(leaderboard|learning-curves|theta|attention|confusion|calibration|cost-accuracy|controls|critical-difference|pairwise)"
    r"(-[a-z0-9-]+)?\.png"
)


def write(
    run_folder: str | Path | Sequence[Path], out: str | Path | None = None, rank_by: str | None = None
) -> Path:
    """Write ``index.html``, ``report.md``, ``leaderboard.md``, ``leaderboard.csv``, ``cells.csv`` and PNG figures.

    Works on a half-finished run. Nothing but the ledger is read, and the ledger is not changed. Beside a run of few
    predictions lies ``predictions.csv``.

    Args:
        run_folder: a folder that holds ``ledger.sqlite``, or several whose cells come into one report.
        out: where to write, ``run_folder/report`` by default.
        rank_by: accuracy, macro-accuracy, macro-f1 or log-loss; by default what the suite says.

    Returns:
        The path of ``index.html``.

    Raises:
        UserError: a folder holds no ledger, several are given without ``out``, or nothing ranks by `rank_by`.
    """
    runs = [Path(run_folder)] if isinstance(run_folder, str | Path) else list(run_folder)
    if out is None and len(runs) != 1:
        raise UserError(
            "A report over several runs belongs to none of them; say where to write it with --out."
        )
    folder = runs[0] / "report" if out is None else Path(out)
    with read_runs(runs) as snapshot:
        page = write_snapshot(snapshot, folder, rank_by)
    write_predictions(runs, folder / "predictions.csv")
    return page


def write_predictions(runs: Sequence[Path], path: Path) -> None:
    """Write the predictions of one run, if they are few and their sample ids are kept; else leave none."""
    from mvgraph.bench.exported import predictions_frame
    from mvgraph.bench.ledger import Ledger

    if path.is_file():
        with open(path, "rb") as file:
            if file.readline(len(_FIRST)) != _FIRST:
                # Somebody else's.
                return
        path.unlink()
    if len(runs) != 1:
        return
    with Ledger(runs[0] / "ledger.sqlite") as ledger:
        if not 0 < ledger.prediction_rows() <= PREDICTION_ROWS:
            return
        try:
            frame = predictions_frame(ledger, runs[0], at_hand=False)
        except UserError:
            return
    _replace(path, frame.to_csv(index=False, lineterminator="\n").encode("utf-8"))


def write_snapshot(snapshot: Snapshot, folder: Path, rank_by: str | None = None) -> Path:
    """The same from a snapshot, wherever it comes from."""
    from mvgraph.report import markdown, page, sheets
    from mvgraph.report.assemble import assemble

    report = assemble(snapshot, rank_by)
    texts = {
        "leaderboard.md": markdown.leaderboard(report),
        "report.md": markdown.document(report),
        "leaderboard.csv": sheets.leaderboard(report),
        "cells.csv": sheets.cells(snapshot),
        "index.html": page.render(report),
    }
    pictures = {f"{p.name}.png": p.png for p in report.pictures}
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        _replace(folder / name, picture)
    for name, text in texts.items():
        _replace(folder / name, text.encode("utf-8"))
    for path in folder.glob("*.png"):
        if path.name not in pictures and _OURS.fullmatch(path.name):
            path.unlink()
    return folder / "index.html"


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)
