"""A made-up run, written through the real ledger: known numbers, no training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from mvgraph.bench.cell import Arrays
from mvgraph.bench.ledger import Ledger
from mvgraph.bench.metrics import part_metrics
from mvgraph.bench.plan import Cell
from mvgraph.bench.suite import parse_suite

VIEWS = ("fac", "fou", "kar", "mor", "pix", "zer")
CLASSES = 4
TEST_ROWS = 60
#: Strength of the true class's logit: the larger, the more accurate.
STRENGTH = {
    "mean-gcn": 3.2,
    "dm-gcn": 3.1,
    "at-gcn": 2.2,
    "concat-logreg": 2.4,
    "label-spreading": 1.9,
    "dm-gcn@identity": 2.0,
    "dm-gcn@shuffled": 1.2,
}
#: Label -> ending other than done, for one (data set, split, seed); None leaves the cell planned.
Ending = Callable[[Cell], tuple[str, str] | bool | None]


def make_cells(
    labels: Sequence[str],
    datasets: Sequence[str],
    splits: int,
    seeds: Sequence[int],
    rates: Sequence[float] = (0.1,),
) -> list[Cell]:
    return [
        _cell(dataset, label, rate, index, seed)
        for dataset in datasets
        for rate in rates
        for index in range(splits)
        for seed in seeds
        for label in labels
    ]


def _cell(dataset: str, label: str, rate: float, index: int, seed: int) -> Cell:
    method, _, control = label.partition("@")
    split = {
        "scheme": "label-rate",
        "seed": 0,
        "index": index,
        "hash": _digest("split", dataset, rate, index),
        "sizes": {"train": 16, "validation": 4, "test": TEST_ROWS},
        "parameters": {"rate": rate, "validation": 0.2},
        "arguments": {},
    }
    graph = (
        {"k": 10, "kernel": "exp", "symmetrise": "max"} if "gcn" in label or "spreading" in label else None
    )
    protocol = {
        "split": {"scheme": "label-rate", "parameters": split["parameters"], "seed": 0, "index": index},
        "seed": seed,
        "scaling": {"kind": "zscore", "scope": "all"},
        "setting": "transductive" if graph else "inductive",
        "labels_in_graph": False,
        "graph_control": control or None,
        "selection": "last",
        "labelled": {
            "train": 16,
            "validation": 4,
            "test": TEST_ROWS,
            "rows": 20 + TEST_ROWS,
            "train_per_class": [5, 4, 4, 3],
        },
    }
    return Cell(
        id=_digest("cell", dataset, label, rate, index, seed),
        dataset=dataset,
        source=dataset,
        fingerprint=_digest(dataset),
        views=VIEWS,
        method=method,
        label=label,
        control=control or None,
        options={"hidden": 64} if "gcn" in label else {},
        training={"epochs": 100, "lr": 0.0005} if "gcn" in label else None,
        graph=graph,
        scaling={"kind": "zscore", "scope": "all"},
        split=split,
        seed=seed,
        protocol=protocol,
    )


def outcome(cell: Cell) -> tuple[dict[str, Any], Arrays]:
    """A record and its arrays, all drawn from a generator seeded by the cell's id; labels by the split's hash."""
    generator = np.random.default_rng(int(cell.id[:12], 16))
    of_split = np.random.default_rng(int(cell.split["hash"][:12], 16))
    rows = {"validation": np.arange(4), "test": np.arange(4, 4 + TEST_ROWS)}
    labels = {part: of_split.integers(0, CLASSES, len(at)).astype(np.int64) for part, at in rows.items()}
    strength = STRENGTH.get(cell.label, 2.0)

    def draw(part: str, sharpness: float) -> np.ndarray:
        logits = generator.normal(size=(len(rows[part]), CLASSES))
        logits[np.arange(len(rows[part])), labels[part]] += strength
        weights = np.exp(sharpness * logits)
        return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)

    probabilities = {s: {p: draw(p, 1.5) for p in rows} for s in ("last", "validation")}
    metrics: dict[str, Any] = {
        s: {p: part_metrics(probabilities[s][p], labels[p]) for p in rows} for s in probabilities
    }
    last = metrics["last"]["test"]["accuracy"]
    network = "gcn" in cell.label
    metrics["oracle"] = {
        "test": {"accuracy": min(1.0, last + 0.02) if network else last, "epoch": 40 if network else None}
    }
    record = {
        "cell": cell.to_json(),
        "status": "done",
        "started": "2026-01-01T00:00:00.000+00:00",
        "seconds": {"data": 0.1, "graph": 0.4, "training": 0.5 + strength, "inference": 0.01, "total": 2.0},
        "parameters": 1000 * len(cell.label) if cell.label != "label-spreading" else 0,
        "peak_memory_mib": {"host": 310.5, "device": None},
        "metrics": metrics,
        "selected_epoch": {"last": 100, "validation": 60} if network else {"last": None, "validation": None},
        "curves": _curves(cell, generator) if network else {},
        "diagnostics": _diagnostics(cell, generator) if network else {},
        "environment": {
            "cpu": "Made-up CPU",
            "cores": 2,
            "memory_mib": 8192,
            "gpu": None,
            "python": "3.11.0",
        },
        "versions": {"python": "3.11.0", "mvgraph": "0.1.0", "torch": "2.6.0"},
    }
    classes = tuple(str(c) for c in range(CLASSES))
    return record, Arrays(classes, rows, labels, probabilities)


def _curves(cell: Cell, generator: np.random.Generator) -> dict[str, list[float]]:
    epochs = np.arange(10, 101, 10)
    noise = generator.normal(scale=0.01, size=(5, len(epochs)))
    fall = np.exp(-epochs / 30)
    found = {
        "epoch": epochs.astype(float),
        "train_log_loss": 0.05 + 1.5 * fall + np.abs(noise[0]),
        "validation_log_loss": 0.2 + 1.2 * fall + np.abs(noise[1]),
        "test_log_loss": 0.2 + 1.2 * fall + np.abs(noise[1]),
        "validation_accuracy": 0.95 - 0.5 * fall + noise[2],
        "test_accuracy": 0.93 - 0.5 * fall + noise[3],
    }
    if cell.method == "dm-gcn":
        for layer in (1, 2):
            for v, view in enumerate(VIEWS):
                found[f"theta/{layer}/{view}"] = (
                    1 / 6 + 0.004 * (v - 2.5) * layer * epochs / 100 + 0.01 * noise[4]
                )
    return {name: [float(x) for x in values] for name, values in found.items()}


def _diagnostics(cell: Cell, generator: np.random.Generator) -> dict[str, Any]:
    if cell.method == "dm-gcn":
        return {
            "theta": [
                {
                    view: 1 / 6 + 0.004 * (v - 2.5) * layer + float(generator.normal(scale=1e-3))
                    for v, view in enumerate(VIEWS)
                }
                for layer in (1, 2)
            ]
        }
    if cell.method == "at-gcn":
        weights = generator.dirichlet(40 * np.array([1, 1, 2, 1, 1, 1, 3.0]))
        return {"attention": dict(zip((*VIEWS, "common"), map(float, weights), strict=True))}
    return {}


def suite_of(cells: Sequence[Cell], **more: Any) -> Any:
    methods = []
    for cell in cells:
        entry = (
            {"method": cell.label} if cell.label in STRENGTH else {"method": cell.method, "label": cell.label}
        )
        if entry not in methods:
            methods.append(entry)
    return parse_suite(
        {
            "name": "made-up",
            "datasets": list(dict.fromkeys(c.dataset for c in cells)),
            "methods": methods,
            **more,
        }
    )


def write_run(folder: Path, cells: Sequence[Cell], ending: Ending = lambda cell: True, **more: Any) -> Path:
    """Write ``folder/ledger.sqlite``. ``ending`` gives True (done), None (planned) or (status, traceback)."""
    with Ledger(folder / "ledger.sqlite", create=True) as ledger:
        ledger.plan(cells, suite_of(cells, **more))
        for cell in cells:
            how = ending(cell)
            if how is None:
                continue
            ledger.start(cell.id)
            if how is True:
                ledger.finish(cell.id, *outcome(cell))
            elif isinstance(how, tuple):
                ledger.fail(cell.id, *how)
    return folder


def _digest(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()


def relabelled(cell: Cell, method: str) -> Cell:
    """The same cell under its label, of another method."""
    return replace(cell, method=method, control=None)


def record(
    label: str,
    index: int,
    accuracy: float,
    seed: int = 0,
    rate: float = 0.1,
    dataset: str = "mfeat",
    sizes: tuple[int, int] | None = None,
    **more: float,
) -> dict[str, Any]:
    """The least a record can be: one accuracy, no ledger behind it; `sizes` are training and test rows."""
    split = {"scheme": "label-rate", "index": index, "hash": f"h{index}", "parameters": {"rate": rate}}
    if sizes is not None:
        split["sizes"] = dict(zip(("train", "test"), sizes, strict=True))
    return {
        "cell": {
            "id": f"{label}{index}{seed}",
            "dataset": dataset,
            "label": label,
            "method": label,
            "split": split,
            "seed": seed,
        },
        "status": "done",
        "metrics": {"last": {"test": {"accuracy": accuracy, **more}}},
    }
