"""Whether a folder may take a report: one that holds a report may, one with files of somebody else may not."""

from __future__ import annotations

import re
from pathlib import Path

from mvgraph.data.atomic import check_folder

_NAMES = (
    "index.html",
    "report.md",
    "leaderboard.md",
    "leaderboard.csv",
    "cells.csv",
    "scores.csv",
    "predictions.csv",
)
_PICTURES = re.compile(
    r"(leaderboard|learning-curves|theta|attention|confusion|calibration|cost-accuracy|controls|critical-difference"
    r"|pairwise|history|importances|parallel|front|cost|figure2)(-[a-z0-9-]+)?\.png"
)
#: Words in the head of every page that mvgraph writes.
_MARKS = (b"mvgraph report</title>", b"mvgraph search</title>", b"multi-modal graph fusion, reproduced")
#: The title stands before the styles and scripts.
_HEAD = 8192


def check_report_folder(
    folder: str | Path, overwrite: bool = False, otherwise: str = "replace it with --force"
) -> None:
    """Refuse a folder in which a report would replace files that are no report.

    Raises:
        UserError: naming a file that is there already.
    """
    folder = Path(folder)
    there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    names = [name for name in there if name in _NAMES or _PICTURES.fullmatch(name)]
    check_folder(folder, names, _is_report(folder / "index.html"), overwrite, otherwise)


def _is_report(page: Path) -> bool:
    if not page.is_file():
        return False
    with open(page, "rb") as file:
        head = file.read(_HEAD)
    return any(mark in head for mark in _MARKS)
