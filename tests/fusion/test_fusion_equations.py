"""Each method against its equations, written out in dense float64: logits and gradients, full and restricted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from fusion_dense import N_CLASSES, Problem, Weights, compare, laplacian, make_problem, propagation, randomise
from torch import Tensor

import mvgraph.graph.propagation as propagation_module
from mvgraph.fusion import create

VIEWS = [1, 2, 3, 4]
RESTRICTED = pytest.mark.parametrize("restricted", [False, True], ids=["full", "restricted"])


def relu(x: Tensor, on: bool = True) -> Tensor:
    return x.clamp(min=0) if on else x


def bias_of(w: Weights, layer: str) -> Tensor | float:
    return w.get(f"{layer}.bias", 0.0)


def classify(w: Weights, h: Tensor) -> Tensor:
    return h @ w["classifier.weight"].T + w["classifier.bias"]


def dm_gcn(w: Weights, problem: Problem, n_layers: int, activate_last: bool = True) -> Tensor:
    """Eq. 2 and 3, layers side by side into one fully connected layer."""
    h, outputs = problem.side_by_side, []
    for t in range(n_layers):
        logits = w["theta_logits"][min(t, len(w["theta_logits"]) - 1)]
        theta = logits.exp() / logits.exp().sum()
        mixed = sum(theta[v] * lap for v, lap in enumerate(problem.laplacians()))  # Eq. 2
        layer = f"stack.layers.{t}"
        z = mixed @ h @ w[f"{layer}.weight"] + bias_of(w, layer)
        h = relu(z, activate_last or t < n_layers - 1)  # Eq. 3
        outputs.append(h)
    return classify(w, torch.cat(outputs, dim=1))


def gcn(
    w: Weights, prefix: str, lap: Tensor, h: Tensor, n_layers: int, activate_last: bool = True
) -> list[Tensor]:
    """Eq. 4 (and 5): one GCN on one Laplacian."""
    outputs = []
    for t in range(n_layers):
        layer = f"{prefix}.layers.{t}"
        z = lap @ h @ w[f"{layer}.weight"] + bias_of(w, layer)
        h = relu(z, activate_last or t < n_layers - 1)
        outputs.append(h)
    return outputs


def attention(w: Weights, features: list[Tensor]) -> Tensor:
    """Importance of each feature of a node, then the weighted sum."""
    if "attention.score.weight" in w:
        scores = [f @ w["attention.score.weight"].T + w["attention.score.bias"] for f in features]
    else:
        scores = [
            torch.tanh(f @ w["attention.score.0.weight"].T + w["attention.score.0.bias"])
            @ w["attention.score.2.weight"].T
            for f in features
        ]
    exponents = [score.exp() for score in scores]
    total = sum(exponents)
    return sum(e / total * f for e, f in zip(exponents, features, strict=True))  # type: ignore[return-value]


def at_gcn(
    w: Weights, problem: Problem, t_specific: int, t_common: int, activate_last: bool = True
) -> Tensor:
    """Eq. 4-6 and the attention over the V specific features and the common one."""
    specific, common = [], []
    for v, (view, lap) in enumerate(zip(sorted(problem.adjacency), problem.laplacians(), strict=True)):
        x = problem.features.get(view, problem.side_by_side)
        h = gcn(w, f"specific.{v}", lap, x, t_specific, activate_last)[-1]
        specific.append(h)
        common.append(gcn(w, "common", lap, h, t_common, activate_last)[-1])
    return classify(w, attention(w, [*specific, sum(common) / len(common)]))  # type: ignore[list-item]


# -- DM-GCN -------------------------------------------------------------------------------------


@RESTRICTED
@pytest.mark.parametrize("hidden", [(4,), (4, 7), (9, 4, 2)], ids=str)
@pytest.mark.parametrize("n_views", VIEWS)
def test_dm_gcn_is_eq_2_and_3(n_views: int, hidden: tuple[int, ...], restricted: bool) -> None:
    problem = make_problem(n_views)
    model = create("dm-gcn", view_dims=problem.dims, n_classes=N_CLASSES, hidden=hidden)
    randomise(model)
    theta = [list(layer.values()) for layer in model.theta()]
    if n_views > 1:
        assert max(max(row) - min(row) for row in theta) > 0.1, "theta has to be far from uniform here"
    compare(model, lambda w: dm_gcn(w, problem, len(hidden)), problem, restricted)


@RESTRICTED
def test_dm_gcn_on_a_directed_graph(restricted: bool) -> None:
    problem = make_problem(3, directed=True)
    model = randomise(create("dm-gcn", view_dims=problem.dims, n_classes=N_CLASSES, hidden=(6, 8)))
    compare(model, lambda w: dm_gcn(w, problem, 2), problem, restricted)


@RESTRICTED
def test_dm_gcn_with_one_theta_for_all_layers(restricted: bool) -> None:
    problem = make_problem(3)
    model = create(
        "dm-gcn", view_dims=problem.dims, n_classes=N_CLASSES, hidden=(4, 5), theta_per_layer=False
    )
    randomise(model)
    assert model.theta_logits.shape == (1, 3)
    assert model.theta()[0] == model.theta()[1]
    compare(model, lambda w: dm_gcn(w, problem, 2), problem, restricted)


def test_theta_starts_uniform() -> None:
    problem = make_problem(4)
    model = create("dm-gcn", view_dims=problem.dims, n_classes=N_CLASSES)
    assert model.theta() == [dict.fromkeys(problem.dims, 0.25)] * 2
    assert model.diagnostics(propagation(model.double(), problem)) == {"theta": model.theta()}


# -- Mean-GCN -----------------------------------------------------------------------------------


@RESTRICTED
@pytest.mark.parametrize("n_views", VIEWS)
def test_mean_gcn_averages_the_unnormalised_adjacencies(n_views: int, restricted: bool) -> None:
    problem = make_problem(n_views)
    model = randomise(create("mean-gcn", view_dims=problem.dims, n_classes=N_CLASSES, hidden=(6, 7)))
    mean = laplacian(sum(problem.adjacency.values()) / n_views)  # type: ignore[arg-type]

    def reference(w: Weights) -> Tensor:
        return classify(w, torch.cat(gcn(w, "stack", mean, problem.side_by_side, 2), dim=1))

    compare(model, reference, problem, restricted)


@RESTRICTED
@pytest.mark.parametrize("n_views", VIEWS)
def test_mean_gcn_of_laplacians_is_dm_gcn_with_uniform_theta(n_views: int, restricted: bool) -> None:
    problem = make_problem(n_views)
    options = {"view_dims": problem.dims, "n_classes": N_CLASSES, "hidden": (6, 7)}
    model = randomise(create("mean-gcn", average="laplacian", **options))
    uniform = torch.zeros(2, n_views, dtype=torch.float64)
    compare(model, lambda w: dm_gcn({**w, "theta_logits": uniform}, problem, 2), problem, restricted)


def test_the_two_averages_differ() -> None:
    problem = make_problem(2)
    logits = []
    for average in ("adjacency", "laplacian"):
        model = create("mean-gcn", view_dims=problem.dims, n_classes=N_CLASSES, average=average)
        logits.append(randomise(model)(propagation(model, problem)))
    assert (logits[0] - logits[1]).abs().max() > 1e-3


# -- single-view GCN ----------------------------------------------------------------------------


@RESTRICTED
@pytest.mark.parametrize("view", ["audio", "image", "text"])
def test_single_gcn_sees_one_view(view: str, restricted: bool) -> None:
    problem = make_problem(3)
    model = create(f"single-gcn:{view}", view_dims=problem.dims, n_classes=N_CLASSES, hidden=(6, 6))
    randomise(model)
    lap = laplacian(problem.adjacency[view])

    def reference(w: Weights) -> Tensor:
        return classify(w, torch.cat(gcn(w, "stack", lap, problem.features[view], 2), dim=1))

    compare(model, reference, problem, restricted)


# -- AT-GCN -------------------------------------------------------------------------------------


@RESTRICTED
@pytest.mark.parametrize("n_views", VIEWS)
@pytest.mark.parametrize(
    ("hidden", "common"), [((6, 4), None), ((4,), (7, 5, 4)), ((3, 5, 4), (4,))], ids=["2+2", "1+3", "3+1"]
)
def test_at_gcn_is_eq_4_to_6_under_attention(
    n_views: int, hidden: tuple[int, ...], common: tuple[int, ...] | None, restricted: bool
) -> None:
    problem = make_problem(n_views)
    model = create("at-gcn", view_dims=problem.dims, n_classes=N_CLASSES, hidden=hidden, common_hidden=common)
    randomise(model)
    n_common = len(common or hidden)
    compare(model, lambda w: at_gcn(w, problem, len(hidden), n_common), problem, restricted)


@RESTRICTED
def test_at_gcn_with_am_gcns_scorer(restricted: bool) -> None:
    problem = make_problem(3)
    model = create("at-gcn", view_dims=problem.dims, n_classes=N_CLASSES, hidden=(6, 4), attention_hidden=16)
    randomise(model)
    assert [w.shape for w in model.attention.parameters()] == [(16, 4), (16,), (1, 16)]
    compare(model, lambda w: at_gcn(w, problem, 2, 2), problem, restricted)


def test_attention_diagnostics_are_the_mean_weights() -> None:
    problem = make_problem(2)
    model = randomise(create("at-gcn", view_dims=problem.dims, n_classes=N_CLASSES, hidden=(6, 4)))
    with torch.no_grad():
        found = model.diagnostics(propagation(model, problem))["attention"]
        stacked = model.stacked_features(propagation(model, problem))
    scores = stacked @ model.attention.score.weight.T + model.attention.score.bias
    expected = torch.softmax(scores.squeeze(-1), dim=1).mean(dim=0)
    assert list(found) == ["audio", "image", "common"]
    torch.testing.assert_close(torch.tensor(list(found.values()), dtype=torch.float64), expected)


# -- a fused graph beside the views' -------------------------------------------------------------


def with_fused_graph(problem: Problem) -> Problem:
    """One graph more than there are embeddings; its name stands between those of the views."""
    fused = laplacian(sum(problem.adjacency.values()))  # type: ignore[arg-type]
    return replace(problem, adjacency={**problem.adjacency, "fused": fused.fill_diagonal_(0.0)})


@RESTRICTED
def test_a_graph_without_embeddings_of_its_own_carries_those_of_all_views(restricted: bool) -> None:
    problem = with_fused_graph(make_problem(3))
    options = {
        "view_dims": problem.dims,
        "n_classes": N_CLASSES,
        "hidden": (6, 4),
        "graph_views": ("text", "fused", "audio", "image"),
    }
    dm = randomise(create("dm-gcn", **options))
    assert dm.theta_logits.shape == (2, 4)
    assert list(dm.theta()[0]) == ["audio", "fused", "image", "text"]
    compare(dm, lambda w: dm_gcn(w, problem, 2), problem, restricted)
    at = randomise(create("at-gcn", **options))
    compare(at, lambda w: at_gcn(w, problem, 2, 2), problem, restricted)
    single = randomise(create("single-gcn:fused", **options))
    fused = laplacian(problem.adjacency["fused"])
    compare(
        single,
        lambda w: classify(w, torch.cat(gcn(w, "stack", fused, problem.side_by_side, 2), dim=1)),
        problem,
        restricted,
    )


# -- shared by all ------------------------------------------------------------------------------


@RESTRICTED
@pytest.mark.parametrize("options", [{"activate_last": False}, {"bias": False}], ids=str)
def test_linear_last_layer_and_no_bias(options: dict[str, bool], restricted: bool) -> None:
    problem = make_problem(3)
    linear = options.get("activate_last", True)
    common = {"view_dims": problem.dims, "n_classes": N_CLASSES, "hidden": (6, 5), **options}
    single = laplacian(problem.adjacency["audio"])
    mean = laplacian(sum(problem.adjacency.values()) / 3)  # type: ignore[arg-type]
    references = {
        "dm-gcn": lambda w: dm_gcn(w, problem, 2, linear),
        "at-gcn": lambda w: at_gcn(w, problem, 2, 2, linear),
        "mean-gcn": lambda w: classify(
            w, torch.cat(gcn(w, "stack", mean, problem.side_by_side, 2, linear), dim=1)
        ),
        "single-gcn:audio": lambda w: classify(
            w, torch.cat(gcn(w, "stack", single, problem.features["audio"], 2, linear), dim=1)
        ),
    }
    for method, reference in references.items():
        model = randomise(create(method, **common))
        names = [name for name, _ in model.named_parameters() if "layers" in name]
        assert any("bias" in name for name in names) == options.get("bias", True)
        compare(model, reference, problem, restricted)


@pytest.mark.parametrize("method", ["dm-gcn", "mean-gcn", "at-gcn"])
def test_inference_in_blocks_of_rows_is_the_same(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem(3)
    options = {"average": "laplacian"} if method == "mean-gcn" else {}
    model = randomise(create(method, view_dims=problem.dims, n_classes=N_CLASSES, hidden=(6, 8), **options))
    expected = model(propagation(model, problem)).detach()
    for block in (1, 5, 17, 100):
        monkeypatch.setattr(propagation_module, "INFERENCE_BLOCK", block)
        with torch.no_grad():
            found = model(propagation(model, problem))
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_without_edges_a_graph_network_is_a_perceptron() -> None:
    """The diagonal of A~ is 1, so a node without neighbours keeps its own features whole."""
    problem = make_problem(2)
    lonely = Problem(
        problem.features,
        {view: torch.zeros_like(a) for view, a in problem.adjacency.items()},
        problem.rows,
        problem.targets,
    )
    model = randomise(create("dm-gcn", view_dims=problem.dims, n_classes=N_CLASSES, hidden=(6, 4)))
    w = dict(model.named_parameters())
    h1 = relu(problem.side_by_side @ w["stack.layers.0.weight"] + w["stack.layers.0.bias"])
    h2 = relu(h1 @ w["stack.layers.1.weight"] + w["stack.layers.1.bias"])
    expected = classify(w, torch.cat([h1, h2], dim=1))
    torch.testing.assert_close(model(propagation(model, lonely)), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", ["dm-gcn", "at-gcn", "mean-gcn", "single-gcn:audio"])
def test_a_restricted_pass_computes_few_rows(method: str) -> None:
    problem = make_problem(2, n=60)
    model = create(method, view_dims=problem.dims, n_classes=N_CLASSES, hidden=(6, 4))
    p = propagation(model, problem, restricted=True)
    view = p.view_names[0]
    sizes = [p.rows(level, view).numel() for level in range(model.n_layers + 1)]  # type: ignore[union-attr]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 3
    assert sizes[0] < 60
