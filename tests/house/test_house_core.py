"""The core stands on six packages: in a process that finds nothing else it fits and predicts."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

SIX = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "h5py")

PROGRAM = '''
import importlib, importlib.abc, importlib.util, pkgutil, sys
from importlib.machinery import PathFinder

ALLOWED = set(sys.argv[1:])


class OnlyAllowed(importlib.abc.MetaPathFinder):
    """Finds on the path what is allowed; the rest looks as if it were not installed."""

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in ALLOWED or top in sys.stdlib_module_names or top.startswith("_"):
            return PathFinder.find_spec(name, path, target)
        return None

    def find_distributions(self, *words, **options):
        return PathFinder.find_distributions(*words, **options)


sys.meta_path = [OnlyAllowed() if finder is PathFinder else finder for finder in sys.meta_path]
OUTSIDE = "torch_geometric typer yaml pydantic matplotlib av soundfile faiss safetensors rich mlflow optuna"
for blocked in OUTSIDE.split():
    try:
        importlib.import_module(blocked)
    except ModuleNotFoundError:
        continue
    sys.exit(f"the wall let {blocked} through")

for room in ("errors", "registry", "data", "features", "graph", "fusion", "training", "serving", "contract"):
    if importlib.util.find_spec(f"mvgraph.{room}") is None:
        continue
    module = importlib.import_module(f"mvgraph.{room}")
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"mvgraph.{room}."):
        importlib.import_module(found.name)

import numpy as np
import mvgraph as mv

random = np.random.default_rng(0)
labels = np.arange(60) % 3
views = {name: random.normal(size=(60, 5)) + labels[:, None] for name in ("sound", "sight")}
data = mv.scale_views(mv.MultiViewData.from_arrays(views, labels), "zscore")
split = mv.make_splits(data, "label-rate", rate=0.3, n=1, seed=0)[0]
graph = mv.build_graph(data, k=4)
for method in ("dm-gcn", "concat-logreg", "dm-gcn@identity"):
    result = mv.fit(method, data, split, graph, training={"epochs": 3, "evaluate_every": 1})
    assert result.probabilities().shape == (60, 3)
assert mv.load("mfeat").n_samples == 2000
print("the core stands")
'''


def with_requirements(names: tuple[str, ...]) -> set[str]:
    """Distributions and everything they themselves require, without extras; normalised names."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        try:
            needed = [line for line in requires(name) or [] if "extra ==" not in line]
        except PackageNotFoundError:
            continue  # for another system
        if name not in found:
            found.add(name)
            waiting += [match[0] for line in needed if (match := re.match(r"[A-Za-z0-9._-]+", line))]
    return found


def importable(distributions: set[str]) -> list[str]:
    """Names under which distributions are imported."""
    brings = packages_distributions().items()
    return sorted(
        module
        for module, brought_by in brings
        if any(re.sub(r"[-_.]+", "-", name).lower() in distributions for name in brought_by)
    )


def test_the_core_needs_no_extra() -> None:
    allowed = importable(with_requirements(SIX))
    assert {"torch", "sklearn", "h5py"} <= set(allowed)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "mvgraph", "mvgraph_baselines", *allowed],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout
    assert done.stdout.strip().endswith("the core stands")


def test_importing_mvgraph_imports_nothing_heavy() -> None:
    program = (
        "import sys, mvgraph; print([m for m in ('torch', 'numpy', 'pandas', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
