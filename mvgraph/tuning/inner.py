"""What a search may see of a data set: its training and validation rows, divided anew for every inner split."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.data.stratify import carve, carve_groups
from mvgraph.errors import UserError

#: Share of validation rows where the outer split has none.
DEFAULT_SHARE = 0.2


class InnerSplit(Split):
    """A split without a test part: nothing in a search has rows to test on."""

    __slots__ = ()
    may_be_empty: ClassVar[tuple[str, ...]] = ("validation", "test")


def blinded(data: MultiViewData, split: Split) -> MultiViewData:
    """The same samples, their labels hidden (-1) outside the training and validation rows of `split`.

    Published splits are left out too. Everything a search does starts from this value, so that a label of a
    test row is not merely unused but absent.
    """
    seen = np.concatenate([split.train, split.validation])
    labels = np.full(data.n_samples, -1, dtype=np.int64)
    labels[seen] = data.labels[seen]
    return replace(data, labels=labels, official_splits={}, derived=True)


def inner_splits(data: MultiViewData, split: Split, n: int, seed: int) -> tuple[InnerSplit, ...]:
    """`n` divisions of the training and validation rows of `split` into training and validation rows.

    The first is the division that `split` itself has. The others are drawn with the same share of validation
    rows, stratified by class and by whole groups where `split` keeps groups together: a fit inside the search
    sees as many rows as the fit it is for, which k folds would not give.

    Args:
        data: what `blinded` returned.
        split: the outer split; n: number of inner splits; seed: of their drawing.

    Raises:
        UserError: n < 1, or too few rows or groups to draw a validation part from.
    """
    if n < 1:
        raise UserError(f"inner is {n}: give at least 1 inner split.")
    rows = np.sort(np.concatenate([split.train, split.validation]))
    share = split.validation.size / rows.size or DEFAULT_SHARE
    group = split.parameters.get("group")
    found = []
    for index in range(n):
        if index == 0 and split.validation.size:
            train, validation = split.train, split.validation
        else:
            rng = np.random.default_rng([seed, index])
            if group is None:
                train, validation = carve(rows, data.labels, share, rng)
            else:
                members = data.groups[str(group)]
                train, validation = carve_groups(rows, data.labels, members, share, rng, f"group {group!r}")
        empty = np.zeros(0, dtype=np.int64)
        parameters = {"index": index, "share": share, "outer": split.hash}
        found.append(InnerSplit(train, validation, empty, scheme="inner", seed=seed, parameters=parameters))
    return tuple(found)
