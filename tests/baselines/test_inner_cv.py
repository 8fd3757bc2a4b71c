"""Cross-validation inside the training rows: who judges whom, temperatures, and the choices they lead to."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mvgraph_baselines.inner_cv import InnerFolds, fit_temperature, inner_folds, log_loss, logits_of, tempered
from mvgraph_baselines.logistic import fit_logistic
from mvgraph_baselines.radial import RadialKernel
from mvgraph_baselines.spreading import solve
from mvgraph_baselines.stacking import greedy_weights
from mvgraph_baselines.svm import Settings, fit_machine
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.training import fit


def data_of(labels: np.ndarray, seed: int = 0, **more: object) -> MultiViewData:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((len(labels), 3)) + np.asarray(labels)[:, None]
    return MultiViewData.from_arrays({"a": x, "b": x[:, :2] ** 2}, labels, **more)  # type: ignore[arg-type]


@given(seed=st.integers(0, 200), n=st.integers(4, 60), classes=st.integers(2, 5), folds=st.integers(2, 6))
def test_every_model_knows_every_class_and_no_row_that_it_judges(
    seed: int, n: int, classes: int, folds: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), np.arange(classes), rng.integers(classes, size=n)])
    n = len(labels)
    data = data_of(labels, seed)
    rows = np.sort(rng.permutation(n)[: max(3, n // 2)])
    if len(np.unique(labels[rows])) < 2:
        return
    rest = np.setdiff1d(np.arange(n), rows)
    found = inner_folds(data, Split(rows, [], rest), folds)
    np.testing.assert_array_equal(np.sort(found.rows), rows)
    np.testing.assert_array_equal(found.labels, data.labels[found.rows])
    judged = np.zeros(len(rows), dtype=int)
    for fitted, held in found.parts:
        assert set(fitted) | set(held) == set(range(len(rows)))
        assert not set(fitted) & set(held)
        np.testing.assert_array_equal(np.unique(found.labels[fitted]), found.seen)
        judged[held] += 1
    counts = np.bincount(found.labels)
    # A class with two rows or more is dealt to two folds or more; a single row is judged in none.
    np.testing.assert_array_equal(judged, np.where(counts[found.labels] > 1, 1, 0))
    for code in found.seen:
        in_folds = np.bincount(found.number[found.labels == code], minlength=folds)
        assert in_folds.max() - in_folds.min() <= 1


def test_few_rows_are_left_out_one_by_one_and_many_in_fewer_folds() -> None:
    few = data_of(np.append(np.repeat(np.arange(4), 3), 0))
    assert len(inner_folds(few, Split(np.arange(12), [], [12])).parts) == 12
    more = data_of(np.arange(60) % 3)
    assert len(inner_folds(more, Split(np.arange(59), [], [59])).parts) == 5


def test_folds_follow_the_rows_when_they_are_renumbered_and_ignore_other_labels() -> None:
    data = data_of(np.arange(40) % 3)
    split = Split(np.arange(0, 40, 2), [1, 3], np.arange(5, 40, 2))
    first = inner_folds(data, split)
    order = np.random.default_rng(1).permutation(40)
    where = np.argsort(order)
    second = inner_folds(
        data.subset(order), Split(where[split.train], [where[1], where[3]], where[split.test])
    )
    np.testing.assert_array_equal(order[second.rows], first.rows)
    np.testing.assert_array_equal(second.number, first.number)
    labels = data.labels.copy()
    labels[split.test] = (labels[split.test] + 1) % 3
    np.testing.assert_array_equal(inner_folds(data_of(labels), split).seen, first.seen)


def test_groups_that_the_split_keeps_together_stay_together() -> None:
    labels = np.arange(60) % 3
    clips = np.array([f"clip{row // 3}" for row in range(60)])
    data = data_of(labels, groups={"clip": clips})
    apart = inner_folds(data, Split(np.arange(36), [], np.arange(36, 60)), 4)
    for clip in np.unique(clips[:36]):
        assert len(np.unique(apart.number[clips[apart.rows] == clip])) == 1
    assert len(apart.parts) == 4
    mixed = inner_folds(data, Split(np.arange(0, 60, 2), [], np.arange(1, 60, 2)), 4)
    together = [len(np.unique(mixed.number[clips[mixed.rows] == clip])) for clip in np.unique(clips)]
    assert max(together) > 1


# -- temperature --------------------------------------------------------------------------------


def test_temperature_is_the_lowest_of_a_fine_grid() -> None:
    rng = np.random.default_rng(0)
    truth = 2.0 * rng.standard_normal((400, 4))
    labels = (truth + rng.gumbel(size=truth.shape)).argmax(axis=1)
    seen = np.arange(4)
    for factor in (0.1, 1.0, 7.0):
        found = fit_temperature(factor * truth, labels, seen)
        grid = np.exp(np.linspace(np.log(0.01), np.log(100), 4001))
        losses = []
        for temperature in grid:
            p = tempered(factor * truth, temperature, seen)
            target = np.full(p.shape, 1 / 402 / 3)
            target[np.arange(400), labels] = 401 / 402
            losses.append(-(target * np.log(p)).sum())
        assert found == pytest.approx(grid[int(np.argmin(losses))], rel=5e-3)
        # The logits were made at temperature `factor`.
        assert found == pytest.approx(factor, rel=0.2)


def test_temperatures_at_their_limits() -> None:
    logits = logits_of(np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]]))
    everything = np.arange(3)
    np.testing.assert_allclose(tempered(logits, 1.0, everything), np.exp(logits), atol=1e-12)
    np.testing.assert_allclose(tempered(logits, 1e9, everything), 1 / 3, atol=1e-8)
    np.testing.assert_allclose(tempered(logits, 1e-3, everything), np.eye(3)[[0, 1]], atol=1e-12)
    part = tempered(logits, 2.0, np.array([0, 2]))
    assert not part[:, 1].any()
    np.testing.assert_allclose(part.sum(axis=1), 1.0)
    # Nothing judged, or nothing to choose from: as it was.
    assert fit_temperature(np.full((3, 2), np.nan), np.zeros(3, dtype=int), np.arange(2)) == 1.0
    assert fit_temperature(np.zeros((3, 2)), np.zeros(3, dtype=int), np.array([0])) == 1.0
    # Right every time is no certainty: 20 rows make no more than 21 of 22.
    sure = fit_temperature(np.eye(2)[np.arange(20) % 2], np.arange(20) % 2, np.arange(2))
    assert tempered(np.array([[1.0, 0.0]]), sure, np.arange(2))[0, 0] == pytest.approx(21 / 22, abs=1e-4)
    assert np.isinf(log_loss(np.full((2, 2), np.nan), np.zeros(2, dtype=int)))


# -- logistic regression ------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("width", [4, 80])
def test_out_of_fold_answers_and_the_optimum_are_scikit_learns(classes: int, width: int) -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(36) % classes
    x = rng.standard_normal((36, width)) + 0.3 * labels[:, None]
    folds = InnerFolds(np.arange(36), labels, np.arange(36) // 3 % 4, classes)
    model = fit_logistic(x, folds, 0.3)
    assert model.parameters == (width + 1) * (1 if classes == 2 else classes)
    for number in range(4):
        held = folds.number == number
        exact = LogisticRegression(C=0.3, tol=1e-10, max_iter=5000).fit(x[~held], labels[~held])
        np.testing.assert_allclose(model.out_of_fold[held], exact.predict_proba(x[held]), atol=2e-3)
    exact = LogisticRegression(C=0.3, tol=1e-10, max_iter=5000).fit(x, labels)
    np.testing.assert_allclose(model.coefficients, exact.coef_, atol=1e-4)
    np.testing.assert_allclose(model.answer(x), exact.predict_proba(x), atol=1e-4)


def bags_of_words() -> tuple[MultiViewData, Split]:
    """2000 words in two views, rare ones too, texts of unequal length and classes of unequal size; z-scored over
    all 300 texts, of which 45 are labelled."""
    rng = np.random.default_rng(1)
    n, words = 300, 2000
    labels = rng.choice(5, size=n, p=[0.4, 0.2, 0.2, 0.1, 0.1])
    rate = np.tile(0.006 * rng.pareto(1.2, words).clip(0.02, 20), (5, 1))
    for c in range(5):
        rate[c, rng.permutation(words)[: words // 12]] *= 10
    x = rng.poisson(rate[labels] * rng.lognormal(0, 1.0, (n, 1))).astype(float)
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return MultiViewData.from_arrays({"text": x[:, :1000], "title": x[:, 1000:]}, labels), Split(
        np.arange(45), [], np.arange(45, n)
    )


def test_the_chosen_penalty_rescues_wide_sparse_counts() -> None:
    data, split = bags_of_words()
    chosen = fit("concat-logreg", data, split)
    fixed = fit("concat-logreg", data, split, options={"strength": 1.0})
    assert chosen.diagnostics["strength"] < 0.1
    gain = chosen.accuracy(data.labels, split.test) - fixed.accuracy(data.labels, split.test)
    assert gain > 0.1, gain
    held = split.test
    losses = [log_loss(r.probabilities()[held], data.labels[held]) for r in (chosen, fixed)]
    assert losses[0] < losses[1]


def test_the_chosen_penalty_does_not_depend_on_the_unit() -> None:
    data, split = bags_of_words()
    views = {view: 1000.0 * data.views[view] for view in data.view_names}
    scaled = fit("concat-logreg", MultiViewData.from_arrays(views, data.labels), split)
    plain = fit("concat-logreg", data, split)
    assert scaled.accuracy(data.labels, split.test) == pytest.approx(
        plain.accuracy(data.labels, split.test), abs=0.05
    )


# -- support vector machines, spreading, selection ----------------------------------------------


def test_a_kernel_is_the_loop_over_views_that_both_rows_have() -> None:
    rng = np.random.default_rng(2)
    views = [rng.standard_normal((9, d)) for d in (3, 5)]
    observed = rng.random((9, 2)) > 0.3
    observed[~observed.any(axis=1), 0] = True
    kernel = RadialKernel(views, observed)
    table = kernel.table(kernel.squared(views, observed), observed, 0.7)
    for i, j in itertools.product(range(9), range(9)):
        total = 0.0
        for v, x in enumerate(views):
            rows = np.flatnonzero(observed[:, v])
            pairs = [((x[a] - x[b]) ** 2).sum() for a in rows for b in rows if a != b]
            if observed[i, v] and observed[j, v]:
                total += np.exp(-0.7 * ((x[i] - x[j]) ** 2).sum() / np.mean(pairs))
        expected = total / np.sqrt(observed[i].sum() * observed[j].sum())
        assert table[i, j] == pytest.approx(expected, rel=1e-10)
    assert np.linalg.eigvalsh(table).min() > -1e-10
    blocks = np.concatenate([part for _, part in kernel.to(views, observed, 0.7)])
    np.testing.assert_allclose(blocks, table)
    with pytest.raises(UserError, match="concat-svm: kernels over 9 training rows take"):
        kernel.check_memory("concat-svm", 1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_machine_is_scikit_learns_and_its_scores_the_sum_of_pairs(classes: int) -> None:
    rng = np.random.default_rng(3)
    labels = np.arange(30) % classes
    x = rng.standard_normal((30, 4)) + labels[:, None]
    folds = InnerFolds(np.arange(30), labels, np.arange(30) // 3 % 5, classes)
    ones = np.ones((30, 1), dtype=bool)
    kernel = RadialKernel([x], ones)
    found = fit_machine("concat-svm", kernel, folds, Settings(2.0, 0.5, 0.8)).answer([x], ones)
    gamma = 0.5 / kernel.scales[0]
    model = SVC(C=2.0, gamma=gamma, decision_function_shape="ovo", tol=1e-6).fit(x, labels)
    values = model.decision_function(x)
    scores = np.zeros((30, classes))
    if classes == 2:
        scores[:, 1] = values
    for pair, (i, j) in enumerate(itertools.combinations(range(classes), 2)):
        if classes > 2:
            scores[:, i] += values[:, pair]
            scores[:, j] -= values[:, pair]
    raised = np.exp(scores / 0.8)
    np.testing.assert_allclose(found, raised / raised.sum(axis=1, keepdims=True), atol=2e-3)


def test_conjugate_gradients_solve_the_spreading() -> None:
    rng = np.random.default_rng(4)
    a = np.triu(rng.random((25, 25)) * (rng.random((25, 25)) < 0.3), 1)
    a = a + a.T + np.eye(25)
    scale = np.diag(a.sum(axis=1) ** -0.5)
    s = scale @ a @ scale
    known = np.concatenate([rng.random((25, 3)), np.zeros((25, 1))], axis=1)
    for alpha in (0.1, 0.9, 0.99):
        exact = (1 - alpha) * np.linalg.solve(np.eye(25) - alpha * s, known)
        np.testing.assert_allclose(solve(csr_array(s), known, alpha, 1e-10), exact, atol=1e-8)


def test_greedy_selection_is_the_loop_of_caruana() -> None:
    rng = np.random.default_rng(6)
    labels = rng.integers(3, size=40)
    logits = rng.standard_normal((5, 40, 3)) + 1.5 * np.eye(3)[labels] * rng.random((5, 1, 1))
    inside = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    picked: list[int] = []
    history = []
    for _ in range(12):
        losses = [log_loss(inside[[*picked, m]].mean(axis=0), labels) for m in range(5)]
        picked.append(int(np.argmin(losses)))
        history.append(min(losses))
    counts = np.bincount(picked[: int(np.argmin(history)) + 1], minlength=5)
    np.testing.assert_allclose(greedy_weights(inside, labels, 12), counts / counts.sum())
    np.testing.assert_allclose(greedy_weights(np.full((2, 3, 2), np.nan), np.zeros(3, dtype=int), 5), 0.5)


NEW = (
    "concat-logreg",
    "late-fusion",
    "best-view",
    "knn-concat",
    "gcca",
    "concat-svm",
    "average-kernel-svm",
    "majority-class",
)


@pytest.mark.parametrize("method", [*NEW, "extra-trees", "stacking", "hist-gradient-boosting"])
def test_tiny_classes_and_a_class_without_training_rows(method: str) -> None:
    """One row of class 1, two of class 2, none of class 3: no crash, no NaN, nothing for class 3."""
    labels = np.array([0] * 8 + [1] + [2] * 2 + [0, 1, 2, 3, 3])
    data = data_of(labels)
    small = {"extra-trees": {"trees": 5}, "stacking": {"trees": 5}, "hist-gradient-boosting": {"max_iter": 5}}
    result = fit(method, data, Split(np.arange(11), [], np.arange(11, 16)), options=small.get(method, {}))
    found = result.probabilities()
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)
    assert not found[:, 3].any()
