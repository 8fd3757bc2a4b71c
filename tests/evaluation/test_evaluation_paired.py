"""The corrected resampled t-test against a published example, a plain reference, and what must always hold."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from mvgraph.evaluation import LEAST_SPLITS, paired_test

DIFFERENCES = st.lists(st.floats(-1, 1).map(lambda x: round(x, 6)), min_size=LEAST_SPLITS, max_size=30)


def reference(differences: list[float], train: int, test: int) -> tuple[float, float, float]:
    """(p, low, high) by loops over float64 and scipy's Student distribution."""
    n = len(differences)
    mean = sum(differences) / n
    variance = sum((d - mean) ** 2 for d in differences) / (n - 1)
    error = math.sqrt(variance * (1 / n + test / train))
    student = stats.t(n - 1)
    quantile = student.ppf(0.975)
    return 2 * student.sf(abs(mean) / error), mean - quantile * error, mean + quantile * error


def test_the_published_example() -> None:
    """scikit-learn's "Statistical comparison of models using grid search": t = 0.750, one-sided p = 0.227."""
    from sklearn.datasets import make_moons
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
    from sklearn.svm import SVC

    x, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear = (
        cross_val_score(SVC(kernel=kernel, random_state=0), x, y, cv=folds, scoring="roc_auc")
        for kernel in ("rbf", "linear")
    )
    found = paired_test((rbf - linear).tolist(), [90] * 100, [10] * 100)
    assert found.p is not None
    assert found.p / 2 == pytest.approx(0.227, abs=5e-4)
    assert stats.t(99).isf(found.p / 2) == pytest.approx(0.750, abs=5e-4)
    assert found.verdict == "level"


@given(DIFFERENCES, st.integers(1, 1000), st.integers(1, 1000))
def test_it_equals_the_reference(differences: list[float], train: int, test: int) -> None:
    assume(np.std(differences) > 1e-4)
    found = paired_test(differences, [train] * len(differences), [test] * len(differences))
    p, low, high = reference(differences, train, test)
    assert found.p == pytest.approx(p, rel=1e-7, abs=1e-12)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    # The test is significant exactly where the interval leaves zero out.
    assume(abs(p - 0.05) > 1e-6)
    assert (found.verdict == "level") == (low <= 0 <= high)


@given(DIFFERENCES)
def test_swapping_the_methods_turns_everything_round(differences: list[float]) -> None:
    sizes = [80] * len(differences), [20] * len(differences)
    a, b = paired_test(differences, *sizes), paired_test([-d for d in differences], *sizes)
    turned = {"higher": "lower", "lower": "higher", "level": "level", "none": "none"}
    assert b.verdict == turned[a.verdict]
    if a.p is not None:
        assert a.low is not None
        assert a.high is not None
        assert b.p == pytest.approx(a.p)
        assert (b.low, b.high) == (pytest.approx(-a.high), pytest.approx(-a.low))


@given(DIFFERENCES, st.floats(-1, 1))
def test_adding_a_constant_moves_the_interval_and_keeps_its_width(
    differences: list[float], more: float
) -> None:
    assume(np.std(differences) > 1e-3)
    sizes = [80] * len(differences), [20] * len(differences)
    a, b = paired_test(differences, *sizes), paired_test([d + more for d in differences], *sizes)
    assert a.low is not None
    assert a.high is not None
    assert (b.low, b.high) == (pytest.approx(a.low + more), pytest.approx(a.high + more))


def test_more_test_rows_and_fewer_training_rows_are_worth_less() -> None:
    values = [0.01, 0.02, 0.03, 0.02, 0.02]
    tight, wide = (paired_test(values, [train] * 5, [test] * 5) for train, test in ((90, 10), (10, 90)))
    assert (tight.verdict, wide.verdict) == ("higher", "level")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = stats.ttest_1samp(values, 0).pvalue
    assert tight.p is not None
    assert tight.p > plain, "the correction makes a plain t-test stricter"


def test_folds_of_unequal_size_count_by_their_sums() -> None:
    values = [0.01, 0.02, 0.03, 0.02, 0.02]
    uneven = paired_test(values, [80, 80, 80, 81, 81], [21, 21, 21, 20, 20])
    p, low, high = reference(values, 402, 103)
    assert (uneven.p, uneven.low, uneven.high) == (pytest.approx(p), pytest.approx(low), pytest.approx(high))


def test_fewer_than_five_splits_give_no_verdict_however_clear() -> None:
    for splits in range(1, LEAST_SPLITS):
        values = [0.5 + 0.001 * i for i in range(splits)]
        found = paired_test(values, [90] * splits, [10] * splits)
        assert (found.verdict, found.p, found.low, found.high) == ("none", None, None, None)
        assert "no verdict from fewer than 5" in found.reason
    values = [0.5 + 0.001 * i for i in range(LEAST_SPLITS)]
    assert paired_test(values, [90] * 5, [10] * 5).verdict == "higher"


def test_differences_without_spread_are_told_and_not_tested() -> None:
    same = paired_test([0.1 + 0.2, 0.3, 0.3, 0.3, 0.3], [90] * 5, [10] * 5)
    assert (same.verdict, same.p) == ("none", None)
    assert "same on every split" in same.reason
    zero = paired_test([0.0] * 5, [90] * 5, [10] * 5)
    assert (zero.verdict, zero.low, zero.high, zero.p) == ("level", 0.0, 0.0, 1.0)


def test_unknown_sizes_give_no_verdict() -> None:
    found = paired_test([0.1, 0.2, 0.3, 0.2, 0.2], [90, None, 90, 90, 90], [10] * 5)
    assert (found.verdict, found.low) == ("none", None)
    assert "sizes" in found.reason


@pytest.mark.parametrize("values", [[], [float("nan")] * 5])
def test_no_differences_are_the_callers_mistake(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite differences"):
        paired_test(values, [90] * len(values), [10] * len(values))
