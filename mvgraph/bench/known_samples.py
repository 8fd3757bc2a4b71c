"""The splits of a run with their sample ids, from its ledger or, for an old ledger, from the data at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvgraph.bench.ledger import Ledger
from mvgraph.data.load import load
from mvgraph.errors import UserError

#: So many characters of a hash are enough to name a split or a data set.
LEAST_HASH = 8


@dataclass(frozen=True)
class SplitRows:
    """One split of one data set of a run.

    Args:
        cell: specification of a cell on it.
        ids: N sample ids in the order of rows; classes: C names.
        rows[part], labels[part]: (n,) of validation and test, and of train where the ledger keeps it.
    """

    cell: Mapping[str, Any]
    ids: Sequence[str]
    classes: tuple[str, ...]
    rows: Mapping[str, NDArray[np.int64]]
    labels: Mapping[str, NDArray[np.int64]]
    _shared: dict[str, dict[str, int]] = field(default_factory=dict, repr=False)

    @property
    def dataset(self) -> str:
        return str(self.cell["dataset"])

    @property
    def fingerprint(self) -> str:
        return str(self.cell["fingerprint"])

    @property
    def hash(self) -> str:
        return str(self.cell["split"]["hash"])

    @property
    def index(self) -> int:
        return int(self.cell["split"]["index"])

    @property
    def row_of(self) -> dict[str, int]:
        """Row number by id; one mapping for all splits of a data set."""
        if self.fingerprint not in self._shared:
            self._shared[self.fingerprint] = {identity: row for row, identity in enumerate(self.ids)}
        return self._shared[self.fingerprint]

    @cached_property
    def part_of(self) -> dict[int, str]:
        """Part by row number."""
        return {int(row): part for part, rows in self.rows.items() for row in rows}

    def labels_of(self, part: str, present: Mapping[str, Any]) -> NDArray[np.int64]:
        """Labels of a part, none where there are no predictions of it."""
        return self.labels[part] if part in present else np.zeros(0, dtype=np.int64)


def known_splits(
    ledger: Ledger, cells: Sequence[Mapping[str, Any]], folder: Path, *, at_hand: bool = True
) -> list[SplitRows]:
    """The distinct splits of some cells.

    Args:
        at_hand: ids that the ledger lacks may be read from the data.
    Raises:
        UserError: the ledger does not know their rows or ids, and the data is not at hand either.
    """
    shared: dict[str, dict[str, int]] = {}
    ids: dict[str, Sequence[str]] = {}
    found: dict[tuple[str, str], SplitRows] = {}
    for cell in cells:
        key = (str(cell["fingerprint"]), str(cell["split"]["hash"]))
        if key in found:
            continue
        known = ledger.labels(cell["id"])
        if "test" not in known:
            raise UserError(
                f"The rows of split {cell['split']['index']} of '{cell['dataset']}' are not in the ledger of {folder}; "
                "run its suite again, which computes only what is missing."
            )
        if key[0] not in ids:
            ids[key[0]] = ledger.ids(key[0]) or _ids_at_hand(ledger, cell, folder, at_hand)
        parts = [part for part in ("train", "validation", "test") if part in known]
        found[key] = SplitRows(
            cell,
            ids[key[0]],
            ledger.classes(cell["id"]),
            {part: known[f"{part}_rows"] for part in parts},
            {part: known[part] for part in parts},
            shared,
        )
    return list(found.values())


def _ids_at_hand(ledger: Ledger, cell: Mapping[str, Any], folder: Path, look: bool) -> list[str]:
    """Ids that the ledger is too old to hold, if one of the suite's sources still is that data."""
    for source in (ledger.suite().get("datasets") or []) if look else []:
        try:
            data = load(str(source))
            data = data if list(data.view_names) == list(cell["views"]) else data.select_views(cell["views"])
        except UserError:
            continue
        if data.fingerprint.digest == cell["fingerprint"]:
            return [str(identity) for identity in data.ids]
    raise UserError(
        f"The ledger of {folder} is from before sample ids were kept, and data set '{cell['dataset']}' is not at hand "
        "from here; run its suite again, which computes nothing and keeps them."
    )


def name_split(splits: Sequence[SplitRows], data: str, split: str, where: str) -> SplitRows:
    """The split that a file means.

    Args:
        data: name or beginning of the fingerprint of a data set, empty where there is one alone.
        split: its number, its hash or the beginning of that, empty where there is one alone.
        where: file and row, for messages.
    Raises:
        UserError: none, or more than one.
    """
    of_data = [s for s in splits if data in ("", s.dataset) or _begins(s.fingerprint, data)]
    sets = {s.fingerprint: s.dataset for s in of_data}
    if not sets:
        known = ", ".join(sorted({s.dataset for s in splits}))
        raise UserError(f"{where}: the run has no data set '{data}'; it has {known}.")
    if len(sets) > 1:
        names = sorted(set(sets.values()))
        if len(names) > 1:
            raise UserError(
                f"{where}: the run has several data sets ({', '.join(names)}); say which in a column 'data' or by "
                "--data."
            )
        prints = ", ".join(sorted(fingerprint[:12] for fingerprint in sets))
        raise UserError(
            f"{where}: the run has {len(sets)} data sets called '{names[0]}'; name one by its fingerprint ({prints})."
        )
    name = next(iter(sets.values()))
    chosen = [s for s in of_data if split == "" or str(s.index) == split or _begins(s.hash, split)]
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        numbers = sorted({s.index for s in of_data})
        raise UserError(f"{where}: '{name}' has no split '{split}'; it has {', '.join(map(str, numbers))}.")
    if split == "":
        raise UserError(f"{where}: '{name}' has {len(chosen)} splits; say which in a column 'split'.")
    hashes = ", ".join(s.hash[:12] for s in chosen)
    raise UserError(f"{where}: '{name}' has {len(chosen)} splits '{split}'; name one by its hash ({hashes}).")


def _begins(whole: str, text: str) -> bool:
    return len(text) >= LEAST_HASH and whole.startswith(text.lower())
