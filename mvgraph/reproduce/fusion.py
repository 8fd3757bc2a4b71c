"""The fusion experiment as benchmark suites, so that plan, resume, ledger and metrics are the bench's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvgraph.bench import run_suite
from mvgraph.data import MultiViewData
from mvgraph.errors import UserError
from mvgraph.numerics import NUMERICS
from mvgraph.reproduce.settings import GCN_TRAINING, AvscSettings
from mvgraph.reproduce.stages import Stage, Stages

#: [13] by name: baselines come from outside, and no room imports them.
CONCATENATION = "mvgraph_baselines.openl3_concat:OpenL3Concat"
#: Hidden units of the fusion GCNs and of the single-view GCN (Sections 3.2 and 3.3.1).
HIDDEN, SINGLE_HIDDEN = (256, 128), (128, 128)

LINEAR = "linear head"
WORDS = {
    "[13]": "concatenation baseline, its frames being these seconds",
    "Mean-GCN": "GCN on the mean of the adjacencies",
    "AT-GCN": "attention over specific and common GCNs",
    "DM-GCN": "learned weights of the Laplacians",
    "concat-logreg": "no graph: logistic regression on both views side by side (not in the paper)",
    "late-fusion": "no graph: mean of two logistic regressions (not in the paper)",
}


def suites(data: MultiViewData, source: str, settings: AvscSettings) -> dict[str, dict[str, Any]]:
    """The suites by name: `both` for everything on both views, one a view for a linear head without graph."""
    epochs = settings.at_most(int(GCN_TRAINING["epochs"]))
    training = {
        **GCN_TRAINING,
        "epochs": epochs,
        "evaluate_every": min(10, epochs),
        "device": settings.device,
    }
    concatenation = {"epochs": settings.at_most(199), "fusion_epochs": settings.at_most(99)}
    common: dict[str, Any] = {
        "datasets": [source],
        "splits": {"scheme": "official", "validation": settings.validation, "group": "location", "seed": 0},
        "seeds": settings.all_seeds,
        "scaling": {"kind": "none"},
        "graph": {"k": settings.neighbours},
        "training": training,
        "limits": {"seconds": None, "memory_mib": None},
    }
    single = {"options": {"hidden": SINGLE_HIDDEN}}
    methods: list[dict[str, Any]] = [
        {"method": "mean-gcn", "label": "Mean-GCN", "options": {"hidden": HIDDEN}},
        {"method": "at-gcn", "label": "AT-GCN"},
        {"method": "dm-gcn", "label": "DM-GCN", "options": {"hidden": HIDDEN}},
        {"method": CONCATENATION, "label": "[13]", "options": concatenation},
        {"method": "concat-logreg", "label": "concat-logreg", "seeds": [0]},
        {"method": "late-fusion", "label": "late-fusion", "seeds": [0]},
    ]
    for view in data.view_names:
        methods.append({"method": f"single-gcn:{view}", "label": f"{view} with GCN", **single})
        methods.append({"method": f"single-gcn:{view}@identity", "label": f"{view} without edges", **single})
    found = {"both": {**common, "name": "both", "methods": methods}}
    for view in data.view_names:
        head = {"method": "concat-logreg", "label": f"{view} {LINEAR}", "seeds": [0]}
        found[view] = {**common, "name": view, "views": [view], "methods": [head]}
    return found


def run_fusion(data: MultiViewData, source: Path, settings: AvscSettings, stages: Stages) -> Stage:
    """Run the suites in one stage; its folder holds a run folder for each.

    Raises:
        UserError: a fit failed; the others are kept, and the next call tries it again.
    """
    planned = suites(data, str(source), settings)

    def work(folder: Path) -> Mapping[str, Any]:
        counts = {}
        for name, suite in planned.items():
            summary = run_suite(
                suite, folder / name, retry=["failed", "timeout", "oom"], progress="plain", mirror=False
            )
            stages.say(summary.sentence())
            if summary.missing:
                raise UserError(
                    f"{summary.missing} fits of the fusion experiment failed; {_reason(folder / name)}"
                )
            counts[name] = summary.cells
        return {"cells": counts}

    told = {name: {k: v for k, v in suite.items() if k != "datasets"} for name, suite in planned.items()}
    depends = {"data": data.fingerprint.digest, "suites": told, "numerics": NUMERICS}
    return stages.run("fusion", depends, work, _fault)


def _fault(folder: Path) -> str | None:
    """What is wrong with the ledgers of a finished stage, in words, or None."""
    from mvgraph.bench.ledger import Ledger

    for path in sorted(folder.glob("*/ledger.sqlite")):
        with Ledger(path) as ledger:
            if not ledger.is_whole():
                return f"stored arrays in {path.parent.name}/{path.name} are damaged; their fits run again"
    return None


def _reason(run: Path) -> str:
    from mvgraph.bench.ledger import Ledger

    with Ledger(run / "ledger.sqlite") as ledger:
        failures = ledger.failures()
    if not failures:
        return f"see {run.name}."
    first = failures[0]
    return f"the first, {first['cell']['label']}: {str(first['reason']).rstrip('.')}."
