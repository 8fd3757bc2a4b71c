"""scikit-learn's own checks, on one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from mvgraph.serving import MultiViewClassifier

#: The only exception, and only with the default mark of unlabelled rows.
MINUS_ONE = {
    "check_classifiers_classes": "it has a class called -1, which by default marks rows without a label; "
    "scikit-learn excuses its own semi-supervised classifiers from that, and with unlabelled=None it passes"
}


def expected(estimator: MultiViewClassifier) -> dict[str, str]:
    return {} if estimator.unlabelled is None else MINUS_ONE


@parametrize_with_checks(
    [
        MultiViewClassifier(epochs=40, lr=1e-2),
        MultiViewClassifier(epochs=40, lr=1e-2, unlabelled=None),
        MultiViewClassifier("label-spreading", unlabelled=None),
        MultiViewClassifier("snf", unlabelled=None),
        MultiViewClassifier("concat-logreg", unlabelled=None),
        MultiViewClassifier("mlp-late", options={"hidden": [16]}, epochs=40, lr=1e-2, unlabelled=None),
    ],
    expected_failed_checks=expected,
)
@pytest.mark.filterwarnings("ignore:View 'view0' has .* rows, too few for k:UserWarning")
def test_check_estimator(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_the_exception_is_needed() -> None:
    """A reason that no longer holds must not stay on the list."""
    from sklearn.utils.estimator_checks import check_classifiers_classes

    with pytest.raises(ValueError, match="if it is a class of yours, set unlabelled=None"):
        check_classifiers_classes("MultiViewClassifier", MultiViewClassifier("concat-logreg"))
