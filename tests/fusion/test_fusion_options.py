"""Every ambiguity of the paper is an option that does what it says, with the published default."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fusion_dense import N_CLASSES, make_problem, propagation, randomise
from torch import Tensor

import mvgraph.fusion.dropout as dropout_module
from mvgraph.errors import UserError
from mvgraph.fusion import create
from mvgraph.fusion.layers import ConvolutionStack
from mvgraph.registry import methods

AV = {"view_dims": {"audio": 128, "visual": 64}, "n_classes": 10}
GRAPH_NETWORKS = ["dm-gcn", "mean-gcn", "at-gcn", "single-gcn:audio"]


# -- the paper's parameter counts ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "count"),
    [
        ("mean-gcn", 86_154),
        ("dm-gcn", 86_158),
        ("at-gcn", 182_795),
        ("single-gcn:audio", 35_594),
        ("single-gcn:visual", 27_402),
    ],
)
def test_parameters_equal_the_paper_to_the_unit(method: str, count: int) -> None:
    assert create(method, **AV).parameter_count() == count


def test_parameters_of_every_option() -> None:
    assert create("dm-gcn", theta_per_layer=False, **AV).parameter_count() == 86_158 - 2
    assert create("dm-gcn", bias=False, **AV).parameter_count() == 86_158 - 256 - 128
    assert create("mean-gcn", average="laplacian", **AV).parameter_count() == 86_154
    # AM-GCN's scorer: Linear(128, 16) and Linear(16, 1, no bias) instead of Linear(128, 1).
    assert create("at-gcn", attention_hidden=16, **AV).parameter_count() == 182_795 - 129 + 128 * 16 + 16 + 16
    widths = [(a, b) for a, b in ((128, 256), (256, 128), (64, 256), (256, 128), (128, 128))]
    expected = sum(a * b + b for a, b in widths) + 129 + 128 * 10 + 10
    assert create("at-gcn", common_hidden=(128,), **AV).parameter_count() == expected


# -- defaults -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["single-gcn", "mean-gcn", "dm-gcn", "at-gcn"])
def test_published_defaults(name: str) -> None:
    defaults = methods.get(name).defaults()
    published = {"dropout": 0.5, "bias": True, "activate_last": True, "dropout_layers": "first"}
    assert defaults.items() >= published.items()
    assert defaults["hidden"] == ((128, 128) if name == "single-gcn" else (256, 128))
    if name == "dm-gcn":
        more = {"theta_per_layer": True, "theta_weight_decay": False, "concatenate": "after-dropout"}
        assert defaults.items() >= more.items()
    if name == "mean-gcn":
        assert defaults["average"] == "adjacency"
    if name == "at-gcn":
        assert (defaults["attention_hidden"], defaults["common_hidden"]) == (None, None)


def test_initial_weights_are_glorot_uniform_and_biases_zero() -> None:
    model = create("mean-gcn", view_dims={"a": 500}, n_classes=4)
    weight, bias = (w.detach() for w in model.stack.layers[0].parameters())
    bound = (6 / (500 + 256)) ** 0.5
    assert float(weight.abs().max()) <= bound
    assert float(weight.abs().max()) > 0.99 * bound
    assert float(weight.var()) == pytest.approx(bound**2 / 3, rel=0.02)
    assert not bias.any()


# -- where dropout stands -----------------------------------------------------------------------


class Masks:
    """Stands in for the random masks and keeps them, so that a reference can use the same."""

    def __init__(self) -> None:
        self.given: list[Tensor] = []

    def __call__(self, shape: torch.Size, dtype: torch.dtype, p: float = 0.5) -> Tensor:
        generator = torch.Generator().manual_seed(len(self.given))
        mask = 2.0 * (torch.rand(shape, generator=generator) < 0.5).to(dtype)
        self.given.append(mask)
        return mask


@pytest.fixture
def masks(monkeypatch: pytest.MonkeyPatch) -> Masks:
    recorder = Masks()
    monkeypatch.setattr(dropout_module, "keep_mask", recorder)
    return recorder


@pytest.mark.parametrize("activate_last", [True, False])
@pytest.mark.parametrize("concatenate", ["after-dropout", "before-dropout"])
@pytest.mark.parametrize(("dropout_layers", "dropped"), [("first", [0]), ("all", [0, 1])])
def test_dropout_and_concatenation_of_dm_gcn(
    dropout_layers: str, dropped: list[int], concatenate: str, activate_last: bool, masks: Masks
) -> None:
    problem = make_problem(2)
    model = create(
        "dm-gcn",
        view_dims=problem.dims,
        n_classes=N_CLASSES,
        hidden=(6, 5, 4),
        dropout_layers=dropout_layers,
        concatenate=concatenate,
        activate_last=activate_last,
    )
    randomise(model).train()
    found = model(propagation(model, problem))
    assert [mask.shape[1] for mask in masks.given] == [(6, 5, 4)[layer] for layer in dropped]

    w = dict(model.named_parameters())
    theta = torch.softmax(w["theta_logits"], dim=1)
    h, joined = problem.side_by_side, []
    for t in range(3):
        lap = sum(theta[t, v] * matrix for v, matrix in enumerate(problem.laplacians()))
        z = lap @ h @ w[f"stack.layers.{t}.weight"] + w[f"stack.layers.{t}.bias"]
        before = z.clamp(min=0) if t < 2 or activate_last else z
        h = before * masks.given[dropped.index(t)] if t in dropped else before
        joined.append(h if concatenate == "after-dropout" else before)
    expected = torch.cat(joined, dim=1) @ w["classifier.weight"].T + w["classifier.bias"]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("dropout_layers", "widths"), [("first", [6]), ("all", [6, 5])])
@pytest.mark.parametrize("method", ["mean-gcn", "single-gcn:audio"])
def test_dropout_stands_after_the_layers_named(
    method: str, dropout_layers: str, widths: list[int], masks: Masks
) -> None:
    problem = make_problem(2)
    model = create(
        method,
        view_dims=problem.dims,
        n_classes=N_CLASSES,
        hidden=(6, 5, 4),
        dropout_layers=dropout_layers,
    )
    randomise(model).train()(propagation(model, problem))
    assert [mask.shape[1] for mask in masks.given] == widths


def test_dropout_of_at_gcn_stands_in_every_stack(masks: Masks) -> None:
    problem = make_problem(2)
    model = create("at-gcn", view_dims=problem.dims, n_classes=N_CLASSES, hidden=(6, 4), common_hidden=(5, 4))
    randomise(model).train()(propagation(model, problem))
    assert sorted(mask.shape[1] for mask in masks.given) == [5, 5, 6, 6]


@pytest.mark.parametrize("method", [*GRAPH_NETWORKS, "pyg:GCNConv", "concat-mlp"])
def test_dropout_zero_trains_as_it_predicts(method: str) -> None:
    problem = make_problem(2)
    model = randomise(create(method, view_dims=problem.dims, n_classes=N_CLASSES, hidden=(6, 4), dropout=0.0))
    predicted = model(propagation(model, problem))
    trained = model.train()(propagation(model, problem))
    assert torch.equal(predicted, trained)


# -- theta's weight decay -----------------------------------------------------------------------


@pytest.mark.parametrize(("option", "decay"), [(False, 0.0), (True, 0.3)])
def test_theta_is_exempt_from_weight_decay_unless_asked(option: bool, decay: float) -> None:
    model = create("dm-gcn", theta_weight_decay=option, **AV)
    groups = model.parameter_groups(0.3)
    theta = [g for g in groups if any(p is model.theta_logits for p in g["params"])]
    others = [g for g in groups if g is not theta[0]]
    assert [g["weight_decay"] for g in theta] == [decay]
    assert theta[0]["params"] == [model.theta_logits]
    assert [g["weight_decay"] for g in others] == [0.3]
    ids = [id(p) for g in groups for p in g["params"]]
    assert sorted(ids) == sorted(id(p) for p in model.parameters())


# -- the user's mistakes ------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*GRAPH_NETWORKS, "pyg", "concat-mlp"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"hidden": ()}, r"hidden=\(\): give one or more positive layer widths"),
        ({"hidden": (8, 0)}, r"hidden=\(8, 0\)"),
        ({"hidden": 256}, "hidden=256"),
        ({"hidden": "256"}, "hidden='256'"),
        ({"hidden": (8, 2.5)}, r"hidden=\(8, 2.5\)"),
        ({"dropout": 1.0}, "dropout=1.0: give a rate"),
        ({"dropout": -0.5}, "dropout=-0.5"),
        ({"hiden": (8,)}, "has no option 'hiden'; did you mean 'hidden'"),
    ],
    ids=str,
)
def test_impossible_options_are_refused_in_a_sentence(
    method: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        create(method, view_dims={"audio": 3, "video": 2}, n_classes=2, **options)


def test_words_that_are_no_choice_are_refused() -> None:
    for method, options, says in (
        ("dm-gcn", {"concatenate": "during"}, "choose one of after-dropout, before-dropout"),
        ("dm-gcn", {"dropout_layers": "last"}, "choose one of first, all"),
        ("mean-gcn", {"average": "median"}, "choose one of adjacency, laplacian"),
        ("at-gcn", {"common_hidden": (64,)}, "hidden ends in 128 and common_hidden in 64"),
        ("at-gcn", {"common_hidden": ()}, "common_hidden=()"),
        ("single-gcn", {}, "single-gcn uses one view: name one of audio, visual, e.g. single-gcn:audio"),
        ("single-gcn", {"view": "smell"}, "no view 'smell'; the views are audio, visual"),
    ):
        with pytest.raises(UserError) as caught:
            create(method, **options, **AV)
        assert says in str(caught.value)


def test_a_single_view_needs_no_name() -> None:
    model = create("single-gcn", view_dims={"only": 3}, n_classes=2)
    assert model.view == "only"


def test_activation_between_layers_cannot_be_turned_off() -> None:
    stack = ConvolutionStack((3, 4, 5), activate_last=False, dropout=0.0)
    h = -torch.ones(2, 4)
    assert not stack.finish(0, h.clone()).any()
    assert torch.equal(stack.finish(1, h.clone()), h)
