"""Results that no longer answer: cells that are the same but for the code they came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mvgraph.bench.canonical import digest
from mvgraph.bench.plan import Cell

#: What makes a cell, its code aside.
_CONTENT = ("fingerprint", "method", "control", "options", "training", "graph", "scaling", "seed", "tune")


def stale_line(
    cells: Sequence[Cell], statuses: Mapping[str, str], records: Sequence[Mapping[str, Any]]
) -> str | None:
    """One line about cells of the plan that were done under other code, and why they run again; None without any.

    Args:
        cells: the plan; statuses: status by cell id; records: done records of the ledger, earlier plans included.
    """
    earlier: dict[str, Mapping[str, Any]] = {}
    for record in sorted(records, key=lambda r: str(r.get("started") or "")):
        earlier[_content(record["cell"])] = record["cell"]
    reasons: Counter[tuple[str, str]] = Counter()
    for cell in cells:
        if statuses.get(cell.id, "planned") in ("planned", "running") and cell.skip is None:
            now = cell.to_json()
            before = earlier.get(_content(now))
            if before is not None and before["id"] != cell.id:
                reasons[cell.label, _reason(before, now)] += 1
    if not reasons:
        return None
    told = "; ".join(f"{count} of {label} ({why})" for (label, why), count in reasons.items())
    return f"{sum(reasons.values())} cells are stale and run again: {told}."


def _content(cell: Mapping[str, Any]) -> str:
    parts = [cell.get(name) for name in _CONTENT]
    return digest([*parts, sorted(cell["views"]), cell["split"]["hash"]])


def _reason(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    old, new = before.get("code") or {}, now.get("code") or {}
    for what, identity in new.items():
        known = old.get(what)
        if known is None:
            return f"the source of its {what} was not recorded"
        if known["identity"] != identity["identity"]:
            return _difference(known, identity)
    was, is_now = before.get("numerics", 1), now.get("numerics", 1)
    if was != is_now:
        return f"numerics version {was}, now {is_now}"
    return "the content of a view or the meaning of a cell changed"


def _difference(known: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    old, new = known.get("sources") or {}, identity.get("sources") or {}
    changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    if changed:
        return f"{', '.join(changed)} changed"
    if old and new:
        return f"it imports {', '.join(sorted(old.keys() ^ new.keys()))} only before or only now"
    short = [
        text if "==" in text else "a source that is not released"
        for text in (known["identity"], identity["identity"])
    ]
    return "its source changed" if short[0] == short[1] else f"{short[0]}, now {short[1]}"
