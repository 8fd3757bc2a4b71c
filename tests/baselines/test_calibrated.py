"""Networks calibrated on validation rows: lower log-loss there, the same answers, and test labels are not looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from blobs import make_data, make_split

from mvgraph.data import Split
from mvgraph.fusion import create
from mvgraph.graph import build_graph
from mvgraph.training import fit
from mvgraph.training.checkpoint import load, save

METHODS = ("mlp-late",)
TRAINING = {"epochs": 40, "lr": 1e-2, "evaluate_every": 10}


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return -float(np.log(probabilities[np.arange(len(labels)), labels]).mean())


@pytest.mark.parametrize("method", METHODS)
def test_the_temperature_is_that_of_the_validation_rows(method: str, tmp_path: Path) -> None:
    data, split = make_data(), make_split()
    graph = build_graph(data, k=3)
    result = fit(method, data, split, graph, training=TRAINING)
    without = Split(split.train, np.arange(0), split.test, scheme=split.scheme, seed=split.seed)
    plain = fit(method, data, without, graph, training=TRAINING)
    assert plain.diagnostics["temperature"] == 1.0
    temperature = result.diagnostics["temperature"]
    assert temperature != 1.0
    # The same network, tempered: p ** (1 / T), normalised.
    expected = plain.probabilities().astype(np.float64) ** (1 / temperature)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result.probabilities(), expected, atol=1e-4)
    rows = split.validation
    smoothed = (len(rows) + 1) / (len(rows) + 2)
    target = np.full((len(rows), data.n_classes), (1 - smoothed) / (data.n_classes - 1))
    target[np.arange(len(rows)), data.labels[rows]] = smoothed

    def loss(t: float) -> float:
        z = np.log(plain.probabilities()[rows].astype(np.float64)) / t
        return -float((target * (z - np.log(np.exp(z).sum(axis=1, keepdims=True)))).sum())

    grid = np.exp(np.linspace(np.log(temperature) - 1, np.log(temperature) + 1, 201))
    assert loss(temperature) <= min(map(loss, grid)) + 1e-6
    # It is part of the weights that are kept.
    again, _ = load(save(result, tmp_path / "kept"))
    assert float(again.temperature) == pytest.approx(temperature)


def test_test_labels_do_not_matter_and_methods_of_the_paper_are_left_alone() -> None:
    data, split = make_data(), make_split()
    labels = data.labels.copy()
    labels[split.test] = (labels[split.test] + 1) % data.n_classes
    poisoned = replace(data, labels=labels, derived=True)
    first, second = (fit("mlp-late", d, split, training=TRAINING) for d in (data, poisoned))
    np.testing.assert_array_equal(first.probabilities(), second.probabilities())
    assert "temperature" not in fit("concat-mlp", data, split, training=TRAINING).diagnostics
    model = create("dm-gcn", data, hidden=(4, 3))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.calibrate(torch.zeros(3, data.n_classes), torch.zeros(3, dtype=torch.int64))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
