"""Checks that labels which a method must not see do not matter."""

from __future__ import annotations

import numpy as np

from mvgraph.contract.case import MethodCase
from mvgraph.contract.result import require
from mvgraph.contract.synthetic import blobs, graph_of, outside, relabelled, split_of


def test_labels_change_nothing(case: MethodCase) -> None:
    """Poisoned test labels alter no probability of any row under any selection rule."""
    data = blobs()
    split, graph = split_of(data), graph_of(data)
    honest = case.fit(data, split, graph)
    shuffled, another = data.labels.copy(), data.labels.copy()
    shuffled[split.test] = np.random.default_rng(0).permutation(shuffled[split.test])
    another[split.test] = (another[split.test] + 1) % data.n_classes
    for how, labels in (("permuted", shuffled), ("set to another class", another)):
        poisoned = case.fit(relabelled(data, labels), split, graph)
        for selection in honest.selections:
            changed = (honest.probabilities(selection) != poisoned.probabilities(selection)).any(axis=1)
            require(
                not changed.any(),
                f"with the test labels {how} the probabilities of {int(changed.sum())} rows change (selection "
                f"{selection}): the method reads labels of test rows.",
            )


def unlabelled_rows_change_nothing(case: MethodCase) -> None:
    """Rows outside the split may be unlabelled, and their labels are not read when they are there."""
    data = blobs()
    split, graph = split_of(data), graph_of(data)
    labels = data.labels.copy()
    labels[outside(data, split)] = -1
    honest = case.fit(relabelled(data, labels), split, graph).probabilities()
    labelled = case.fit(data, split, graph).probabilities()
    require(
        np.array_equal(honest, labelled),
        "labels of rows that stand in no part of the split change the probabilities.",
    )


# The name is the check's, not pytest's.
test_labels_change_nothing.__test__ = False  # type: ignore[attr-defined]
