"""The best configuration as a suite file, which `mvgraph run` takes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mvgraph import registry
from mvgraph.bench.suite import parse_suite
from mvgraph.data.atomic import atomic_path
from mvgraph.errors import UserError
from mvgraph.tuning.record import StudyRecord

FILE = "best.yaml"
#: Points of a Pareto front that become methods of the suite, spread evenly over it.
MOST_ENTRIES = 8
#: How the head of the file begins, and the line that tells whether the rest was edited.
_MARK, _CHECKSUM = (
    "# Written by mvgraph tune",
    "# An edited file is not replaced unasked; checksum as written: ",
)


def suite_of(record: StudyRecord, folder: Path) -> dict[str, Any] | None:
    """The suite: the method as it was before, and as the search left it, on the split it was searched for.

    The split is the only one whose test rows no trial has seen a label of: another split of the same data would
    test on rows that took part in the choice. Three initialisation seeds show what chance does.

    Returns:
        The suite's content; None when no trial is complete, or the split was given by hand and has no name.
    """
    spec = record.spec
    if not record.best or spec["splits"] is None or spec["source"] is None:
        return None
    source = spec["source"]
    if source not in registry.datasets:
        source = os.path.relpath(source, folder)
    method = spec["method"]
    base = {key: value for key, value in spec["base"].items() if value}
    label = f"{spec['label']}-tuned"
    entries: list[dict[str, Any]] = [{"method": method, "label": spec["label"], **base}]
    for number in spread(record.best):
        settings = {key: value for key, value in (record.trial(number).settings or {}).items() if value}
        name = label if len(record.best) == 1 else f"{label}-{number}"
        if settings != base:
            entries.append({"method": method, "label": name, **settings})
    suite = {
        "name": f"{record.name.partition('@')[0]}-best",
        "title": f"{spec['label']} on {spec['dataset']}, before and after {len(record.trials)} trials of a search",
        "datasets": [source],
        "views": spec["views"],
        "methods": entries,
        "splits": spec["splits"],
        "seeds": [0, 1, 2],
        "selection": spec["selection"],
    }
    parse_suite(suite, where="the suite of the best trial")
    return suite


def spread(numbers: list[int]) -> list[int]:
    """At most `MOST_ENTRIES` of them, both ends among them."""
    if len(numbers) <= MOST_ENTRIES:
        return numbers
    step = (len(numbers) - 1) / (MOST_ENTRIES - 1)
    return [numbers[round(index * step)] for index in range(MOST_ENTRIES)]


def write_suite(suite: Mapping[str, Any], record: StudyRecord, folder: Path) -> Path:
    """Write `best.yaml`; it appears whole or not at all.

    Its head holds a checksum, by which `check_suite` tells whether somebody has edited it.
    """
    found = ", ".join(
        f"trial {number} ("
        + ", ".join(
            f"{name.replace('_', '-')} {value:.4f}"
            for (name, _), value in zip(record.figures, record.trial(number).values, strict=True)
        )
        + ")"
        for number in spread(record.best)
    )
    head = (
        f"{_MARK}: {found} of {len(record.trials)} trials,\n"
        f"# validation figures over {record.spec['inner']} inner splits. Run it: mvgraph run {FILE}\n"
        "# Keep to this one split: other splits of this data test on rows that took part in the choice.\n"
    )
    body = yaml.safe_dump(dict(suite), sort_keys=False, allow_unicode=True, width=100)
    with atomic_path(folder / FILE) as temporary:
        temporary.write_text(f"{head}{_CHECKSUM}{_checksum(head + body)}\n{body}", encoding="utf-8")
    return folder / FILE


def check_suite(folder: Path, overwrite: bool) -> None:
    """Refuse to replace a `best.yaml` that no search wrote, or that was edited since.

    Raises:
        UserError: naming the file.
    """
    path = folder / FILE
    if overwrite or not path.is_file():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    sums = [line for line in lines if line.startswith(_CHECKSUM)]
    rest = "".join(line for line in lines if not line.startswith(_CHECKSUM))
    # Older searches wrote no checksum.
    is_ours = bool(lines) and lines[0].startswith(_MARK)
    if not is_ours or (sums and sums[0].strip() != f"{_CHECKSUM}{_checksum(rest)}"):
        what = "was edited" if is_ours else "was written by no search"
        raise UserError(
            f"{path} {what}, and this search would write it anew; move it away, or replace it with --force (in "
            "Python overwrite=True)."
        )


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
