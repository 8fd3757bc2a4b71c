"""Splits: disjoint, stratified, reproducible, and never across groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.data import (
    MultiViewData,
    Split,
    group_splits,
    kfold_splits,
    label_rate_splits,
    make_splits,
    official_splits,
)
from mvgraph.errors import UserError


def make(counts: list[int], unlabelled: int = 0, seed: int = 0, clip: int = 3) -> MultiViewData:
    """Rows in random order; a group of `clip` neighbouring rows of one class is one clip."""
    labels = np.concatenate([np.full(c, i) for i, c in enumerate(counts)] + [np.full(unlabelled, -1)])
    clips = np.concatenate([[f"{i}-{j // clip}" for j in range(c)] for i, c in enumerate(counts)])
    clips = np.concatenate([clips, np.full(unlabelled, "none")])
    order = np.random.default_rng(seed).permutation(labels.size)
    views = {"a": np.zeros((labels.size, 1))}
    return MultiViewData.from_arrays(views, labels[order], groups={"clip": clips[order]})


def check(data: MultiViewData, split: Split) -> None:
    """What holds for every split of every scheme."""
    parts = [split.train, split.validation, split.test]
    together = np.concatenate(parts)
    assert np.unique(together).size == together.size
    assert (data.labels[together] >= 0).all()
    assert all(part.size for part in parts)
    assert np.array_equal(np.unique(data.labels[split.train]), np.unique(data.labels[data.labels >= 0]))
    for part in parts:
        assert part.dtype == np.int64
        assert not part.flags.writeable
        assert (np.diff(part) > 0).all()


COUNTS = st.lists(st.integers(6, 40), min_size=2, max_size=5)


@settings(max_examples=40, deadline=None)
@given(COUNTS, st.integers(0, 9), st.sampled_from([0.05, 0.1, 0.3, 0.5]), st.integers(0, 1000))
def test_label_rate(counts: list[int], unlabelled: int, rate: float, seed: int) -> None:
    data = make(counts, unlabelled)
    splits = label_rate_splits(data, rate=rate, n=3, seed=seed)
    for split in splits:
        check(data, split)
        labelled = np.concatenate([split.train, split.validation])
        wanted = [max(2, int(rate * count + 0.5)) for count in counts]
        assert np.bincount(data.labels[labelled]).tolist() == wanted
        assert split.validation.size == min(max(1, int(0.2 * sum(wanted) + 0.5)), sum(wanted) - len(counts))
        ideal = 0.2 * np.asarray(wanted)
        drawn = np.bincount(data.labels[split.validation], minlength=len(counts))
        assert (np.abs(drawn - ideal) < 1.0).all() or sum(wanted) < 5
        assert labelled.size + split.test.size == sum(counts)
    again = label_rate_splits(data, rate=rate, n=3, seed=seed)
    assert [s.hash for s in again] == [s.hash for s in splits]
    assert label_rate_splits(data, rate=rate, n=1, seed=seed)[0] == splits[0]


def test_the_reference_protocol() -> None:
    split = label_rate_splits(make([200] * 10))[0]
    assert (split.train.size, split.validation.size, split.test.size) == (160, 40, 1800)
    data = make([200] * 10)
    assert np.bincount(data.labels[split.validation]).tolist() == [4] * 10


def test_seeds_and_repeats_differ_and_rates_nest() -> None:
    data = make([40] * 3)
    hashes = {s.hash for seed in range(3) for s in label_rate_splits(data, n=3, seed=seed)}
    assert len(hashes) == 9
    small, large = (label_rate_splits(data, rate=rate)[0] for rate in (0.1, 0.3))
    assert set(large.test) < set(small.test)


def test_label_rate_refuses_a_class_it_cannot_test() -> None:
    with pytest.raises(UserError, match=r"Class '1' has 2 labelled rows.*at least 3"):
        label_rate_splits(make([9, 2]))
    assert label_rate_splits(make([30, 2]), min_per_class=1)[0].test.size == 28
    with pytest.raises(UserError, match="every class has one row left"):
        label_rate_splits(make([9, 9]), rate=0.01, min_per_class=1)


@settings(max_examples=30, deadline=None)
@given(COUNTS, st.integers(2, 5), st.integers(0, 1000))
def test_kfold_tests_every_row_once_and_is_stratified(counts: list[int], folds: int, seed: int) -> None:
    data = make(counts, unlabelled=4)
    splits = kfold_splits(data, folds=folds, seed=seed)
    tested = np.concatenate([split.test for split in splits])
    assert np.array_equal(np.sort(tested), np.flatnonzero(data.labels >= 0))
    for split in splits:
        check(data, split)
        drawn = np.bincount(data.labels[split.test], minlength=len(counts))
        assert (np.abs(drawn - np.asarray(counts) / folds) < 1.0).all()
    sizes = [split.test.size for split in splits]
    assert max(sizes) - min(sizes) <= 1
    assert [s.hash for s in kfold_splits(data, folds=folds, seed=seed)] == [s.hash for s in splits]


def crossing(data: MultiViewData, split: Split) -> set[str]:
    clips = data.groups["clip"]
    train, validation, test = (
        set(clips[part].tolist()) for part in (split.train, split.validation, split.test)
    )
    return (train & validation) | (train & test) | (validation & test)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(24, 40), min_size=2, max_size=4), st.integers(0, 1000))
def test_no_group_crosses_the_parts(counts: list[int], seed: int) -> None:
    data = make(counts, unlabelled=3)
    for split in [
        *group_splits(data, "clip", n=2, seed=seed),
        *kfold_splits(data, 3, seed=seed, group="clip"),
    ]:
        check(data, split)
        assert not crossing(data, split)
    split = group_splits(data, "clip", test=0.3, seed=seed)[0]
    share = np.bincount(data.labels[split.test], minlength=len(counts)) / counts
    assert (np.abs(share - 0.3) < 0.15).all()
    assert group_splits(data, "clip", seed=seed)[0].hash == split.hash
    tested = np.concatenate([s.test for s in kfold_splits(data, 3, seed=seed, group="clip")])
    assert np.array_equal(np.sort(tested), np.flatnonzero(data.labels >= 0))


def test_groups_too_coarse_are_refused() -> None:
    data = make([9, 9], clip=9)
    with pytest.raises(
        UserError, match="group 'clip': each of its 2 values holds all labelled rows of a class"
    ):
        group_splits(data, "clip")
    with pytest.raises(UserError, match="2 labelled values of group 'clip', fewer than the 5 folds"):
        kfold_splits(data, group="clip")
    with pytest.raises(UserError, match="A class lies in a single fold"):
        kfold_splits(data, folds=2, group="clip")
    with pytest.raises(UserError, match=r"no group 'clips' .did you mean 'clip'"):
        group_splits(data, "clips")


def test_a_group_larger_than_the_share_is_still_used() -> None:
    split = group_splits(make([24, 24], clip=6), "clip", test=0.05, validation=0.05)[0]
    assert (split.test.size, split.validation.size) == (6, 6)


def test_a_large_test_share_leaves_every_class_in_training() -> None:
    data = make([12, 90], clip=6)  # two clips of the first class: the test part may take one only
    for seed in range(5):
        split = group_splits(data, "clip", test=0.8, seed=seed)[0]
        check(data, split)
        assert not crossing(data, split)


def official(validation: list[int]) -> MultiViewData:
    data = make([12, 12], seed=1)
    splits = {
        "fold2": Split(np.arange(16), validation, np.arange(18, 24)),
        "fold1": Split(np.arange(8, 24), [], np.arange(6)),
    }
    return MultiViewData.from_arrays(
        dict(data.views), data.labels, groups=dict(data.groups), classes=data.classes, official_splits=splits
    )


def test_official_splits_fill_the_validation_part_and_never_touch_test() -> None:
    data = official([16, 17])
    first, second = official_splits(data, validation=0.25)
    assert first.parameters["name"] == "fold1"
    assert first.validation.size == 4
    assert np.array_equal(np.sort(np.r_[first.train, first.validation]), np.arange(8, 24))
    assert first.test.tolist() == list(range(6))
    assert second.validation.tolist() == [16, 17]
    grouped = official_splits(data, validation=0.25, group="clip")[0]
    clips = data.groups["clip"]
    assert not set(clips[grouped.train]) & set(clips[grouped.validation])
    with pytest.raises(UserError, match="has no official split"):
        official_splits(make([9, 9]))


def test_make_splits_resolves_names_and_explains_mistakes() -> None:
    data = make([20, 20])
    assert make_splits(data, "label-rate", rate=0.2)[0] == label_rate_splits(data, rate=0.2)[0]
    assert len(make_splits(data, "k-fold", folds=4)) == 4
    assert make_splits(data, "group", group="clip")[0].scheme == "group"
    assert make_splits(official([]), "official")[0].scheme == "official"
    with pytest.raises(UserError, match=r"no split scheme 'labelrate' .did you mean 'label-rate'"):
        make_splits(data, "labelrate")
    with pytest.raises(UserError, match=r"no parameter 'rates' .did you mean 'rate'"):
        make_splits(data, "label-rate", rates=0.1)
    with pytest.raises(UserError, match="needs the parameter 'group'"):
        make_splits(data, "group")
    for wrong in ({"rate": 0.0}, {"rate": 1}, {"validation": "x"}, {"n": 0}, {"min_per_class": True}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            make_splits(data, "label-rate", **wrong)
    with pytest.raises(UserError, match="folds must be an integer of at least 2"):
        make_splits(data, "k-fold", folds=1)
    with pytest.raises(UserError, match="Class '0' has 20 labelled rows, fewer than the 30 folds"):
        make_splits(data, "k-fold", folds=30)
    bare = MultiViewData.from_arrays({"a": np.ones((4, 1))}, None)
    with pytest.raises(UserError, match="has no labels"):
        make_splits(bare, "label-rate")


def test_a_split_is_a_value() -> None:
    split = Split([3, 1], [2], [0, 9], scheme="mine", seed=4, parameters={"b": 1, "a": None})
    assert split.train.tolist() == [1, 3]
    again = Split.from_json(split.to_json())
    assert again == split
    assert hash(again) == hash(split)
    assert again.hash == split.hash
    assert len(split.hash) == 64
    assert Split([1, 3], [2], [0, 9]).hash == split.hash
    assert Split([1, 3], [2], [0, 9]) != split
    assert Split([1, 2], [3], [0, 9]).hash != split.hash
    assert split.assignment(11).tolist() == [2, 0, 1, 0, -1, -1, -1, -1, -1, 2, -1]
    assert repr(split).startswith("Split(mine, seed=4, 2 / 1 / 2, ")
    with pytest.raises(TypeError):
        split.parameters["a"] = 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (([1, 1], [], [2]), "train part of a split names row 1 twice"),
        (([1], [2], [2]), "Row 2 stands in the validation and in the test part"),
        (([], [1], [2]), "train part of a split is empty"),
        (([1], [2], []), "test part of a split is empty"),
        (([-1], [], [2]), "row numbers >= 0"),
        (([0.5], [], [2]), "row numbers >= 0"),
    ],
)
def test_a_split_refuses_what_is_none(parts: tuple[list[int], list[int], list[int]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Split(*parts)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"train": [0], "validation": [], "test": ["x"]}', '{"train": [0.5]}']
)
def test_from_json_refuses_other_text(text: str) -> None:
    with pytest.raises(UserError):
        Split.from_json(text)
