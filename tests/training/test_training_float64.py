"""Methods on views that float32 cannot hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mvgraph.data import MultiViewData, make_splits, scale_views
from mvgraph.graph import build_graph
from mvgraph.training import fit
from mvgraph.training.features import feature_tensors

N = 60
OPENL3 = "mvgraph_baselines.openl3_concat:OpenL3Concat"
#: Settings given: those that a method chooses hang on its inner folds, which are drawn by the content of the rows.
GIVEN: dict[str, dict[str, Any]] = {
    "knn-concat": {"k": 3, "weights": "uniform", "temperature": 1.0},
    "hist-gradient-boosting": {
        "max_iter": 20,
        "max_leaf_nodes": 4,
        "min_samples_leaf": 3,
        "max_features": 1.0,
        "temperature": 1.0,
    },
    OPENL3: {"epochs": 5, "fusion_epochs": 2},
}


def clouds(offset: float) -> MultiViewData:
    """Three classes on a grid of 2^-20, which an offset of 1e8 does not round in float64."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 3
    x = np.round((2 * labels[:, None] + rng.normal(size=(N, 4))) * 2**20) / 2**20
    return MultiViewData.from_arrays({"a": x[:, :2] + offset, "b": x[:, 2:]}, labels)


@pytest.mark.parametrize("method", ["knn-concat", "hist-gradient-boosting", "gcca", OPENL3])
def test_methods_that_see_differences_alone_answer_as_without_the_offset(method: str) -> None:
    answers = []
    for offset in (0.0, 1e8):
        data = clouds(offset)
        assert data.views["a"].dtype == (np.float64 if offset else np.float32)
        (split,) = make_splits(data, "label-rate", rate=0.3, validation=0.3, n=1)
        options = GIVEN.get(method, {})
        answers.append(fit(method, data, split, options=options, seed=0).selections["last"].probabilities)
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-3)


def test_scaled_and_propagated_alike() -> None:
    answers = []
    for offset in (0.0, 1e8):
        data = scale_views(clouds(offset), "zscore")
        (split,) = make_splits(data, "label-rate", rate=0.3, validation=0.3, n=1)
        training = {"epochs": 5, "evaluate_every": 5}
        result = fit("dm-gcn", data, split, build_graph(data, 5), training=training, seed=0)
        answers.append(result.selections["last"].probabilities)
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-5)


def test_networks_compute_in_float32_and_say_what_they_lose() -> None:
    device = torch.device("cpu")
    tensors = feature_tensors(clouds(0.0), device)
    assert {x.dtype for x in tensors.values()} == {torch.float32}
    with pytest.warns(UserWarning, match=r"which cannot hold view 'a': column 0 .*; scale it \(zscore\)"):
        tensors = feature_tensors(clouds(1e8), device)
    assert {x.dtype for x in tensors.values()} == {torch.float32}
    torch.testing.assert_close(tensors["b"], feature_tensors(clouds(0.0), device)["b"])
