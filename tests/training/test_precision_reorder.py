"""Lower precision says what it costs; renumbered nodes change nothing but memory access."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mvgraph as mv
from mvgraph.errors import UserError
from mvgraph.graph.operator import propagates_first
from mvgraph.graph.precision import dense_product, tensor_cores
from mvgraph.training import TrainingOptions
from mvgraph.training.options import REORDER_FROM
from mvgraph.training.reorder import by_locality


@pytest.fixture(scope="module")
def data() -> mv.MultiViewData:
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    views = {"a": rng.normal(size=(150, 8)) + 2 * labels[:, None], "b": rng.normal(size=(150, 5))}
    return mv.MultiViewData.from_arrays(views, labels)


@pytest.fixture(scope="module")
def split(data: mv.MultiViewData) -> mv.Split:
    return mv.make_splits(data, "label-rate", rate=0.3)[0]


def test_bfloat16_rounds_the_factors_only() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(20, 30, generator=generator), torch.randn(30, 10, generator=generator)
    exact = a.double() @ b.double()
    low, full = dense_product(a, b, "bfloat16"), dense_product(a, b, "float32")
    assert low.dtype == torch.float32
    assert 1e-4 < (low - exact).abs().max() < 0.3
    assert (full - exact).abs().max() < 1e-4
    double = dense_product(a.double(), b.double(), "bfloat16")
    torch.testing.assert_close(double, exact)


def test_tf32_is_put_back() -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    with tensor_cores("tf32"):
        assert torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cuda.matmul.allow_tf32 == before


def test_error_is_measured_and_reported(data, split) -> None:
    low = mv.fit("dm-gcn", data, split, training={"epochs": 5, "precision": "bfloat16"})
    error = low.diagnostics["precision_error"]
    assert error["precision"] == "bfloat16"
    assert 0 < error["largest_probability_difference"] < 0.1
    exact = mv.fit("dm-gcn", data, split, training={"epochs": 5})
    assert "precision_error" not in exact.diagnostics
    assert not np.array_equal(low.probabilities(), exact.probabilities())


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(UserError, match="float32, tf32, bfloat16"):
        TrainingOptions(precision="float8")


@pytest.mark.parametrize("method", ["dm-gcn", "at-gcn"])
def test_renumbered_nodes_give_the_same_answers(method: str, data, split) -> None:
    graph = mv.build_graph(data, k=5)
    plain, renumbered = (
        mv.fit(
            method,
            data,
            split,
            graph,
            options={"dropout": 0.0},
            training={"epochs": 10, "evaluate_every": 5, "reorder": reorder},
        )
        for reorder in (False, True)
    )
    np.testing.assert_allclose(renumbered.probabilities(), plain.probabilities(), atol=2e-5)
    np.testing.assert_allclose(renumbered.curves["test_log_loss"], plain.curves["test_log_loss"], rtol=1e-4)


def test_many_nodes_are_renumbered_where_it_pays() -> None:
    assert TrainingOptions().reorders(REORDER_FROM)
    assert not TrainingOptions().reorders(REORDER_FROM - 1)
    assert not TrainingOptions(batch_size=100).reorders(REORDER_FROM)
    assert not TrainingOptions(device="cuda").reorders(REORDER_FROM)
    assert not TrainingOptions(reorder=False).reorders(REORDER_FROM)
    assert TrainingOptions(reorder=True).reorders(10)
    with pytest.raises(UserError, match=r"training.reorder='often': give true, false or auto"):
        TrainingOptions(reorder="often")


def test_numbering_brings_neighbours_close(data) -> None:
    shuffled = data.subset(np.random.default_rng(1).permutation(data.n_samples))
    graph = mv.build_graph(shuffled.select_views(["a"]), k=4)
    numbering = by_locality(graph)
    assert sorted(numbering.order.tolist()) == list(range(data.n_samples))

    def distance(g: mv.MultiViewGraph) -> float:
        return float((g["a"].rows() - g["a"].indices).abs().double().mean())

    assert distance(numbering.graph(graph)) < 0.7 * distance(graph)


def test_cheaper_order_is_chosen() -> None:
    assert not propagates_first(1000, 1000, 10_000, width_in=256, width_out=128)
    assert propagates_first(1000, 1000, 10_000, width_in=128, width_out=256)
    # Few rows that read many columns: W after L touches the few rows only.
    assert propagates_first(10, 100_000, 1_000, width_in=256, width_out=128)
