"""`TrainingOptions`: published defaults, and what cannot be trained with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mvgraph.errors import UserError
from mvgraph.training import TrainingOptions


def test_published_defaults() -> None:
    options = TrainingOptions()
    assert (options.lr, options.weight_decay, options.epochs) == (5e-4, 1e-4, 500)
    assert (options.early_stopping, options.batch_size, options.device) == (None, None, "cpu")


def test_json_and_back() -> None:
    options = TrainingOptions(lr=0.01, epochs=7, early_stopping=3)
    assert TrainingOptions.from_mapping(json.loads(json.dumps(options.to_json()))) == options
    sampled = TrainingOptions(batch_size=8, fan_out=(3, 2))
    assert TrainingOptions.from_mapping(json.loads(json.dumps(sampled.to_json()))) == sampled


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"lr": 0}, "training.lr=0: give a positive learning rate"),
        ({"lr": float("nan")}, "training.lr=nan"),
        ({"lr": "5e-4"}, "training.lr='5e-4' is not a number .YAML reads 5e-4 as text; write 5.0e-4"),
        ({"lr": True}, "training.lr=True is not a number"),
        ({"weight_decay": -1e-3}, "training.weight_decay=-0.001: give 0 or more"),
        ({"weight_decay": float("nan")}, "training.weight_decay=nan"),
        ({"weight_decay": None}, "training.weight_decay=None is not a number"),
        ({"epochs": 0}, "training.epochs=0: give a whole number of at least 1"),
        ({"epochs": 2.5}, "training.epochs=2.5: give a whole number"),
        ({"epochs": None}, "training.epochs=None: give a whole number"),
        ({"evaluate_every": 0}, "training.evaluate_every=0"),
        ({"early_stopping": 0}, "training.early_stopping=0: give null or at least 1 epoch"),
        ({"early_stopping": "soon"}, "training.early_stopping='soon': give a whole number or null"),
        ({"batch_size": 0}, "training.batch_size=0"),
        ({"fan_out": 5}, "give training.batch_size too"),
        ({"epoch": 5}, "training has no option 'epoch'; it has lr, weight_decay"),
    ],
    ids=str,
)
def test_impossible_values_are_refused_in_a_sentence(given: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        TrainingOptions.from_mapping(given)
