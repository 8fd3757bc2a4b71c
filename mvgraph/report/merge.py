"""Several runs as one snapshot: cells by what they are, whatever run they lie in.

A cell that several runs hold counts once. A label that means different settings in two runs is told apart by the run's
name, and so is a data set whose content or splits differ: figures of different splits are not compared.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mvgraph.errors import UserError
from mvgraph.report.scores import split_key
from mvgraph.report.snapshot import IMPORTED, Predictions, Record, Snapshot, read

#: Endings of a cell from best to worst; the best one of several runs counts.
KINDS = ("records", "failures", "missing")
_SETTINGS = ("method", "control", "options", "training", "graph", "scaling", "tune")
_PER_SPLIT = {"seed", "index", "hash", "n", "fold", "repeat"}


@dataclass(frozen=True)
class Entry:
    """One cell as one run has it: its record, how it ended, and the run's number."""

    record: Record
    kind: str
    run: int

    @property
    def cell(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.record["cell"]
        return found


@contextmanager
def read_runs(folders: Sequence[Path]) -> Iterator[Snapshot]:
    """Read one run, or several as one, open as long as the context lasts.

    Raises:
        UserError: a folder holds no ledger, or is given twice.
    """
    for position, folder in enumerate(folders):
        if folder.resolve() in [other.resolve() for other in folders[:position]]:
            raise UserError(f"{folder} is given twice.")
    with ExitStack() as stack:
        found = [stack.enter_context(read(folder)) for folder in folders]
        yield found[0] if len(found) == 1 else merge(found, run_names(folders))


def run_names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell all apart."""
    parts = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(path[-length:]) for path in parts]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


def merge(snapshots: Sequence[Snapshot], names: Sequence[str]) -> Snapshot:
    """One snapshot of all cells; the first run's rule ranks.

    Args:
        snapshots: of the runs; names: of the runs, all different.
    """
    entries = [
        Entry(record, kind, run)
        for run, snapshot in enumerate(snapshots)
        for kind in KINDS
        for record in getattr(snapshot, kind)
    ]
    labels, label_notes = _labels(entries, names)
    datasets, data_notes = _datasets(entries, names)
    where: dict[str, int] = {}
    best: dict[tuple[str, str], Entry] = {}
    twice: set[str] = set()
    for entry in sorted(entries, key=lambda e: (KINDS.index(e.kind), e.run)):
        cell = entry.cell
        label = labels[entry.run, str(cell["label"])]
        dataset = datasets[entry.run, _protocol(cell)]
        identity = str(cell["id"])
        where.setdefault(identity, entry.run)
        if (identity, dataset) in best:
            twice.add(identity)
            continue
        shown = {**entry.record, "cell": {**cell, "label": label, "dataset": dataset}}
        best[identity, dataset] = replace(entry, record=shown)
    parts = {kind: [e.record for e in best.values() if e.kind == kind] for kind in KINDS}
    for records in parts.values():
        records.sort(key=_order)
    notes = [f"This report joins {len(names)} runs: {', '.join(names)}."]
    if twice:
        notes.append(f"{len(twice)} cells that more than one of them holds count once.")
    rules = list(dict.fromkeys(snapshot.selection for snapshot in snapshots))
    if len(rules) > 1:
        notes.append(f"The runs rank by different rules ({', '.join(rules)}); this report by {rules[0]}.")

    def predictions(record: Record, selection: str) -> Predictions | None:
        return snapshots[where[str(record["cell"]["id"])]].predictions(record, selection)

    return Snapshot(
        suite=_suite(snapshots, names, labels, datasets),
        records=parts["records"],
        failures=parts["failures"],
        missing=parts["missing"],
        predictions=predictions,
        notes=[*notes, *label_notes, *data_notes],
    )


@dataclass
class Meaning:
    """What a label stands for: ids of cells by place (data, split, seed), settings by data, and whether imported."""

    members: list[tuple[int, str]]
    cells: dict[str, str] = field(default_factory=dict)
    settings: dict[str, set[str]] = field(default_factory=dict)
    imported: bool = False

    def add(self, cell: Mapping[str, Any], ended: bool) -> None:
        """Take in a cell of this label; what stands for splits that were not imported says nothing."""
        data = [cell.get("fingerprint"), cell.get("views")]
        self.imported |= str(cell.get("method")).startswith(IMPORTED)
        if ended or not self.imported:
            self.cells[_text([*data, split_key(cell), cell.get("seed")])] = str(cell["id"])
        told = _text([cell.get(key) for key in _SETTINGS])
        self.settings.setdefault(_text(data), set()).add(told)

    def agrees(self, other: Meaning) -> bool:
        """Whether another run's label means the same; cells of one place decide, else name and settings."""
        if {run for run, _ in self.members} & {run for run, _ in other.members}:
            # Two labels of one run are two methods to whoever wrote its suite.
            return False
        shared = self.cells.keys() & other.cells.keys()
        if shared:
            return all(self.cells[place] == other.cells[place] for place in shared)
        alike = {label for _, label in self.members} & {label for _, label in other.members}
        both = self.settings.keys() & other.settings.keys()
        mine, theirs = (
            {told for data in (both or m.settings) for told in m.settings[data]} for m in (self, other)
        )
        return bool(alike) and mine == theirs

    def join(self, other: Meaning) -> None:
        """Take in all that another means."""
        self.members += other.members
        self.cells |= other.cells
        for data, told in other.settings.items():
            self.settings.setdefault(data, set()).update(told)


def _labels(entries: Sequence[Entry], names: Sequence[str]) -> tuple[dict[tuple[int, str], str], list[str]]:
    """The label shown for each run's label. Equal settings share one, different settings never do."""
    found: dict[tuple[int, str], Meaning] = {}
    for entry in entries:
        key = (entry.run, str(entry.cell["label"]))
        found.setdefault(key, Meaning([key])).add(entry.cell, entry.kind == "records")
    groups: list[Meaning] = []
    for (_, label), meaning in found.items():
        fits = [group for group in groups if group.agrees(meaning)]
        # Of two that fit, the one of the same name.
        fits.sort(key=lambda group: all(name != label for _, name in group.members))
        if fits:
            fits[0].join(meaning)
        else:
            groups.append(meaning)
    shown: dict[tuple[int, str], str] = {}
    notes = []
    for label in dict.fromkeys(group.members[0][1] for group in groups):
        rivals = [group.members for group in groups if group.members[0][1] == label]
        for members in rivals:
            runs = ", ".join(names[run] for run in dict.fromkeys(run for run, _ in members))
            shown.update(dict.fromkeys(members, label if len(rivals) == 1 else f"{label} ({runs})"))
        if len(rivals) > 1:
            both = " and ".join(f"'{shown[members[0]]}'" for members in rivals)
            notes.append(f"'{label}' is not the same in all runs, and stands here as {both}.")
    return shown, notes


def _datasets(entries: Sequence[Entry], names: Sequence[str]) -> tuple[dict[tuple[int, str], str], list[str]]:
    """The name shown for each run's data set and protocol; what differs in content or splits is told apart."""
    hashes: dict[tuple[int, str], set[str]] = defaultdict(set)
    content: dict[tuple[int, str], str] = {}
    titles: dict[tuple[int, str], tuple[str, str]] = {}
    for entry in entries:
        cell = entry.cell
        split = cell.get("split") or {}
        key = (entry.run, _protocol(cell))
        hashes[key].add(split_key(cell))
        content[key] = _text([cell.get("fingerprint"), cell.get("views")])
        titles[key] = (str(cell.get("dataset")), _text([split.get("scheme"), _parameters(split)]))
    groups: dict[tuple[str, str], dict[tuple[str, frozenset[str]], list[tuple[int, str]]]] = defaultdict(dict)
    for key, title in titles.items():
        groups[title].setdefault((content[key], frozenset(hashes[key])), []).append(key)
    shown: dict[tuple[int, str], str] = {}
    notes = []
    for (dataset, _), kinds in groups.items():
        runs_of = [[run for run, _ in keys] for keys in kinds.values()]
        apart = len(kinds) > 1 and len({run for runs in runs_of for run in runs}) > 1
        for keys in kinds.values():
            runs = ", ".join(names[run] for run in dict.fromkeys(run for run, _ in keys))
            shown.update(dict.fromkeys(keys, f"{dataset} ({runs})" if apart else dataset))
        if apart:
            both = " and ".join(dict.fromkeys(f"'{shown[keys[0]]}'" for keys in kinds.values()))
            notes.append(f"'{dataset}' has other content or other splits in one run than in another: {both}.")
    return shown, list(dict.fromkeys(notes))


def _suite(
    snapshots: Sequence[Snapshot],
    names: Sequence[str],
    labels: Mapping[tuple[int, str], str],
    datasets: Mapping[tuple[int, str], str],
) -> dict[str, Any]:
    methods: dict[str, dict[str, str]] = {}
    for run, snapshot in enumerate(snapshots):
        for given in snapshot.suite.get("methods") or []:
            entry = {"method": given} if isinstance(given, str) else given
            label = labels.get((run, str(entry.get("label") or entry["method"])))
            if label is not None:
                methods.setdefault(label, {"method": str(entry["method"]), "label": label})
    return {
        **snapshots[0].suite,
        "name": " + ".join(names),
        "title": " and ".join(dict.fromkeys(snapshot.title for snapshot in snapshots)),
        "datasets": list(dict.fromkeys(datasets.values())),
        "methods": list(methods.values()),
    }


def _protocol(cell: Mapping[str, Any]) -> str:
    """Data set, content and way of splitting: what makes cells comparable inside one run."""
    split = cell.get("split") or {}
    parts = [cell.get("dataset"), cell.get("fingerprint"), cell.get("views"), split.get("scheme")]
    return _text([*parts, _parameters(split)])


def _parameters(split: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in (split.get("parameters") or {}).items() if k not in _PER_SPLIT}


def _order(record: Record) -> tuple[str, str, int, int, str]:
    cell = record["cell"]
    split = cell.get("split") or {}
    number = (int(split.get("index") or 0), int(cell.get("seed") or 0))
    return (str(cell.get("dataset")), str(cell.get("label")), *number, str(cell.get("id")))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
