"""A record as one flat row of a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

#: Entries of `cell` that are columns of their own.
_CELL = ("id", "dataset", "method", "label", "control", "seed", "fingerprint")
_SPLIT = ("scheme", "seed", "index", "hash")
#: Entries of `cell` kept as canonical JSON text.
_TEXT = ("views", "options", "training", "graph", "scaling")


def flat_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """One row: identity, status, then numbers under dotted names such as `metrics.last.test.accuracy`.

    Curves, diagnostics and tracebacks are left out; options and settings are JSON text.
    """
    cell = record["cell"]
    row: dict[str, Any] = {name: cell[name] for name in _CELL}
    row["status"] = record["status"]
    row["reason"] = record.get("reason")
    row |= {f"split.{name}": cell["split"][name] for name in _SPLIT}
    row["split.parameters"] = _text(cell["split"]["parameters"])
    row |= {name: None if cell[name] is None else _text(cell[name]) for name in _TEXT}
    row["started"] = record.get("started")
    row["parameters"] = record.get("parameters")
    for name in ("seconds", "peak_memory_mib", "selected_epoch", "metrics"):
        row |= _flatten(name, record.get(name) or {})
    for name, version in (record.get("versions") or {}).items():
        row[f"versions.{name}"] = version
    return row


def _flatten(prefix: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= _flatten(f"{prefix}.{key}", item)
        return found
    return {prefix: value}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
