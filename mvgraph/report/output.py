"""A run folder in, a report folder out."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mvgraph.report.snapshot import Snapshot, read

# Pictures an earlier report may have left that this one does not make (a suite that grew, say). Only names we give.
_OURS = re.compile(
    r"(leaderboard|learning-curves|theta|attention|confusion|calibration|cost-accuracy|controls|critical-difference|pairwise)"
    r"(-[a-z0-9-]+)?\.png"
)


def write(run_folder: str | Path, out: str | Path | None = None, rank_by: str | None = None) -> Path:
    """Write ``index.html``, ``report.md``, ``leaderboard.md``, ``leaderboard.csv``, ``cells.csv`` and PNG figures.

    Works on a half-finished run. Nothing but the ledger is read, and the ledger is not changed.

    Args:
        run_folder: a folder that holds ``ledger.sqlite``.
        out: where to write, ``run_folder/report`` by default.
        rank_by: accuracy, macro-accuracy, macro-f1 or log-loss; by default what the suite says.

    Returns:
        The path of ``index.html``.

    Raises:
        UserError: the folder holds no ledger, or nothing ranks by `rank_by`.
    """
    folder = Path(run_folder) / "report" if out is None else Path(out)
    with read(run_folder) as snapshot:
        return write_snapshot(snapshot, folder, rank_by)


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
