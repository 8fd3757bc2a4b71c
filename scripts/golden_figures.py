"""Write tests/golden/figures.json: figures of every method on small data, for the numerics version they belong to.

python scripts/golden_figures.py

The test of the numerics version holds the code against this file. Where figures differ from those on file, this script
asks for a higher version in mvgraph/numerics.py first: results of before must not answer for those of now.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import mvgraph as mv
from mvgraph.bench.metrics import part_metrics
from mvgraph.numerics import NUMERICS
from mvgraph.registry import controls, methods

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "figures.json"
#: Two figures are the same within this much: less than a method changes by, more than processors differ by.
TOLERANCE = 2e-3
METRICS = ("accuracy", "log_loss", "brier")
TRAINING = {"epochs": 8, "evaluate_every": 8, "lr": 0.01}


def example() -> tuple[Any, Any]:
    """Four classes in two views of 80 rows in groups of two, and one split."""
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 4
    centres = rng.normal(size=(4, 8))
    views = {
        "wide": centres[labels] + 0.8 * rng.normal(size=(80, 8)),
        "narrow": 3.0 + 5.0 * centres[labels][:, :3] + 4.0 * rng.normal(size=(80, 3)),
    }
    data = mv.MultiViewData.from_arrays(views, labels, groups={"clip": np.arange(80) // 2})
    return data, mv.make_splits(data, "label-rate", rate=0.4, validation=0.25, n=1, seed=0)[0]


def figures() -> dict[str, dict[str, float]]:
    """Metrics of the test rows by what was computed: each method, each control, each scaling, each kernel."""
    data, split = example()
    scaled = mv.scale_views(data, "zscore")
    graph = mv.build_graph(scaled, k=5)
    found: dict[str, dict[str, float]] = {}

    def note(what: str, method: str, rows: Any, over: Any) -> None:
        cls = methods.get(method.partition("@")[0])
        options = cls.contract_options(rows.view_names)
        result = mv.fit(method, rows, split, over, options=options, training=TRAINING)
        metrics = part_metrics(result.probabilities()[split.test], rows.labels[split.test])
        found[what] = {name: round(float(metrics[name]), 6) for name in METRICS}

    for entry in methods:
        if entry.origin == "mvgraph":
            note(entry.name, entry.name, scaled, graph)
    for entry in controls:
        if entry.origin == "mvgraph":
            note(f"dm-gcn@{entry.name}", f"dm-gcn@{entry.name}", scaled, graph)
    for kind in ("none", "minmax", "l2"):
        rows = mv.scale_views(data, kind)
        note(f"dm-gcn, scaling {kind}", "dm-gcn", rows, mv.build_graph(rows, k=5))
    for kernel in ("cosine", "self-tuning"):
        note(f"dm-gcn, kernel {kernel}", "dm-gcn", scaled, mv.build_graph(scaled, k=5, kernel=kernel))
    note("dm-gcn, fused", "dm-gcn", scaled, mv.build_graph(scaled, k=5, fused="snf"))
    return found


def differing(before: dict[str, dict[str, float]], now: dict[str, dict[str, float]]) -> list[str]:
    """What has other figures than before; what is new or gone changes no old result."""
    return sorted(
        what
        for what in before.keys() & now.keys()
        if any(abs(before[what][name] - now[what][name]) > TOLERANCE for name in METRICS)
    )


def main() -> int:
    """Write the file, unless the version has to be raised first."""
    now = figures()
    if GOLDEN.is_file():
        before = json.loads(GOLDEN.read_text(encoding="utf-8"))
        changed = differing(before["figures"], now)
        if changed and before["numerics"] >= NUMERICS:
            print(
                f"Figures of {', '.join(changed)} have changed: raise NUMERICS in mvgraph/numerics.py to "
                f"{before['numerics'] + 1} first.",
                file=sys.stderr,
            )
            return 1
    GOLDEN.write_text(json.dumps({"numerics": NUMERICS, "figures": now}, indent=1, sort_keys=True) + "\n")
    print(f"{len(now)} figures of numerics version {NUMERICS} written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
