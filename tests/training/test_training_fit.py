"""`fit`: what comes back from one run, seeds, selection, stopping, and the user's mistakes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from mvgraph.data import MultiViewData, Split, load, make_splits, scale_views
from mvgraph.errors import UserError
from mvgraph.fusion import EstimatorMethod, NetworkMethod, Tags
from mvgraph.graph import MultiViewGraph, build_graph
from mvgraph.training import FitResult, TrainingOptions, fit
from mvgraph.training.history import SMALLEST_PROBABILITY, History

N, CLASSES = 90, 3
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]


def clouds(noise: float = 1.0, seed: int = 0) -> MultiViewData:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(N) % CLASSES)
    views = {
        name: 1.5 * rng.standard_normal((CLASSES, d))[labels] + noise * rng.standard_normal((N, d))
        for name, d in (("image", 5), ("sound", 4), ("text", 3))
    }
    return MultiViewData.from_arrays(views, labels, classes=["x", "y", "z"])


@pytest.fixture(scope="module")
def data() -> MultiViewData:
    return clouds()


@pytest.fixture(scope="module")
def graph(data: MultiViewData) -> MultiViewGraph:
    return build_graph(data, k=4)


@pytest.fixture(scope="module")
def split() -> Split:
    order = np.random.default_rng(2).permutation(N)
    return Split(order[:18], order[18:36], order[36:80])


def quick(data: MultiViewData, split: Split, graph: MultiViewGraph | None, **more: Any) -> FitResult:
    training = {"epochs": 20, "evaluate_every": 4, "lr": 1e-2, **more.pop("training", {})}
    method, options = more.pop("method", "dm-gcn"), {"hidden": (16, 8), **more.pop("options", {})}
    return fit(method, data, split, graph, options=options, training=training, **more)


# -- it learns ----------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "method", ["single-gcn:image", "mean-gcn", "dm-gcn", "at-gcn", "concat-mlp", "pyg:SAGEConv"]
)
def test_training_beats_chance_and_lowers_the_loss(
    method: str, device: str, data: MultiViewData, graph: MultiViewGraph, split: Split
) -> None:
    result = quick(
        data, split, graph, method=method, training={"epochs": 60, "device": device, "evaluate_every": 10}
    )
    assert result.accuracy(data.labels, split.test) > 0.6
    losses = result.curves["train_log_loss"]
    assert losses[-1] < 0.7 * losses[0]
    assert result.probabilities().dtype == np.float32
    assert (result.peak_memory_mib["device"] is None) == (device == "cpu")


def test_real_data_reaches_the_published_neighbourhood() -> None:
    """A quick schedule on real digits; the band is wide, a bug falls out of it."""
    data = scale_views(load("mfeat").select_views(["kar", "zer", "mor"]), "zscore")
    split = make_splits(data, "label-rate", rate=0.1)[0]
    result = fit("mean-gcn", data, split, training={"epochs": 25, "lr": 1e-2, "evaluate_every": 25})
    assert 0.88 < result.accuracy(data.labels, split.test) < 0.99


# -- what one run leaves ------------------------------------------------------------------------


def test_curves_have_one_value_per_evaluation(
    data: MultiViewData, graph: MultiViewGraph, split: Split
) -> None:
    curves = quick(data, split, graph, training={"epochs": 10, "evaluate_every": 4}).curves
    assert curves["epoch"] == [4.0, 8.0, 10.0]
    thetas = {f"theta/{layer}/{view}" for layer in (1, 2) for view in data.view_names}
    parts = {f"{part}_{what}" for part in ("validation", "test") for what in ("log_loss", "accuracy")}
    assert set(curves) == {"epoch", "train_log_loss"} | parts | thetas
    assert {len(curve) for curve in curves.values()} == {3}
    assert all(type(value) is float for curve in curves.values() for value in curve)
    other = quick(data, split, graph, method="mean-gcn", training={"epochs": 10}).curves
    assert set(other) == {"epoch", "train_log_loss"} | parts


def test_curves_are_those_of_the_probabilities(
    data: MultiViewData, graph: MultiViewGraph, split: Split
) -> None:
    result = quick(data, split, graph)
    for part in ("validation", "test"):
        rows = getattr(split, part)
        p = result.probabilities("last")[rows, data.labels[rows]].astype(np.float64)
        assert result.curves[f"{part}_log_loss"][-1] == pytest.approx(-np.log(p).mean(), rel=1e-5)
        assert result.curves[f"{part}_accuracy"][-1] == result.accuracy(data.labels, rows)
    assert result.diagnostics["theta"][1]["text"] == result.curves["theta/2/text"][-1]


def test_last_validation_and_oracle_come_from_one_run() -> None:
    """The selected epoch is the lowest validation log-loss, and its answers are those of a run that ends there."""
    data = clouds(noise=3.0)
    graph, order = build_graph(data, k=4), np.random.default_rng(2).permutation(N)
    split = Split(order[:15], order[15:30], order[30:])
    training = {"epochs": 60, "evaluate_every": 2, "lr": 3e-2}
    result = quick(data, split, graph, training=training)
    curves = result.curves
    chosen = result.selections["validation"].epoch
    assert chosen == curves["epoch"][int(np.argmin(curves["validation_log_loss"]))]
    assert chosen < 60, "this data has to overfit, or the test says nothing"
    assert result.selections["last"].epoch == 60
    ended = quick(data, split, graph, training={**training, "epochs": chosen})
    np.testing.assert_array_equal(result.probabilities("validation"), ended.probabilities("last"))
    assert not np.array_equal(result.probabilities("validation"), result.probabilities("last"))
    oracle = max(curves["test_accuracy"])
    assert oracle >= result.accuracy(data.labels, split.test, "validation")
    assert oracle >= result.accuracy(data.labels, split.test, "last")


def test_the_model_keeps_the_weights_of_the_last_epoch(
    data: MultiViewData, graph: MultiViewGraph, split: Split
) -> None:
    result = quick(clouds(3.0), split, graph, training={"epochs": 60, "evaluate_every": 2, "lr": 3e-2})
    assert isinstance(result.model, NetworkMethod)
    last, chosen = (result.selections[name].state for name in ("last", "validation"))
    assert last is not None
    assert chosen is not None
    for name, value in result.model.state_dict().items():
        assert torch.equal(value, last[name])
    assert any(not torch.equal(last[name], chosen[name]) for name in last)


def test_without_validation_rows_the_last_epoch_is_selected(
    data: MultiViewData, graph: MultiViewGraph, split: Split
) -> None:
    bare = Split(split.train, np.zeros(0, dtype=np.int64), split.test)
    result = quick(data, bare, graph, training={"early_stopping": 4})
    assert result.selections["validation"].epoch == result.selections["last"].epoch == 20
    assert "validation_log_loss" not in result.curves


def test_result_describes_itself(data: MultiViewData, graph: MultiViewGraph, split: Split) -> None:
    result = quick(data, split, graph, seed=5)
    assert (result.method, result.seed, result.classes) == ("dm-gcn", 5, ("x", "y", "z"))
    assert result.training == TrainingOptions(epochs=20, evaluate_every=4, lr=1e-2).to_json()
    assert result.options["hidden"] == (16, 8)
    assert json.dumps([dict(result.options), dict(result.training), dict(result.diagnostics)])
    assert set(result.seconds) == {"training", "inference"}
    assert min(result.seconds.values()) > 0
    np.testing.assert_array_equal(result.predict(), result.probabilities().argmax(axis=1))
    with pytest.raises(UserError, match="selection='best': choose one of last, validation"):
        result.probabilities("best")


def test_an_estimator_has_no_curves(data: MultiViewData, split: Split) -> None:
    result = fit("concat-logreg", data, split)
    assert (result.curves, result.training, result.selections["last"].state) == ({}, {}, None)
    assert result.selections["last"] is result.selections["validation"]


# -- stopping -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("every", "patience"), [(1, 6), (3, 6), (4, 6)])
def test_early_stopping_counts_epochs_since_the_best(every: int, patience: int) -> None:
    data = clouds(noise=3.0)
    graph, order = build_graph(data, k=4), np.random.default_rng(2).permutation(N)
    split = Split(order[:15], order[15:30], order[30:])
    training = {"epochs": 200, "evaluate_every": every, "lr": 3e-2, "early_stopping": patience}
    result = quick(data, split, graph, training=training)
    losses, epochs = result.curves["validation_log_loss"], result.curves["epoch"]
    best = epochs[int(np.argmin(losses))]
    assert epochs[-1] < 200
    assert epochs[-1] == best + every * -(-patience // every)
    assert result.selections["validation"].epoch == best
    free = quick(data, split, graph, training={**training, "early_stopping": None, "epochs": int(epochs[-1])})
    assert free.curves == result.curves


def test_on_epoch_sees_every_evaluation_and_may_end_the_fit(
    data: MultiViewData, graph: MultiViewGraph, split: Split
) -> None:
    seen: list[tuple[int, dict[str, float]]] = []
    result = quick(data, split, graph, on_epoch=lambda epoch, figures: seen.append((epoch, figures)))
    assert [epoch for epoch, _ in seen] == result.curves["epoch"]
    assert [figures["test_accuracy"] for _, figures in seen] == result.curves["test_accuracy"]

    class Pruned(Exception):
        pass

    def prune(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 8:
            raise Pruned

    torch.manual_seed(11)
    before = torch.get_rng_state()
    with pytest.raises(Pruned):
        quick(data, split, graph, on_epoch=prune)
    assert torch.equal(torch.get_rng_state(), before), "an interrupted fit moved the global generator"
    again = quick(data, split, graph)
    np.testing.assert_array_equal(again.probabilities(), result.probabilities())


def test_evaluating_more_often_changes_no_number(
    data: MultiViewData, graph: MultiViewGraph, split: Split
) -> None:
    often = quick(data, split, graph, training={"evaluate_every": 1})
    seldom = quick(data, split, graph, training={"evaluate_every": 20})
    np.testing.assert_array_equal(often.probabilities(), seldom.probabilities())
    assert often.curves["train_log_loss"][-1] == seldom.curves["train_log_loss"][-1]


# -- seeds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
def test_one_seed_one_result(device: str, data: MultiViewData, graph: MultiViewGraph, split: Split) -> None:
    runs = [quick(data, split, graph, seed=s, training={"device": device}).probabilities() for s in (1, 1, 2)]
    if device == "cpu":
        np.testing.assert_array_equal(runs[0], runs[1])
    else:  # atomic sums on a GPU are free in their order
        np.testing.assert_allclose(runs[0], runs[1], atol=1e-3)
    assert np.abs(runs[0] - runs[2]).max() > 1e-3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_numbers_of_the_cpu(data: MultiViewData, graph: MultiViewGraph, split: Split) -> None:
    before = torch.cuda.get_rng_state()
    curves = [
        quick(data, split, graph, options={"dropout": 0.0}, training={"device": device}).curves
        for device in ("cpu", "cuda")
    ]
    for name, curve in curves[0].items():
        np.testing.assert_allclose(curves[1][name], curve, rtol=2e-3, atol=2e-3, err_msg=name)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_dropout_differs_from_epoch_to_epoch_and_seed_to_seed(
    data: MultiViewData, graph: MultiViewGraph, split: Split
) -> None:
    """With a step size of next to nothing, only dropout can move the training loss."""
    training = {"lr": 1e-12, "evaluate_every": 1, "epochs": 5}
    with_dropout = quick(data, split, graph, training=training).curves["train_log_loss"]
    without = quick(data, split, graph, training=training, options={"dropout": 0.0}).curves["train_log_loss"]
    assert len(set(with_dropout)) == 5
    assert max(without) - min(without) < 1e-6


def test_the_shuffled_control_depends_on_the_seed_alone(
    data: MultiViewData, graph: MultiViewGraph, split: Split
) -> None:
    first, again, other = (
        fit("label-spreading@shuffled", data, split, graph, seed=s).probabilities() for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# -- a run that goes wrong ----------------------------------------------------------------------


def test_a_diverged_run_still_has_probabilities_of_the_right_shape(
    data: MultiViewData, graph: MultiViewGraph, split: Split
) -> None:
    result = quick(data, split, graph, training={"lr": 1e30, "epochs": 6, "evaluate_every": 2})
    assert not np.isfinite(result.curves["validation_log_loss"][-1])
    for selection in ("last", "validation"):
        assert result.probabilities(selection).shape == (N, CLASSES)
    assert result.selections["validation"].epoch in (2, 4, 6)


def test_one_sure_mistake_keeps_the_log_loss_finite() -> None:
    split = Split(np.array([0]), np.array([1]), np.array([2]))
    history = History(split, torch.tensor([0, 1, 1]))
    model = NetworkMethod({"a": 1}, 2)
    figures = history.record(1, 0.5, torch.tensor([[1.0, 0.0], [0.0, 1.0]]), model)
    assert figures["validation_log_loss"] == pytest.approx(-np.log(SMALLEST_PROBABILITY))
    assert (figures["test_log_loss"], figures["test_accuracy"], figures["validation_accuracy"]) == (
        0.0,
        1.0,
        0.0,
    )


# -- the user's mistakes ------------------------------------------------------------------------


def test_devices_that_are_not_there(data: MultiViewData, graph: MultiViewGraph, split: Split) -> None:
    for device in ("gpu", "cuda:x", "mps", "meta", ""):
        with pytest.raises(UserError, match=rf"device='{device}': give cpu, cuda, or cuda:<number>"):
            quick(data, split, graph, training={"device": device})
    if torch.cuda.is_available():
        with pytest.raises(UserError, match=r"this torch sees \d+ CUDA devices"):
            quick(data, split, graph, training={"device": "cuda:99"})
    else:
        with pytest.raises(UserError, match="this torch sees no CUDA device; use device='cpu'"):
            quick(data, split, graph, training={"device": "cuda"})


def test_splits_that_do_not_belong(data: MultiViewData, graph: MultiViewGraph) -> None:
    with pytest.raises(
        UserError, match="The test part of the split names row 90, but the data has 90 samples"
    ):
        quick(data, Split([0, 1], [2], [3, 90]), graph)
    labels = data.labels.copy()
    labels[7] = -1
    views = {name: data.views[name] for name in data.view_names}
    partly = MultiViewData.from_arrays(views, labels, classes=data.classes)
    for parts, name in (
        (([7], [1], [2]), "train"),
        (([1], [7], [2]), "validation"),
        (([1], [2], [7]), "test"),
    ):
        with pytest.raises(UserError, match=f"Row 7 stands in the {name} part .* has no label"):
            quick(partly, Split(*parts), graph)


def test_graphs_that_do_not_belong(data: MultiViewData, graph: MultiViewGraph, split: Split) -> None:
    with pytest.raises(UserError, match="The graph has 50 nodes, the data 90 samples"):
        quick(data, split, build_graph(data.subset(np.arange(50)), k=3))
    with pytest.raises(UserError, match="no adjacency for view 'text'; it has image, sound"):
        quick(data, split, graph.select(["image", "sound"]))
    with pytest.raises(UserError, match="concat-mlp uses no graph, so a control has nothing to change"):
        quick(data, split, graph, method="concat-mlp@identity")


def test_methods_and_options_that_do_not_exist(data: MultiViewData, split: Split) -> None:
    with pytest.raises(UserError, match="Unknown method 'dmgcn'; did you mean dm-gcn"):
        fit("dmgcn", data, split)
    with pytest.raises(UserError, match="'json:loads' is neither"):
        fit("json:loads", data, split)
    with pytest.raises(UserError, match="training has no option 'epoch'"):
        fit("dm-gcn", data, split, training={"epoch": 3})
    with pytest.raises(UserError, match="has no option 'strenght'; did you mean 'strength'"):
        fit("concat-logreg", data, split, options={"strenght": 2.0})


class WrongShape(EstimatorMethod):
    name = "wrong-shape"
    tags = Tags(uses_graph=False)

    def fit(self, data: MultiViewData, split: Split, graph: Any, seed: int) -> WrongShape:
        return self

    def predict_proba(self) -> np.ndarray:
        return np.ones((2, 2))


def test_an_estimator_that_answers_for_some_rows_only(data: MultiViewData, split: Split) -> None:
    with pytest.raises(UserError, match=r"shape \(2, 2\); right is \(90, 3\)"):
        fit(WrongShape, data, split)


def test_the_default_graph_is_built_when_none_is_given(data: MultiViewData, split: Split) -> None:
    found = quick(data, split, None).probabilities()
    expected = quick(data, split, build_graph(data)).probabilities()
    np.testing.assert_array_equal(found, expected)
