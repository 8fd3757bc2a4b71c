"""What a search may see."""

from __future__ import annotations

import numpy as np
import pytest

from mvgraph.data import MultiViewData, Split, make_splits
from mvgraph.errors import UserError
from mvgraph.tuning.inner import InnerSplit, blinded, inner_splits


def test_labels_outside_training_and_validation_are_absent(data: MultiViewData, split: Split) -> None:
    hidden = blinded(data, split)
    seen = np.concatenate([split.train, split.validation])
    assert (hidden.labels[seen] == data.labels[seen]).all()
    assert (np.delete(hidden.labels, seen) == -1).all()
    assert hidden.classes == data.classes
    assert not hidden.official_splits
    assert all((hidden.views[name] == data.views[name]).all() for name in data.view_names)


def test_poisoned_test_labels_leave_no_trace(data: MultiViewData, split: Split) -> None:
    labels = np.array(data.labels)
    labels[split.test] = (labels[split.test] + 1) % 3
    views = {name: data.views[name] for name in data.view_names}
    poisoned = MultiViewData.from_arrays(views, labels, ids=data.ids, groups=data.groups, card=data.card)
    assert poisoned.fingerprint.digest != data.fingerprint.digest
    assert blinded(poisoned, split).fingerprint.digest == blinded(data, split).fingerprint.digest


@pytest.mark.parametrize("n", [1, 2, 5])
def test_inner_splits_divide_the_labelled_rows(data: MultiViewData, split: Split, n: int) -> None:
    found = inner_splits(blinded(data, split), split, n, seed=3)
    rows = np.sort(np.concatenate([split.train, split.validation]))
    assert len(found) == n
    assert len({s.hash for s in found}) == n
    assert (found[0].train == split.train).all()
    for inner in found:
        assert inner.test.size == 0
        assert (np.sort(np.concatenate([inner.train, inner.validation])) == rows).all()
        assert inner.validation.size == split.validation.size
        assert set(data.labels[inner.train]) == {0, 1, 2}
    again = inner_splits(blinded(data, split), split, n, seed=3)
    assert [s.hash for s in again] == [s.hash for s in found]


def test_another_seed_divides_otherwise(data: MultiViewData, split: Split) -> None:
    hidden = blinded(data, split)
    first, second = (inner_splits(hidden, split, 3, seed)[1:] for seed in (0, 1))
    assert [s.hash for s in first] != [s.hash for s in second]


def test_groups_stay_together(data: MultiViewData) -> None:
    outer = make_splits(data, "group", group="clip", test=0.3, validation=0.3, n=1)[0]
    for inner in inner_splits(blinded(data, outer), outer, 3, seed=0):
        clips = data.groups["clip"]
        assert set(clips[inner.train]).isdisjoint(clips[inner.validation])


def test_a_split_without_validation_rows_gets_some(data: MultiViewData, split: Split) -> None:
    rows = np.concatenate([split.train, split.validation])
    outer = Split(rows, np.zeros(0, dtype=np.int64), split.test)
    inner = inner_splits(blinded(data, outer), outer, 2, seed=0)
    assert all(s.validation.size == round(0.2 * rows.size) for s in inner)


def test_no_inner_split_is_refused(data: MultiViewData, split: Split) -> None:
    with pytest.raises(UserError, match="at least 1 inner split"):
        inner_splits(blinded(data, split), split, 0, seed=0)


def test_only_inner_splits_may_lack_a_test_part(split: Split) -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert InnerSplit(split.train, split.validation, nothing).test.size == 0
    with pytest.raises(UserError, match="test part of a split is empty"):
        Split(split.train, split.validation, nothing)
    with pytest.raises(UserError, match="train part of a split is empty"):
        InnerSplit(nothing, split.validation, nothing)
