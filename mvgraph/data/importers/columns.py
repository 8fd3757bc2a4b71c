"""Names that columns usually have, and what a column of splits says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mvgraph.data.split import PARTS, Split
from mvgraph.errors import UserError

#: Usual names of labels, without case and underscores.
LABEL_NAMES = frozenset(
    (
        "y",
        "gt",
        "gnd",
        "truth",
        "groundtruth",
        "truelabel",
        "truelabels",
        "label",
        "labels",
        "target",
        "class",
    )
)
ID_NAMES = frozenset(("id", "ids", "sampleid", "sampleids"))
#: Usual names of a column of file names or samples that can serve as ids, the surest first.
_FILE_NAMES = (
    ("file", "files", "filename", "filenames", "filepath", "path"),
    (
        "sample",
        "samplename",
        "clip",
        "clipid",
        "image",
        "imageid",
        "video",
        "videoid",
        "audio",
        "audioid",
        "uid",
    ),
    ("name",),
)
#: What says whether a view is observed.
FLAGS = {**dict.fromkeys(("1", "true", "yes"), True), **dict.fromkeys(("0", "false", "no"), False)}
#: The name an official split gets that comes from a column.
GIVEN_SPLIT = "given"
_PART_OF = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "te"), "test"),
    **dict.fromkeys(("", "none", "nan", "-"), ""),
}


def usual(name: str) -> str:
    """A name without case, blanks and underscores."""
    return name.lower().replace("_", "").replace(" ", "").replace("-", "")


def the_one(
    names: Iterable[str], known: frozenset[str], wanted: str | None, what: str, path: Path
) -> str | None:
    """The name that was asked for, or the only one that is usual; None if there is none.

    Raises:
        UserError: the name asked for is not there, or several would do.
    """
    names = list(names)
    flag = {"labels": "--labels", "ids": "--id-column"}[what]
    if wanted is not None:
        if wanted not in names:
            raise UserError(f"{path}: {flag} {wanted!r} is not there; there are {listing(names)}.")
        return wanted
    found = [name for name in names if usual(name) in known]
    if len(found) > 1:
        raise UserError(f"{path}: {what} could be in {' or '.join(found)}; say which with {flag}.")
    return found[0] if found else None


def file_name_column(names: Iterable[str], path: Path) -> str | None:
    """The column of file names that can serve as ids where nothing is called like ids; None if there is none.

    Raises:
        UserError: several would do.
    """
    names = list(names)
    for known in _FILE_NAMES:
        found = [name for name in names if usual(name) in known]
        if len(found) > 1:
            raise UserError(f"{path}: ids could be in {' or '.join(found)}; say which with --id-column.")
        if found:
            return found[0]
    return None


def is_file_name(name: str) -> bool:
    """Whether a column of that name can serve as ids."""
    return any(usual(name) in known for known in _FILE_NAMES)


def ask_for_labels(names: Iterable[str], path: Path) -> UserError:
    """The sentence that asks where the labels are."""
    return UserError(
        f"{path}: nothing is called like labels; say --labels NAME (there are {listing(names)}), "
        "or --no-labels if the data has none."
    )


def listing(names: Iterable[str], most: int = 12) -> str:
    """Names for a sentence, cut short when there are many."""
    names = list(names)
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + rest


def given_split(values: Any, name: str, path: Path) -> dict[str, Split]:
    """An official split from one word per sample: train, validation (val, dev), test; empty: in no part.

    Shapes: (N,) strings.

    Raises:
        UserError: another word, or no training or test rows.
    """
    texts = [
        "" if absent else str(value).strip().lower()
        for value, absent in zip(values, pd.isna(values), strict=True)
    ]
    strange = sorted({text for text in texts if text not in _PART_OF})
    if strange:
        raise UserError(
            f"{path}: the split column {name!r} says {listing(strange, 4)}; it may say train, validation or test."
        )
    parts = np.asarray([_PART_OF[text] for text in texts])
    rows = {part: np.flatnonzero(parts == part) for part in PARTS}
    for part in ("train", "test"):
        if rows[part].size == 0:
            raise UserError(f"{path}: the split column {name!r} has no {part} rows.")
    train, validation, test = (rows[part] for part in PARTS)
    return {GIVEN_SPLIT: Split(train, validation, test, scheme="official", parameters={"column": name})}
