"""What a cell becomes in MLflow: parameters, metrics with steps, tags. Plain values; MLflow is not needed here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

#: MLflow keeps at most this many characters of a parameter; the record artifact has all of it.
PARAMETER_LENGTH = 6000
_FORBIDDEN = re.compile(r"[^\w\-. :/]", re.ASCII)

Point = tuple[str, float, int]


def safe_key(name: str) -> str:
    """A name with characters MLflow refuses replaced by `_`, in a form it takes as a path."""
    parts = [_FORBIDDEN.sub("_", part).strip() for part in name.split("/")]
    return "/".join(part if part.strip(".") else "_" for part in parts)[:250]


def parameters(cell: Mapping[str, Any]) -> dict[str, str]:
    """What was chosen: data set, method, options, training, graph, scaling, split and seed."""
    found: dict[str, Any] = {
        name: cell[name] for name in ("dataset", "fingerprint", "method", "label", "control", "seed")
    }
    found["views"] = ", ".join(cell["views"])
    for group in ("options", "training", "graph", "scaling"):
        for key, value in (cell[group] or {}).items():
            found[f"{group}.{key}"] = value
    split = cell["split"]
    for key in ("scheme", "seed", "index", "hash"):
        found[f"split.{key}"] = split[key]
    for key, value in {**split["parameters"], **split["sizes"]}.items():
        found[f"split.{key}"] = value
    return {safe_key(key): _text(value)[:PARAMETER_LENGTH] for key, value in found.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def figures(record: Mapping[str, Any]) -> Iterator[Point]:
    """Single figures: `last/test/accuracy`, `oracle/test/accuracy`, `parameters`, `seconds/training`, ..."""
    for selection, parts in record["metrics"].items():
        for part, values in parts.items():
            for name, value in values.items():
                yield from _point(f"{selection}/{part}/{name}", value)
    yield from _point("parameters", record.get("parameters"))
    for group in ("seconds", "peak_memory_mib", "selected_epoch"):
        for name, value in (record.get(group) or {}).items():
            yield from _point(f"{group}/{name}", value)


def curves(record: Mapping[str, Any]) -> Iterator[Point]:
    """Learning curves `curve/<name>` over epochs; theta and other slashed names keep their path."""
    known = record.get("curves") or {}
    epochs = known.get("epoch") or []
    for name, values in known.items():
        if name == "epoch":
            continue
        for position, value in enumerate(values):
            epoch = int(epochs[position]) if position < len(epochs) else position + 1
            yield from _point(name if "/" in name else f"curve/{name}", value, epoch)


def _point(name: str, value: Any, step: int = 0) -> Iterator[Point]:
    # None stands for a figure that does not exist (no validation rows, a diverged epoch): no point.
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield safe_key(name), float(value), step


def milliseconds(moment: str | None) -> int | None:
    """An ISO time of the ledger as MLflow counts it."""
    return None if moment is None else round(datetime.fromisoformat(moment).timestamp() * 1000)
