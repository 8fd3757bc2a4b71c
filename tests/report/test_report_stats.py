"""Ranks and tests on the table of Demsar (2006, Table 6), against scipy and scikit-posthocs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from report_runs import record
from scipy import stats

from mvgraph.report.snapshot import Snapshot
from mvgraph.report.stats import compare, comparisons, holm, wilcoxon_holm
from mvgraph.report.tables import settings

METHODS = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
AUC = np.array(
    [
        [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957],
        [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978],
        [0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.000, 0.965, 0.614, 0.9751, 0.946],
        [0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.000, 0.962, 0.669, 0.975, 0.970],
    ]
).T


def as_scores(values: np.ndarray) -> dict[str, dict[str, float]]:
    return {f"set {i:02d}": dict(zip(METHODS, map(float, row), strict=True)) for i, row in enumerate(values)}


def test_average_ranks_are_those_published() -> None:
    found = compare("AUC", as_scores(AUC))
    ranks = dict(zip(found.labels, found.mean_ranks, strict=True))
    assert [round(ranks[m], 3) for m in METHODS] == [3.143, 2.000, 2.893, 1.964]
    assert found.labels[0] == "C4.5+m+cf"


def test_friedman_equals_scipy() -> None:
    found = compare("AUC", as_scores(AUC))
    expected = stats.friedmanchisquare(*AUC.T)
    assert found.friedman == pytest.approx((expected.statistic, expected.pvalue))
    assert found.friedman[1] < 0.05


def test_wilcoxon_holm_equals_scikit_posthocs() -> None:
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(12, 5)) + np.arange(5)
    expected = scikit_posthocs.posthoc_wilcoxon(pd.DataFrame(scores).T.to_numpy(), p_adjust="holm").to_numpy()
    np.testing.assert_allclose(wilcoxon_holm(scores), expected, rtol=1e-12)


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.9, 0.8])), [1.0, 1.0])


def test_equal_methods_are_not_different() -> None:
    assert wilcoxon_holm(np.ones((6, 2)))[0, 1] == 1.0


def test_few_data_sets_are_said_to_be_few() -> None:
    found = compare("AUC", as_scores(AUC[:2]))
    assert found.friedman is None
    assert found.p_values is None
    assert any("too few" in s for s in found.sentences)
    six = compare("AUC", as_scores(AUC[:6]))
    assert six.smallest_p == pytest.approx(1 / 32)
    assert any("no pair can be significant" in s for s in six.sentences)


def test_a_failure_takes_the_last_rank_and_no_part_in_the_pairs() -> None:
    scores = as_scores(AUC)
    scores["set 00"]["C4.5+m+cf"] = float("-inf")
    found = compare("AUC", scores)
    column = found.labels.index("C4.5+m+cf")
    assert found.ranks[0, column] == 4
    assert found.p_values is not None
    i, j = found.labels.index("C4.5"), column
    pair = stats.wilcoxon(AUC[1:, 3] - AUC[1:, 0]).pvalue
    assert found.p_values[i, j] >= pair
    assert np.isfinite(found.p_values).all()


def test_one_data_set_has_no_comparison_and_an_unfinished_one_no_block() -> None:
    one = [record(m, 0, a) for m, a in (("a", 0.9), ("b", 0.8))]
    assert comparisons(settings(Snapshot(suite={}, records=one)), "last") == []
    names = ("s1", "s2", "s3")
    records = [
        record(m, 0, a, dataset=d)
        for d in names
        for m, a in (("a", 0.9), ("b", 0.8))
        if (d, m) != ("s3", "b")
    ]
    missing = [{**record("b", 0, 0.0, dataset="s3"), "status": "planned"}]
    (found,) = comparisons(settings(Snapshot(suite={}, records=records, missing=missing)), "last")
    assert found.blocks == ("s1", "s2")
    assert found.waiting == ("s3",)
    assert found.mean_ranks.tolist() == [1.0, 2.0]
