"""The stored predictions of a run as one table, by sample id; `mvgraph.bench.imported` reads it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mvgraph.bench.cell import PARTS
from mvgraph.bench.known_samples import SplitRows, known_splits
from mvgraph.bench.ledger import Ledger
from mvgraph.bench.prediction_file import PREFIX, check_suffix, write_frame
from mvgraph.data.atomic import check_target
from mvgraph.errors import UserError


def export_predictions(
    run_folder: str | Path,
    out: str | Path,
    *,
    methods: Sequence[str] = (),
    data: str | None = None,
    selection: str | None = None,
    overwrite: bool = False,
) -> int:
    """Write validation and test predictions of the done cells of a run.

    Args:
        run_folder: a folder with `ledger.sqlite`; out: a .csv, .tsv or .parquet file.
        methods: labels, all of them by default; data: one data set.
        selection: last, validation or all; by default the rule that the suite ranks by.
        overwrite: a file of that name makes room.
    Returns:
        Number of rows written.
    Raises:
        UserError: no ledger, an unknown name, or sample ids that are not known.
    """
    folder, out = Path(run_folder), Path(out)
    check_suffix(out)
    check_target(out, overwrite)
    with Ledger(folder / "ledger.sqlite") as ledger:
        frame = predictions_frame(ledger, folder, methods=methods, data=data, selection=selection)
    write_frame(frame, out)
    return len(frame)


def predictions_frame(
    ledger: Ledger,
    folder: Path,
    *,
    methods: Sequence[str] = (),
    data: str | None = None,
    selection: str | None = None,
    at_hand: bool = True,
) -> pd.DataFrame:
    """One row a cell, selection and sample.

    Columns: id, data, method, split, seed, part, selection, true, predicted, and one `probability:<class>` a class,
    empty where a data set has no such class.

    Args:
        at_hand: sample ids that an old ledger lacks may be read from the data.
    Raises:
        UserError: see `export_predictions`.
    """
    rule = selection or str(ledger.suite().get("selection") or "last")
    if rule not in ("last", "validation", "all"):
        raise UserError(f"selection is '{rule}'; right are last, validation and all.")
    cells = [record["cell"] for record in ledger.records()]
    for what, given, entry in (
        ("method", methods, "label"),
        ("data set", [data] if data is not None else [], "dataset"),
    ):
        known = sorted({str(cell[entry]) for cell in cells})
        for name in given:
            if name not in known:
                raise UserError(
                    f"{folder} has no done cell of {what} '{name}'; it has {', '.join(known) or 'none'}."
                )
    splits = {(s.fingerprint, s.hash): s for s in known_splits(ledger, cells, folder, at_hand=at_hand)}
    names = _names(list(splits.values()))
    parts = []
    for cell in cells:
        if (methods and cell["label"] not in methods) or (data is not None and cell["dataset"] != data):
            continue
        key = (str(cell["fingerprint"]), str(cell["split"]["hash"]))
        for chosen in ("last", "validation") if rule == "all" else (rule,):
            parts += _rows(ledger, cell, splits[key], names[key], chosen)
    if not parts:
        raise UserError(f"{folder} holds no predictions yet.")
    return pd.concat(parts, ignore_index=True)


def _rows(
    ledger: Ledger, cell: Mapping[str, Any], split: SplitRows, names: tuple[str, str], selection: str
) -> list[pd.DataFrame]:
    stored = ledger.probabilities(cell["id"], selection) or {}
    found = []
    for part in PARTS:
        if part not in stored or len(stored[part]) == 0:
            continue
        values = stored[part]
        frame = pd.DataFrame(
            {
                "id": [split.ids[int(row)] for row in stored[f"{part}_rows"]],
                "data": names[0],
                "method": str(cell["label"]),
                "split": names[1],
                "seed": int(cell["seed"]),
                "part": part,
                "selection": selection,
                "true": [split.classes[int(c)] if c >= 0 else "" for c in split.labels[part]],
                "predicted": [split.classes[int(label)] for label in values.argmax(axis=1)],
            }
        )
        for column, name in enumerate(split.classes):
            frame[PREFIX + name] = values[:, column]
        found.append(frame)
    return found


def _names(splits: Sequence[SplitRows]) -> dict[tuple[str, str], tuple[str, str]]:
    """Data set and split as texts that name each alone: name and number, or the beginning of a hash."""
    prints = Counter(name for name, _ in {(s.dataset, s.fingerprint) for s in splits})
    numbers = Counter((s.fingerprint, s.index) for s in splits)
    return {
        (s.fingerprint, s.hash): (
            s.dataset if prints[s.dataset] == 1 else s.fingerprint[:12],
            str(s.index) if numbers[(s.fingerprint, s.index)] == 1 else s.hash[:12],
        )
        for s in splits
    }
