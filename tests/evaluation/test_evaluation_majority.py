"""The majority class against the metrics of its predictions, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mvgraph.bench.metrics import part_metrics
from mvgraph.evaluation import majority_metrics

COUNTS = st.integers(2, 6).flatmap(
    lambda c: st.tuples(*(st.lists(st.integers(0, 12), min_size=c, max_size=c) for _ in range(2)))
)


@given(COUNTS)
def test_it_scores_what_its_predictions_score(counts: tuple[list[int], list[int]]) -> None:
    train, test = counts
    assume(sum(train) and sum(test))
    labels = np.repeat(np.arange(len(test)), test)
    frequency = np.asarray(train) / sum(train)
    expected = part_metrics(np.tile(frequency, (len(labels), 1)), labels)
    assert majority_metrics(train, test) == {name: pytest.approx(value) for name, value in expected.items()}


def test_equal_test_classes_by_hand() -> None:
    found = majority_metrics([6, 2, 2], [10, 10, 10])
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["macro_accuracy"] == pytest.approx(1 / 3)
    assert found["macro_f1"] == pytest.approx(0.5 / 3)
    assert found["log_loss"] == pytest.approx(-np.log(0.6 * 0.2 * 0.2) / 3)


@pytest.mark.parametrize(("train", "test"), [([0, 0], [1, 1]), ([1, 1], [0, 0]), ([1, 1], [1, 1, 1])])
def test_parts_without_rows_are_refused(train: list[int], test: list[int]) -> None:
    with pytest.raises(ValueError, match="training and test rows"):
        majority_metrics(train, test)
