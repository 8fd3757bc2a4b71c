"""Metrics against sklearn, or a slow reference where sklearn has none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.metrics import log_loss as sklearn_log_loss

from mvgraph.bench.metrics import CLIP, NAMES, ece, normalise, part_metrics


def draw(seed: int, n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.5), size=n).astype(np.float32)
    y = rng.integers(classes, size=n)
    return p, y


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 80), classes=st.integers(2, 7))
def test_against_sklearn(seed: int, n: int, classes: int) -> None:
    p, y = draw(seed, n, classes)
    found = part_metrics(p, y)
    q = normalise(p)
    guess = q.argmax(1)
    assert found["accuracy"] == pytest.approx(accuracy_score(y, guess))
    recalls = [np.mean(guess[y == c] == c) for c in sorted(set(y.tolist()))]
    assert found["macro_accuracy"] == pytest.approx(np.mean(recalls))
    if set(guess.tolist()) <= set(y.tolist()):
        assert found["macro_accuracy"] == pytest.approx(balanced_accuracy_score(y, guess))
    assert found["macro_f1"] == pytest.approx(f1_score(y, guess, average="macro", zero_division=0))
    clipped = np.clip(q, CLIP, 1)
    # sklearn divides by the row sum again, which clipping moved away from one by at most C * CLIP.
    assert found["log_loss"] == pytest.approx(
        sklearn_log_loss(y, clipped / clipped.sum(1, keepdims=True), labels=range(classes)), abs=1e-5
    )
    per_class = [
        np.mean([-np.log(clipped[i, c]) for i in range(n) if y[i] == c]) for c in sorted(set(y.tolist()))
    ]
    assert found["macro_log_loss"] == pytest.approx(np.mean(per_class))
    slow = np.mean([sum((q[i, c] - (c == y[i])) ** 2 for c in range(classes)) for i in range(n)])
    assert found["brier"] == pytest.approx(slow)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 60), classes=st.integers(2, 5))
def test_ece_against_a_loop(seed: int, n: int, classes: int) -> None:
    p, y = draw(seed, n, classes)
    q = normalise(p)
    total = 0.0
    for b in range(15):
        inside = [i for i in range(n) if b / 15 < q[i].max() <= (b + 1) / 15]
        if inside:
            right = np.mean([q[i].argmax() == y[i] for i in inside])
            total += len(inside) / n * abs(right - np.mean([q[i].max() for i in inside]))
    assert part_metrics(p, y)["ece"] == pytest.approx(total)


def test_ece_bins_are_closed_on_the_right() -> None:
    # Two rows, confidence exactly 2/3 and just above: were they in one bin, the errors would cancel.
    p = np.array([[2 / 3, 1 / 3], [0.70, 0.30]])
    y = np.array([0, 1])
    assert ece(p, y, bins=3) == pytest.approx((1 / 3 + 0.70) / 2)


def test_a_sure_mistake_costs_what_the_clip_says() -> None:
    found = part_metrics(np.array([[1.0, 0.0]]), np.array([1]))
    assert found["log_loss"] == pytest.approx(-np.log(np.finfo(np.float32).eps))


def test_classes_missing_from_the_part_do_not_count_in_macro_averages() -> None:
    p = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0]])
    found = part_metrics(p, np.array([0, 1, 1]))
    assert found["macro_accuracy"] == pytest.approx((1 + 0.5) / 2)
    assert found["macro_log_loss"] == pytest.approx((-np.log(0.9) - (np.log(0.8) + np.log(0.4)) / 2) / 2)


def test_an_empty_part_has_no_figures() -> None:
    assert part_metrics(np.zeros((0, 3)), np.zeros(0)) == dict.fromkeys(NAMES)


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [-0.1, 1.1], [0.0, 0.0], [np.inf, 0.0]])
def test_broken_probabilities_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="row 1"):
        part_metrics(np.array([[0.5, 0.5], bad]), np.array([0, 1]))


@pytest.mark.parametrize("labels", [[0, -1], [0, 2], [0]])
def test_labels_that_do_not_fit_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match=r"[Ll]abels"):
        part_metrics(np.full((2, 2), 0.5), np.array(labels))
