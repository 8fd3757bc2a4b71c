"""Predictions of another tool become cells of a run: the same rows, the same metrics, costs and settings unknown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvgraph.bench.canonical import digest
from mvgraph.bench.cell import PARTS, Arrays, oracle
from mvgraph.bench.imported_cells import IMPORTED
from mvgraph.bench.known_samples import SplitRows, known_splits, name_split
from mvgraph.bench.ledger import Ledger
from mvgraph.bench.lock import only_driver
from mvgraph.bench.metrics import part_metrics
from mvgraph.bench.prediction_file import PREFIX, PredictionFile
from mvgraph.bench.schema import pack
from mvgraph.errors import UserError

SELECTIONS = ("last", "validation")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class ImportSummary:
    """What a call of `import_predictions` did.

    Args:
        folder: the run folder; label: name in tables.
        added, kept, removed: cells that came, were there already, and went.
        splits: (data set, splits with predictions, splits of the run), one a data set.
    """

    folder: Path
    label: str
    added: int
    kept: int
    removed: int
    splits: list[tuple[str, int, int]]

    def sentence(self) -> str:
        """The summary in words."""
        if not self.added and not self.removed:
            return f"{self.label}: these predictions were imported before; nothing changed."
        count = f"{self.added} cell" + "s" * (self.added != 1)
        parts = [f"{have} of {of} splits of {name}" for name, have, of in self.splits]
        text = f"{self.label}: predictions for {', '.join(parts)} imported as {count}"
        if self.removed:
            text += f" in place of {self.removed}"
        if any(have < of for _, have, of in self.splits):
            text += "; without the other splits it is shown but not ranked"
        return text + "."


def import_predictions(
    run_folder: str | Path, file: str | Path, label: str, *, data: str | None = None, replace: bool = False
) -> ImportSummary:
    """Take the predictions of a file as results of one method on splits of a run.

    Of every split (and seed) in the file, each test row must be there exactly once; validation rows may be there, all
    or none. Importing the same again changes nothing.

    Args:
        run_folder: a folder with `ledger.sqlite`.
        file: see `mvgraph.bench.prediction_file`.
        label: name of the method in tables.
        data: data set of all rows, where the run has several and the file has no column `data`.
        replace: predictions of that name that were imported before make room.
    Raises:
        UserError: the file and the run do not fit together; one sentence with row and id. Nothing is changed then.
    """
    folder = Path(run_folder)
    if not (folder / "ledger.sqlite").is_file():
        raise UserError(
            f"There is no ledger in {folder}; give the folder of a run, as `mvgraph run` printed it."
        )
    if not label.strip():
        raise UserError("The name of the method is empty.")
    table = PredictionFile(file)
    with only_driver(folder), Ledger(folder / "ledger.sqlite", create=True) as ledger:
        before = ledger.imported()
        ours = {str(cell["id"]) for cell in before}
        planned = [cell for cell in ledger.specs() if cell["id"] not in ours]
        if any(cell["label"] == label for cell in planned):
            raise UserError(f"'{label}' is a method of the suite; give the imported one another name.")
        splits = known_splits(ledger, planned, folder)
        cells = [_cell(table, label, *found) for found in _groups(table, splits, data)]
        held = [cell for cell in before if cell["label"] == label]
        drop = _to_drop(held, cells, label, folder, replace)
        kept = {str(cell["id"]) for cell in held} - set(drop)
        add = [found for found in cells if found[0]["cell"]["id"] not in kept]
        ledger.exchange_imported(drop, add)
        have = [cell for cell in ledger.imported() if cell["label"] == label]
    return ImportSummary(folder, label, len(add), len(cells) - len(add), len(drop), _coverage(have, splits))


def _to_drop(
    held: Sequence[Mapping[str, Any]], cells: Sequence[Any], label: str, folder: Path, replace: bool
) -> list[str]:
    """Ids of the cells of this name that go."""
    new = {record["cell"]["id"] for record, _ in cells}
    broken = [str(cell["id"]) for cell in held if cell["status"] != "done"]
    whole = [cell for cell in held if cell["status"] == "done"]
    if replace:
        return broken + [str(cell["id"]) for cell in whole if cell["id"] not in new]
    where = {_where(record["cell"]): record["cell"]["id"] for record, _ in cells}
    for cell in whole:
        other = where.get(_where(cell))
        if other is not None and other != cell["id"]:
            raise UserError(
                f"{folder} holds other predictions of '{label}' for split {cell['split']['index']} of "
                f"'{cell['dataset']}'; give another name, or --replace to put these in their place."
            )
    return broken


def _where(cell: Mapping[str, Any]) -> tuple[str, str, int]:
    return str(cell["fingerprint"]), str(cell["split"]["hash"]), int(cell["seed"])


def _coverage(have: Sequence[Mapping[str, Any]], splits: Sequence[SplitRows]) -> list[tuple[str, int, int]]:
    found = {(str(cell["fingerprint"]), str(cell["split"]["hash"])) for cell in have}
    names: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for split in splits:
        names[(split.dataset, split.fingerprint)].append((split.fingerprint, split.hash) in found)
    return [(name, sum(marks), len(marks)) for (name, _), marks in names.items() if any(marks)]


def _groups(
    table: PredictionFile, splits: Sequence[SplitRows], data: str | None
) -> list[tuple[SplitRows, int, dict[str, NDArray[np.int64]]]]:
    """Split, seed, and positions in the file by selection (the empty one where the file names none)."""
    frame, count = table.frame, len(table.frame)
    texts = {
        name: frame[name].tolist() if name in frame else [""] * count for name in ("data", "split", "seed")
    }
    rules = frame["selection"].tolist() if "selection" in frame else [""] * count
    if data is not None and "data" in frame and set(texts["data"]) != {data}:
        other = next(text for text in texts["data"] if text != data)
        raise UserError(f"{table.path} has a column 'data' that says '{other}', but --data says '{data}'.")
    places: dict[tuple[str, str, str], dict[str, list[int]]] = {}
    for position in range(count):
        key = (data or texts["data"][position], texts["split"][position], texts["seed"][position])
        places.setdefault(key, {}).setdefault(rules[position], []).append(position)
    found = []
    seen: dict[tuple[str, str, int], tuple[str, str, str]] = {}
    for (name, split, seed), by_rule in places.items():
        at = table.place(next(iter(by_rule.values()))[0])
        where = f"{table.path}, {at}"
        chosen = name_split(splits, name, split, where)
        number = _seed(seed, where)
        for rule in by_rule:
            if rule not in ("", *SELECTIONS):
                raise UserError(f"{where}: selection is '{rule}'; right are {' and '.join(SELECTIONS)}.")
        twin = seen.setdefault((chosen.fingerprint, chosen.hash, number), (name, split, seed))
        if twin != (name, split, seed):
            raise UserError(
                f"{where}: '{split}' and '{twin[1]}' name one and the same split; use one of them."
            )
        found.append((chosen, number, {r: np.asarray(p, dtype=np.int64) for r, p in by_rule.items()}))
    known = {name for split, _, _ in found for name in split.classes}
    for column in table.others:
        if column not in known and column.removeprefix(PREFIX) not in known:
            names = ", ".join(sorted(known)[:12])
            raise UserError(f"Column '{column}' of {table.path} is no class; the classes are {names}.")
    return found


def _seed(text: str, where: str) -> int:
    if not text:
        return 0
    if not text.isdecimal():
        raise UserError(f"{where}: seed is '{text}'; right is a number of 0 or more.")
    return int(text)


def _cell(
    table: PredictionFile, label: str, split: SplitRows, seed: int, by_rule: Mapping[str, NDArray[np.int64]]
) -> tuple[dict[str, Any], Arrays]:
    """Record and arrays of one cell, checked against its split."""
    read = {rule: _parts(table, split, positions) for rule, positions in by_rule.items()}
    # One set of predictions stands for whatever rule a report ranks by: how it was selected is not known.
    only = next(iter(read.values()))
    chosen = {rule: read.get(rule, read.get("", only)) for rule in SELECTIONS}
    content = {
        rule: {part: pack(values, "<f4")[0] for part, values in parts.items()}
        for rule, parts in chosen.items()
    }
    method = f"{IMPORTED}{label}"
    where = {"fingerprint": split.fingerprint, "split": split.hash, "seed": seed}
    cell = {
        **{key: split.cell[key] for key in ("dataset", "fingerprint", "views", "split")},
        "id": digest({"imported": label, "content": content, **where}),
        "method": method,
        "label": label,
        "control": None,
        "options": {},
        "training": None,
        "graph": None,
        "scaling": {},
        "seed": seed,
        "limits": {},
        "tune": None,
        "protocol": _protocol(split.cell["protocol"], table.path.name, seed),
    }
    metrics: dict[str, Any] = {
        rule: {
            part: part_metrics(
                parts.get(part, np.zeros((0, len(split.classes)))), split.labels_of(part, parts)
            )
            for part in PARTS
        }
        for rule, parts in chosen.items()
    }
    # Without a curve there is nothing to look back on, and whoever made these figures may have looked.
    metrics["oracle"] = {"test": {**oracle({}, None)}}
    record = {
        "cell": cell,
        "status": "done",
        "imported": {"file": table.path.name},
        "started": None,
        "seconds": {},
        "parameters": None,
        "peak_memory_mib": {},
        "metrics": metrics,
        "selected_epoch": dict.fromkeys(SELECTIONS),
        "curves": {},
        "diagnostics": {},
        "environment": {},
        "versions": {},
    }
    return record, Arrays(split.classes, {}, {}, chosen)


def _parts(
    table: PredictionFile, split: SplitRows, positions: NDArray[np.int64]
) -> dict[str, NDArray[np.float32]]:
    """Probabilities by part, in the order of the split's rows."""
    row_of = split.row_of
    ids = table.frame["id"].to_numpy(dtype=object)[positions]
    here = f"split {split.index} of '{split.dataset}'"
    rows = np.empty(len(ids), dtype=np.int64)
    at: dict[str, int] = {}
    for number, identity in enumerate(ids):
        where = f"{table.path}, row {int(positions[number]) + 1}"
        row = row_of.get(identity)
        if row is None:
            raise UserError(f"{where}: '{split.dataset}' has no sample with id '{identity}'.")
        if identity in at:
            raise UserError(
                f"{where}: id '{identity}' was there before, in row {at[identity] + 1}, for the same {here}."
            )
        at[identity] = int(positions[number])
        rows[number] = row
    part_of = split.part_of
    found: dict[str, NDArray[np.float32]] = {}
    codes = np.array([part_of.get(int(row), "") for row in rows])
    for number in np.flatnonzero(~np.isin(codes, PARTS))[:1]:
        is_training = codes[number] == "train"
        raise UserError(
            f"{table.path}, row {int(positions[number]) + 1}: id '{ids[number]}' is "
            + (f"a training row of {here}" if is_training else f"no test row of {here}")
            + "; give its test rows (and validation rows) alone."
        )
    for part in PARTS:
        wanted = split.rows[part]
        mine = codes == part
        if part != "test" and not mine.any():
            continue
        missing = np.setdiff1d(wanted, rows[mine])
        if missing.size:
            raise UserError(
                f"{table.path} lacks {missing.size} of the {wanted.size} {part} rows of {here}, such as id "
                f"'{split.ids[int(missing[0])]}'."
            )
        values = table.probabilities(positions[mine], split.classes, split.dataset)
        order = np.argsort(rows[mine])
        found[part] = values[order][np.searchsorted(np.sort(rows[mine]), wanted)]
    return found


def _protocol(card: Mapping[str, Any], file: str, seed: int) -> dict[str, Any]:
    """The card of a cell on that split, with all that only its maker knows left open."""
    kept = {key: card[key] for key in ("split", "labelled") if key in card}
    return {
        **kept,
        "seed": seed,
        "imported": file,
        "scaling": {"kind": UNKNOWN, "scope": UNKNOWN},
        **dict.fromkeys(
            (
                "setting",
                "labels_in_graph",
                "graph_control",
                "selection",
                "search",
                "test_labels_read_for_selection",
            ),
            UNKNOWN,
        ),
    }
