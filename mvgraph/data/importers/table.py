"""`.csv` and `.parquet`: one row a sample; columns are grouped into views by patterns or by a prefix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from mvgraph.data.importers.assemble import assembled
from mvgraph.data.importers.columns import (
    FLAGS,
    ID_NAMES,
    LABEL_NAMES,
    ask_for_labels,
    listing,
    the_one,
    usual,
)
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.importers.split_masks import masks_as_split, part_of_name
from mvgraph.data.importers.table_files import INDEX_NAMES, Table, open_table
from mvgraph.data.importers.tree import array_leaf
from mvgraph.data.labels import one_hot_codes, same_partition
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column of a table is what; `rest` is everything that has no role."""

    labels: str | None
    ids: str | None
    groups: tuple[str, ...]
    split: str | None
    rest: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """Columns that are read as text, so that an id 007 stays one."""
        named = (self.labels, self.ids, self.split, *self.groups)
        return list(dict.fromkeys(name for name in named if name is not None))


def read_table(path: str | Path, options: ImportOptions | None = None) -> MultiViewData:
    """Read a table whose columns belong to several views.

    A row in which every column of a view is empty lacks that view.

    Raises:
        UserError: a damaged or lying file, text among the numbers, or something that `options` must decide.
    """
    path, options = Path(path).absolute(), options or ImportOptions()
    if options.transpose is not None:
        raise UserError(f"{path}: rows of a table are samples; --transpose is for matrices.")
    table = open_table(path, options)
    hot = _one_hot_columns(table.columns, options)
    options, twins, twin_note = _without_twins(table, options)
    asked = replace(options, labels=None, no_labels=True) if hot else options
    roles = find_roles([c for c in table.columns if c not in {*hot, *twins}], asked, path)
    masks = {} if roles.split else _mask_columns(table, roles.rest)
    roles = replace(roles, rest=tuple(c for c in roles.rest if c not in masks))
    if roles.labels is None and not hot and not options.no_labels:
        raise ask_for_labels(roles.rest, path)
    of_view = _views(roles.rest, options, path)
    chosen = [column for columns in of_view.values() for column in columns]
    frame = table.read([*chosen, *hot], roles.texts)
    if len(frame) == 0:
        raise UserError(f"{path} has no rows.")
    views = {name: frame[columns] for name, columns in of_view.items()}
    observed = np.stack([present(view) for view in views.values()], axis=1)
    left = [column for column in roles.rest if column not in set(chosen)]
    split = None if roles.split is None else frame[roles.split].to_numpy(dtype=object)
    split_note = None
    if masks:
        leaves = {name: array_leaf(values) for name, values in masks.items()}
        split, used, split_note = masks_as_split(leaves, set(), len(frame), False)
        left += [name for name in masks if name not in used]
    hot_note = f"Labels are which of {listing(hot)} is 1." if hot else None
    labels = None if roles.labels is None else as_labels(frame[roles.labels])
    return assembled(
        views,
        len(frame),
        path,
        options,
        labels=_one_hot(frame, hot, path) if hot else labels,
        ids=None if roles.ids is None else frame[roles.ids].to_numpy(dtype=object),
        groups={name: frame[name].to_numpy(dtype=object) for name in roles.groups},
        split=split,
        observed=observed,
        notes=tuple(
            note for note in (table.note, twin_note, hot_note, split_note, _left_behind(left)) if note
        ),
    )


def _one_hot_columns(columns: Sequence[str], options: ImportOptions) -> list[str]:
    """Columns that a pattern of labels (`kind_*`) names, where they are several: one a class."""
    if options.labels is None or options.labels in columns:
        return []
    found = [column for column in columns if fnmatchcase(column, options.labels)]
    return found if len(found) > 1 else []


def _one_hot(frame: pd.DataFrame, columns: list[str], path: Path) -> np.ndarray:
    """Names of classes, which are those of the columns without what all begin with. Shapes: (N,) object."""
    try:
        matrix = frame[columns].astype(np.float64).to_numpy()
    except (TypeError, ValueError):
        raise UserError(f"{path}: the columns {listing(columns)} must hold 0 and 1 to be labels.") from None
    codes = one_hot_codes(matrix, f"{path}: the columns {listing(columns, 4)}")
    pairs = zip(min(columns), max(columns), strict=False)
    common = next((place for place, (a, b) in enumerate(pairs) if a != b), len(min(columns)))
    names = [column[common:] for column in columns]
    named = np.array(names if all(names) else columns, dtype=object)
    return np.asarray(named[codes])


def _without_twins(table: Table, options: ImportOptions) -> tuple[ImportOptions, list[str], str | None]:
    """Of several columns named like labels that all say the same, the first is taken; the others are left out."""
    found = [name for name in table.columns if usual(name) in LABEL_NAMES]
    if options.labels is not None or options.no_labels or len(found) < 2:
        return options, [], None
    frame = table.read([], found)
    first = frame[found[0]].to_numpy(dtype=object)
    if not all(same_partition(first, frame[name].to_numpy(dtype=object)) for name in found[1:]):
        return options, [], None
    note = f"Labels are {found[0]}; {listing(found[1:])} says the same."
    return replace(options, labels=found[0]), found[1:], note


def _mask_columns(table: Table, rest: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns named like parts of a split that hold yes and no alone. Shapes: (N,) bool each."""
    named = [name for name in rest if part_of_name(name) is not None]
    found = {}
    frame = table.read([], named) if named else pd.DataFrame()
    for name in named:
        flags = [FLAGS.get(str(value).strip().lower().removesuffix(".0")) for value in frame[name].tolist()]
        if None not in flags:
            found[name] = np.array(flags, dtype=bool)
    return found if {"train", "test"} <= {part_of_name(name) for name in found} else {}


def _left_behind(left: Sequence[str]) -> str | None:
    return f"Not imported from the file: {listing(left)}." if left else None


def find_roles(columns: Sequence[str], options: ImportOptions, path: Path, needed: bool = True) -> Roles:
    """Which column holds labels, ids, groups and split.

    Parameters:
        needed: whether columns that were asked for must be there (in a folder another file may have them).

    Raises:
        UserError: a column that was asked for is missing, or several would do.
    """

    def asked(name: str | None, flag: str) -> str | None:
        if name is not None and name not in columns and needed:
            raise UserError(f"{path}: {flag} {name!r} is not there; there are {listing(columns)}.")
        return name if name in columns else None

    free = [column for column in columns if column not in INDEX_NAMES]
    said = {name for name in (options.id_column, options.split_column, *options.group_columns) if name}
    wanted = options.labels if needed or options.labels in columns else None
    labels = None
    if not options.no_labels and (options.labels is None or wanted is not None):
        labels = the_one(
            [c for c in free if c not in said or c == wanted], LABEL_NAMES, wanted, "labels", path
        )
    ids_wanted = asked(options.id_column, "--id-column")
    ids = the_one(free, ID_NAMES, ids_wanted, "ids", path) or next(
        (c for c in columns if c in INDEX_NAMES), None
    )
    groups = tuple(name for name in options.group_columns if asked(name, "--group-column") is not None)
    split = asked(options.split_column, "--split-column")
    taken = {labels, ids, split, *groups}
    return Roles(
        labels, ids, groups, split, tuple(c for c in columns if c not in taken and c not in INDEX_NAMES)
    )


def present(frame: pd.DataFrame) -> np.ndarray:
    """Rows in which not every column is empty. Shapes: (N, d_v) -> (N,) bool."""
    return np.asarray(frame.notna().to_numpy().any(axis=1))


def as_labels(column: pd.Series) -> np.ndarray:
    """Labels of a text file: whole numbers as numbers (so that 10 comes after 9), else text; empty is None.

    Shapes: (N,) object.
    """
    values = [None if pd.isna(value) or value == "" else value for value in column.tolist()]
    texts = [value for value in values if isinstance(value, str)]
    whole = [_whole(text) for text in texts]
    if texts and all(number is not None for number in whole):
        numbers = iter(whole)
        values = [next(numbers) if isinstance(value, str) else value for value in values]
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result


def _whole(text: str) -> int | None:
    """The number that a text writes without leading zeros (they mean a code, not a number)."""
    bare = text.strip().removesuffix(".0")
    try:
        number = int(bare)
    except ValueError:
        return None
    return number if str(number) == bare else None


def _views(rest: Iterable[str], options: ImportOptions, path: Path) -> dict[str, list[str]]:
    rest = list(rest)
    if options.prefix is not None:
        found = by_prefix(rest, options.prefix)
        if not found:
            raise UserError(
                f"{path}: no column has {options.prefix!r} in its name; there are {listing(rest)}."
            )
        return found
    if not options.views:
        raise UserError(
            f"{path}: which columns make which view must be said: --view NAME=PATTERN for each view"
            f"{_advice(rest)} (there are {listing(rest, 6)})."
        )
    found, owner = {}, dict[str, str]()
    for view in options.views:
        columns: list[str] = []
        for pattern in options.selectors(view):
            # A name that stands there beats the pattern that it might be.
            matching = [pattern] if pattern in rest else [c for c in rest if fnmatchcase(c, pattern)]
            if not matching:
                raise UserError(
                    f"{path}: view {view!r}: no column is {pattern!r}; there are {listing(rest)}."
                )
            columns += [c for c in matching if c not in columns]
        for column in columns:
            if owner.setdefault(column, view) != view:
                raise UserError(
                    f"{path}: column {column!r} is in view {owner[column]!r} and in view {view!r}."
                )
        found[view] = columns
    return found


def by_prefix(columns: Iterable[str], mark: str) -> dict[str, list[str]]:
    """Columns by what stands before the first `mark`; those without it belong nowhere."""
    found: dict[str, list[str]] = {}
    for column in columns:
        head, separator, _ = column.partition(mark)
        if separator and head:
            found.setdefault(head, []).append(column)
    return found


def _advice(rest: list[str]) -> str:
    """A prefix that would sort every column, if there is one."""
    for mark in ("__", ":", "/", ".", "_", "-"):
        found = by_prefix(rest, mark)
        if 1 < len(found) <= 20 and sum(map(len, found.values())) == len(rest):
            return f", or --prefix {mark} for views {listing(f'{n} ({len(c)} columns)' for n, c in found.items())}"
    return ", or --prefix MARK"
