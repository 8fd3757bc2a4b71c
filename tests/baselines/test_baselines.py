"""Each baseline and control against a closed form or a hand-made computation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st
from mvgraph_baselines.inner_cv import InnerFolds
from mvgraph_baselines.logistic import fit_logistic
from mvgraph_baselines.spreading import spread_labels
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import create
from mvgraph.graph import MultiViewGraph, build_graph, edits
from mvgraph.registry import Resolver, apply_control, controls
from mvgraph.training import fit

N, CLASSES = 60, 3


def make_data(missing: bool = False, seed: int = 0) -> MultiViewData:
    """View "good" tells the classes apart, "poor" barely, "noise" not at all."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(N) % CLASSES)
    centres = {"good": 3.0, "poor": 0.7, "noise": 0.0}
    views = {
        name: strength * np.eye(CLASSES)[labels] @ rng.standard_normal((CLASSES, 4))
        + rng.standard_normal((N, 4))
        for name, strength in centres.items()
    }
    observed = np.ones((N, 3), dtype=bool)
    if missing:
        rows = np.flatnonzero(rng.random(N) < 0.5)
        observed[rows, rng.integers(3, size=rows.size)] = False
    return MultiViewData.from_arrays(views, labels, observed={v: observed[:, i] for i, v in enumerate(views)})


@pytest.fixture(scope="module")
def split() -> Split:
    order = np.random.default_rng(3).permutation(N)
    return Split(order[:24], order[24:36], order[36:56])


def sklearn_probabilities(x: np.ndarray, data: MultiViewData, rows: np.ndarray, c: float = 1.0) -> np.ndarray:
    exact = x.astype(np.float64)
    model = LogisticRegression(C=c, max_iter=5000, tol=1e-10).fit(exact[rows], data.labels[rows])
    return model.predict_proba(exact)


# -- logistic regressions -----------------------------------------------------------------------


def test_concat_logreg_is_scikit_learn_on_the_views_side_by_side(split: Split) -> None:
    data = make_data()
    x = np.hstack([data.views["good"], data.views["noise"], data.views["poor"]])
    result = fit("concat-logreg", data, split, options={"strength": 0.3})
    expected = sklearn_probabilities(x, data, split.train, 0.3)
    np.testing.assert_allclose(result.probabilities(), expected, atol=1e-5)
    assert result.parameters == (12 + 1) * CLASSES


def test_late_fusion_by_hand_with_missing_views(split: Split) -> None:
    data = make_data(missing=True)
    plain = {"strength": 1.0, "temperature": 1.0}
    found = fit("late-fusion", data, split, options=plain).probabilities()
    answers = {}
    for v, view in enumerate(data.view_names):
        rows = np.array([i for i in split.train if data.observed[i, v]])
        answers[view] = sklearn_probabilities(data.views[view], data, rows)
    for i in range(N):
        seen = [answers[view][i] for v, view in enumerate(data.view_names) if data.observed[i, v]]
        np.testing.assert_allclose(found[i], sum(seen) / len(seen), atol=1e-5)
    assert not data.observed.all()


def test_late_fusion_refuses_a_view_that_cannot_be_trained_on(split: Split) -> None:
    data = make_data()
    mask = data.observed.copy()
    mask[split.train[1:], data.view_names.index("poor")] = False
    with pytest.raises(UserError, match="late-fusion: the training rows that have view 'poor'"):
        fit("late-fusion", data.with_observed(mask), split)


def test_a_class_that_no_training_row_has_gets_nothing(split: Split) -> None:
    data = make_data()
    rows = split.train[data.labels[split.train] != 1]
    found = fit("concat-logreg", data, Split(rows, split.validation, split.test)).probabilities()
    assert not found[:, 1].any()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)
    with pytest.raises(UserError, match="at least two classes"):
        fit("concat-logreg", data, Split(rows[data.labels[rows] == 0], split.validation, split.test))
    with pytest.raises(UserError, match="strength=0: give a positive inverse penalty"):
        fit("concat-logreg", data, split, options={"strength": 0})


def test_two_classes_have_one_row_of_coefficients() -> None:
    x = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    labels = np.arange(20) % 2
    model = fit_logistic(x, InnerFolds(np.arange(20), labels, np.arange(20) % 5, 3), 1.0)
    assert model.parameters == 4
    np.testing.assert_array_equal(model.answer(x)[:, 2], 0.0)
    exact = LogisticRegression(tol=1e-10).fit(x.astype(np.float64), labels)
    np.testing.assert_allclose(model.answer(x)[:, :2], exact.predict_proba(x.astype(np.float64)), atol=1e-5)


# -- best single view ---------------------------------------------------------------------------


def validation_losses(data: MultiViewData, split: Split) -> dict[str, float]:
    found = {}
    for view in data.view_names:
        p = sklearn_probabilities(data.views[view], data, split.train)[split.validation]
        found[view] = log_loss(data.labels[split.validation], p, labels=range(CLASSES))
    return found


def test_best_view_is_the_one_with_the_lowest_validation_log_loss(split: Split) -> None:
    data = make_data()
    expected = validation_losses(data, split)
    result = fit("best-view", data, split, options={"strength": 1.0})
    assert result.diagnostics["chosen_view"] == min(expected, key=expected.__getitem__) == "good"
    for view, loss in expected.items():
        assert result.diagnostics["validation_log_loss"][view] == pytest.approx(loss, rel=1e-4)
    answers = sklearn_probabilities(data.views["good"], data, split.train)
    np.testing.assert_allclose(result.probabilities(), answers, atol=1e-5)
    assert result.parameters == (4 + 1) * CLASSES


def test_only_validation_rows_choose_the_view(split: Split) -> None:
    """A view that fails on every test row is chosen all the same, and one that shines there is not."""
    data = make_data()
    views = {name: data.views[name].copy() for name in data.view_names}
    views["good"][split.test] = 100.0
    views["noise"][split.test] = 50.0 * np.eye(4)[data.labels[split.test]]
    poisoned = MultiViewData.from_arrays(views, data.labels)
    assert fit("best-view", poisoned, split).diagnostics["chosen_view"] == "good"
    views["good"][split.validation] = 100.0
    assert (
        fit("best-view", MultiViewData.from_arrays(views, data.labels), split).diagnostics["chosen_view"]
        != "good"
    )


def test_rows_without_the_chosen_view_get_the_class_frequencies(split: Split) -> None:
    data = make_data()
    lost = split.test[:5]
    mask = data.observed.copy()
    mask[lost, data.view_names.index("good")] = False
    result = fit("best-view", data.with_observed(mask), split)
    assert result.diagnostics["chosen_view"] == "good"
    counts = np.array([(data.labels[split.train] == c).sum() for c in range(CLASSES)])
    np.testing.assert_allclose(result.probabilities()[lost], np.tile(counts / 24, (5, 1)), atol=1e-6)


def test_without_validation_rows_the_training_rows_choose(split: Split) -> None:
    data = make_data()
    bare = Split(split.train, np.zeros(0, dtype=np.int64), split.test)
    assert fit("best-view", data, bare).diagnostics["chosen_view"] == "good"
    one_class = split.train[data.labels[split.train] == 0]
    with pytest.raises(UserError, match="best-view: no view has training rows of two classes"):
        fit("best-view", data, Split(one_class, split.validation, split.test))


# -- label spreading ----------------------------------------------------------------------------


def laplacian(a: np.ndarray) -> np.ndarray:
    looped = a + np.eye(len(a))
    scale = np.diag(looped.sum(axis=1) ** -0.5)
    return scale @ looped @ scale


def closed_form(s: np.ndarray, labels: np.ndarray, rows: np.ndarray, alpha: float) -> np.ndarray:
    """F* = (1 - alpha) (I - alpha S)^-1 Y (Zhou et al. 2004), rows scaled to sum to 1."""
    y = np.zeros((len(s), CLASSES))
    for i in rows:
        y[i, labels[i]] = 1.0
    f = (1 - alpha) * np.linalg.inv(np.eye(len(s)) - alpha * s) @ y
    total = f.sum(axis=1, keepdims=True)
    return np.where(total > 1e-12, f / np.maximum(total, 1e-300), 1 / CLASSES)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("average", ["laplacian", "adjacency"])
def test_label_spreading_is_the_closed_form(average: str, alpha: float, split: Split) -> None:
    data = make_data()
    graph = build_graph(data, k=4)
    a = [graph[view].to_dense().double().numpy() for view in graph.view_names]
    s = laplacian(sum(a) / 3) if average == "adjacency" else sum(laplacian(m) for m in a) / 3
    result = fit(
        "label-spreading",
        data,
        split,
        graph,
        options={"alpha": alpha, "average": average, "temperature": 1.0},
    )
    expected = closed_form(s, data.labels, split.train, alpha)
    np.testing.assert_allclose(result.probabilities(), expected, atol=5e-6)
    assert result.parameters == 0


def test_rows_that_no_label_reaches_are_uniform(split: Split) -> None:
    data = make_data()
    result = fit("label-spreading@identity", data, split, build_graph(data, k=4))
    others = np.setdiff1d(np.arange(N), split.train)
    np.testing.assert_allclose(result.probabilities()[others], 1 / CLASSES, atol=1e-7)
    np.testing.assert_array_equal(result.predict()[split.train], data.labels[split.train])


@given(seed=st.integers(0, 1000), alpha=st.floats(0.01, 0.95), n=st.integers(2, 15))
def test_spreading_on_any_graph_is_the_closed_form(seed: int, alpha: float, n: int) -> None:
    rng = np.random.default_rng(seed)
    a = np.triu(rng.random((n, n)) * (rng.random((n, n)) < 0.4), 1)
    s = laplacian(a + a.T)
    labels, rows = rng.integers(CLASSES, size=n), rng.permutation(n)[: max(1, n // 2)]
    found = spread_labels(scipy.sparse.csr_array(s), labels, rows, CLASSES, alpha)
    # A node far away holds so little that only its share, not its label, is within the tolerance.
    y = np.eye(CLASSES)[labels] * np.isin(np.arange(n), rows)[:, None]
    mass = ((1 - alpha) * np.linalg.inv(np.eye(n) - alpha * s) @ y).sum(axis=1)
    solid = (mass > 1e-3) | (mass < 1e-14)
    np.testing.assert_allclose(found[solid], closed_form(s, labels, rows, alpha)[solid], atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"alpha": 1.0}, "alpha=1.0; give a number between 0 and 1"),
        ({"alpha": 0.0}, "alpha=0.0"),
        ({"average": "median"}, "average='median'; choose laplacian or adjacency"),
    ],
)
def test_impossible_spreading_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=f"label-spreading: {says}"):
        create("label-spreading", **options)


# -- MLP ----------------------------------------------------------------------------------------


def test_concat_mlp_reads_no_graph(split: Split) -> None:
    data = make_data()
    model = create("concat-mlp", data, hidden=(5,))
    assert model.parameter_count() == 12 * 5 + 5 + 5 * CLASSES + CLASSES
    training = {"epochs": 5, "evaluate_every": 5}
    graph = build_graph(data, k=4)
    with_graph = fit("concat-mlp", data, split, graph, training=training).probabilities()
    without = fit("concat-mlp", data, split, training=training).probabilities()
    np.testing.assert_array_equal(with_graph, without)


# -- controls -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graph() -> MultiViewGraph:
    return build_graph(make_data(), k=4)


def test_identity_has_no_edges(graph: MultiViewGraph) -> None:
    lonely = controls.get("identity")(graph, 0)
    assert lonely.n_edges == dict.fromkeys(graph.view_names, 0)
    for view in graph.view_names:
        assert torch.equal(lonely.laplacian(view).to_dense(), torch.eye(N))


def test_shuffled_keeps_degrees_and_weights_and_moves_the_nodes(graph: MultiViewGraph) -> None:
    mixed = controls.get("shuffled")(graph, 4)
    again, other = controls.get("shuffled")(graph, 4), controls.get("shuffled")(graph, 5)
    for view in graph.view_names:
        before, after = graph[view].to_dense(), mixed[view].to_dense()
        assert not torch.equal(before, after)
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)
        assert torch.equal((before > 0).sum(1).sort().values, (after > 0).sum(1).sort().values)
        torch.testing.assert_close(before.sum(1).sort().values, after.sum(1).sort().values)
        assert torch.equal(after, after.T)
        torch.testing.assert_close(
            torch.linalg.eigvalsh(before.double()), torch.linalg.eigvalsh(after.double()), atol=1e-5, rtol=0
        )
        assert torch.equal(after, again[view].to_dense())
        assert not torch.equal(after, other[view].to_dense())


def test_shuffled_gives_every_view_an_order_of_its_own(graph: MultiViewGraph) -> None:
    """Equal graphs in two views part company, or all views together would still tell siblings."""
    twins = MultiViewGraph({"left": graph["good"], "right": graph["good"]})
    mixed = controls.get("shuffled")(twins, 0)
    assert not torch.equal(mixed["left"].to_dense(), mixed["right"].to_dense())


def test_controls_are_applied_by_name(split: Split, graph: MultiViewGraph) -> None:
    data = make_data()
    for name in ("identity", "shuffled"):
        by_name = fit(f"label-spreading@{name}", data, split, graph, seed=2).probabilities()
        by_hand = fit("label-spreading", data, split, controls.get(name)(graph, 2), seed=2).probabilities()
        np.testing.assert_array_equal(by_name, by_hand)


def test_controls_are_given_the_groups_and_the_split_they_ask_for(
    split: Split, graph: MultiViewGraph
) -> None:
    plain = make_data()
    clips = np.array([f"clip{row // 4}" for row in range(N)])
    data = MultiViewData.from_arrays(
        plain.views, plain.labels, groups={"clip": clips, "city": [f"city{row % 2}" for row in range(N)]}
    )
    for name, changed in (
        ("no-siblings", edits.without_group_edges(graph, clips)),
        ("inductive", edits.inductive(graph, split)),
    ):
        by_name = fit(f"label-spreading@{name}", data, split, graph, seed=2).probabilities()
        by_hand = fit("label-spreading", data, split, changed, seed=2).probabilities()
        np.testing.assert_array_equal(by_name, by_hand)
        assert changed.hash != graph.hash
    with pytest.raises(UserError, match="no groups of several rows"):
        fit("label-spreading@no-siblings", plain, split, graph)


def test_a_control_that_asks_for_more_than_there_is_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(graph: MultiViewGraph, seed: int, *, weather: str) -> MultiViewGraph:
        return graph

    monkeypatch.setattr(Resolver, "get", lambda self, name: odd)
    with pytest.raises(UserError, match="asks for 'weather'; it can be given data, split"):
        apply_control("odd", None, 0, data=1, split=2)
