"""Mini-batches: exact gradients, sampled ones that still learn, and options that are checked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mvgraph as mv
from mvgraph.errors import UserError
from mvgraph.training import TrainingOptions
from mvgraph.training.batches import full_batch_epoch, mini_batch_epoch
from mvgraph.training.distributed import World
from mvgraph.training.loop import propagation_of
from mvgraph.training.step import make_optimiser


@pytest.fixture(scope="module")
def data() -> mv.MultiViewData:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    views = {
        "left": rng.normal(size=(120, 6)) + labels[:, None],
        "right": rng.normal(size=(120, 4)) - labels[:, None],
    }
    return mv.MultiViewData.from_arrays(views, labels)


@pytest.fixture(scope="module")
def split(data: mv.MultiViewData) -> mv.Split:
    return mv.make_splits(data, "label-rate", rate=0.4)[0]


def first_loss_and_weights(method: str, data, split, options: TrainingOptions | None) -> tuple[float, list]:
    model = mv.create(method, data, seed=0, hidden=(8, 4), dropout=0.0)
    everything = propagation_of(model, data, mv.build_graph(data, k=5), torch.device("cpu"))
    rows = torch.as_tensor(np.array(split.train))
    labels = torch.as_tensor(np.array(data.labels))
    optimiser = make_optimiser(model, 1e-2, 0.0)
    if options is None:
        run = full_batch_epoch(model, everything, rows, labels, optimiser, World())
    else:
        run = mini_batch_epoch(model, everything, rows, labels, optimiser, World(), options, seed=0)
    model.train()
    return float(run(1)), [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("method", ["dm-gcn", "mean-gcn", "at-gcn", "concat-mlp"])
def test_one_batch_of_all_rows_is_the_full_batch(method: str, data, split) -> None:
    full = first_loss_and_weights(method, data, split, None)
    one = first_loss_and_weights(method, data, split, TrainingOptions(batch_size=10_000))
    assert one[0] == pytest.approx(full[0], rel=1e-6)
    for got, want in zip(one[1], full[1], strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("training", [{"batch_size": 7}, {"batch_size": 7, "fan_out": 3}])
@pytest.mark.parametrize("method", ["dm-gcn", "at-gcn"])
def test_batches_learn(method: str, training: dict, data, split) -> None:
    result = mv.fit(
        method, data, split, mv.build_graph(data, k=5), training={"epochs": 15, "lr": 5e-3, **training}
    )
    assert result.accuracy(data.labels, split.test) > 0.7


def test_batches_repeat_with_the_seed(data, split) -> None:
    graph = mv.build_graph(data, k=5)
    options = {"epochs": 3, "batch_size": 5, "fan_out": 2}
    first, again, other = (
        mv.fit("dm-gcn", data, split, graph, training=options, seed=s).probabilities() for s in (4, 4, 5)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"fan_out": 5}, "give training.batch_size too"),
        ({"batch_size": 5, "fan_out": 0}, "at least 1 neighbour"),
        ({"batch_size": 5, "fan_out": (3, 0)}, "at least 1 neighbour"),
    ],
)
def test_bad_options_are_refused(options: dict, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        TrainingOptions(**options)


def test_fan_out_of_the_wrong_length_is_refused(data, split) -> None:
    with pytest.raises(UserError, match="one number for each"):
        mv.fit("dm-gcn", data, split, training={"epochs": 1, "batch_size": 5, "fan_out": (3, 3, 3)})
