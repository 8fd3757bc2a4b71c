"""Under which rules, on which machine, and what went wrong: the part of a report that numbers need around them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mvgraph.report.snapshot import Record, Snapshot

# Vary from cell to cell by design: shown as the list of their values, never as a deviation.
_BY_DESIGN = ("split.index", "split.seed", "seed")
_SPLIT_CONTENT = ("labelled.",)
# Differs between data sets by nature: stands with the facts of each.
_ELSEWHERE = ("observed.",)
_NAMED_CELLS = 6


@dataclass(frozen=True)
class Deviation:
    """A value of the protocol that some cells do not share, and which ones."""

    value: str
    where: str


@dataclass(frozen=True)
class CardLine:
    """One rule: what most cells have, and who differs."""

    rule: str
    value: str
    deviations: tuple[Deviation, ...]


@dataclass(frozen=True)
class Trouble:
    """One cell without a result."""

    cell: str
    dataset: str
    label: str
    split: str
    seed: str
    status: str
    reason: str


@dataclass(frozen=True)
class Configuration:
    """How a method was set, as far as its cells agree; what they do not agree on is said so."""

    label: str
    method: str
    graph: str
    scaling: str
    training: str
    options: str


def protocol_card(snapshot: Snapshot) -> list[CardLine]:
    """The protocol once for the whole suite, cells that differ from it named by data set, method or id."""
    cells = [r["cell"] for group in (snapshot.records, snapshot.failures, snapshot.missing) for r in group]
    flat = [(cell, flatten(cell.get("protocol") or {})) for cell in cells]
    keys = sorted(
        {key for _, card in flat for key in card if not key.startswith(_ELSEWHERE)}, key=_card_order
    )
    lines = []
    for key in keys:
        values = Counter(card[key] for _, card in flat if key in card)
        if key in _BY_DESIGN:
            lines.append(CardLine(rule(key), ", ".join(sorted(values, key=_natural)), ()))
            continue
        if key.startswith(_SPLIT_CONTENT) and len(values) > _NAMED_CELLS:
            lines.append(CardLine(rule(key), f"{len(values)} different values; see cells.csv", ()))
            continue
        common = max(values, key=lambda v: (values[v], v))
        others = sorted(v for v in values if v != common)
        deviations = tuple(
            Deviation(v, _where([c for c, card in flat if card.get(key) == v], cells)) for v in others
        )
        lines.append(CardLine(rule(key), common, deviations))
    return lines


def rule(key: str) -> str:
    """A key of the protocol card in words."""
    return key.replace("split.parameters.", "split.").replace("_", " ").replace(".", ": ")


def _card_order(key: str) -> tuple[int, str]:
    first = (
        "setting",
        "selection",
        "test_labels",
        "labels_in",
        "graph_control",
        "scaling",
        "split",
        "seed",
        "labelled",
    )
    return (next((i for i, start in enumerate(first) if key.startswith(start)), len(first)), key)


def environments(snapshot: Snapshot) -> list[tuple[str, list[tuple[str, int]]]]:
    """What the cells ran on: each fact with its values and the number of done cells that had it."""
    facts: dict[str, Counter[str]] = defaultdict(Counter)
    for record in snapshot.records:
        for part in ("environment", "versions"):
            for key, value in flatten(record.get(part) or {}).items():
                if part == "environment" and key in (record.get("versions") or {}):
                    continue
                # A local label such as "+cpu" names a build of one machine, not a release.
                facts[key][value.partition("+cpu")[0].partition("+cu1")[0]] += 1
    return [(rule(key), sorted(values.items(), key=lambda i: (-i[1], i[0]))) for key, values in facts.items()]


def troubles(records: Iterable[Record]) -> list[Trouble]:
    """Failed and missing cells in one line each; the whole traceback stays in the ledger."""
    found = []
    for record in records:
        cell = record["cell"]
        split = cell.get("split") or {}
        text = record.get("reason") or record.get("traceback") or record.get("error") or ""
        found.append(
            Trouble(
                str(cell.get("id"))[:12],
                str(cell.get("dataset")),
                str(cell.get("label")),
                str(split.get("index", "")),
                str(cell.get("seed", "")),
                str(record.get("status") or "planned"),
                last_line(str(text)),
            )
        )
    return found


def configurations(snapshot: Snapshot, order: Sequence[str]) -> list[Configuration]:
    """How each method was set, in the order of `order`, and how its entries differ."""
    cells: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for group in (snapshot.records, snapshot.failures, snapshot.missing):
        for record in group:
            # What the search of a cell chose is what its figures were made with.
            chosen = (record.get("tuning") or {}).get("chosen") or {}
            cells[str(record["cell"].get("label"))].append({**record["cell"], **chosen})
    return [
        Configuration(
            label,
            " ".join(sorted({_method(c) for c in cells[label]})),
            *(_agreed(cells[label], key) for key in ("graph", "scaling", "training", "options")),
        )
        for label in order
        if label in cells
    ]


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested keys joined by dots, values as short text."""
    flat: dict[str, str] = {}
    for key in value:
        name = f"{prefix}{key}"
        if isinstance(value[key], Mapping):
            flat.update(flatten(value[key], f"{name}."))
        else:
            flat[name] = text(value[key])
    return flat


def text(value: Any) -> str:
    """A value of a record in words."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value)) if value else "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def last_line(traceback: str) -> str:
    """The line that says what happened."""
    lines = [line.strip() for line in traceback.strip().splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _where(some: Sequence[Mapping[str, Any]], cells: Sequence[Mapping[str, Any]]) -> str:
    """Name a group of cells by the data sets or methods it consists of, else by id."""
    for key in ("dataset", "label"):
        names = {str(c.get(key)) for c in some}
        if sum(str(c.get(key)) in names for c in cells) == len(some):
            return ", ".join(sorted(names))
    ids = sorted(str(c.get("id"))[:12] for c in some)
    more = f" and {len(ids) - _NAMED_CELLS} more" if len(ids) > _NAMED_CELLS else ""
    return ("cell " if len(ids) == 1 else "cells ") + ", ".join(ids[:_NAMED_CELLS]) + more


def _agreed(cells: Sequence[Mapping[str, Any]], key: str) -> str:
    flat = [flatten(c.get(key) or {}) for c in cells]
    if not any(flat):
        return "–"
    parts = []
    for name in dict.fromkeys(n for f in flat for n in f):
        values = {f.get(name, "unset") for f in flat}
        parts.append(f"{name} {values.pop() if len(values) == 1 else 'differs between cells'}")
    return ", ".join(parts)


def _method(cell: Mapping[str, Any]) -> str:
    method, control = str(cell.get("method")), cell.get("control")
    return f"{method}@{control}" if control and "@" not in method else method


def _natural(value: str) -> tuple[float, str]:
    try:
        return (float(json.loads(value)), value)
    except (ValueError, TypeError):
        return (float("inf"), value)
