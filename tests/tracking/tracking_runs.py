"""A small suite and its mirror, read through MLflow itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mvgraph.data import Card, MultiViewData
from mvgraph.data.h5mu_write import write_h5mu
from mvgraph.errors import UserError
from mvgraph.fusion import EstimatorMethod, Tags


class Failing(EstimatorMethod):
    """Fails in every cell."""

    name = "failing"
    title = "a method that fails"
    paper = "none"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def fit(self, data: Any, split: Any, graph: Any, seed: int) -> Any:
        raise UserError("What this method looks for is nowhere.")

    def predict_proba(self) -> Any:
        raise AssertionError

    def parameter_count(self) -> int:
        return 0

    @classmethod
    def search_space(cls) -> dict[str, Any]:
        return {}


def small_suite(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    centres = rng.normal(size=(3, 6)) * 2
    views = {
        "near": centres[labels] + rng.normal(size=(60, 6)),
        "far (m²)": centres[labels] + rng.normal(size=(60, 6)),
    }
    write_h5mu(MultiViewData.from_arrays(views, labels, card=Card(name="tiny")), folder / "tiny.h5mu")
    return {
        "name": "small",
        "datasets": [str(folder / "tiny.h5mu")],
        "methods": ["concat-logreg", "dm-gcn", {"method": "tracking_runs:Failing", "label": "failing"}],
        "splits": {"rate": 0.3, "validation": 0.3, "n": 2},
        "graph": {"k": 3},
        "training": {"epochs": 4, "evaluate_every": 2},
    }


def client(folder: Path) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{folder.resolve()}/mlflow.db")


def runs(folder: Path) -> tuple[Any, list[Any]]:
    store = client(folder)
    found = store.search_runs([store.get_experiment_by_name("small").experiment_id], max_results=1000)
    parents = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    assert len(parents) == 1
    return parents[0], [run for run in found if run is not parents[0]]
