"""Drawing stratified parts from labelled rows, by rows or by whole groups."""

from __future__ import annotations

import numpy as np

from mvgraph.errors import UserError


def carve(
    rows: np.ndarray, labels: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into (rest, part): the part holds round(share M) rows, at least one, stratified.

    Every class keeps at least one row in the rest. The total is met exactly where the classes allow it: seats
    go to classes by largest remainder, so that a part of 0.4 rows a class is not rounded to nothing.

    Shapes: rows (M,) row numbers; labels (N,) codes of all samples.

    Raises:
        UserError: each class has one row only.
    """
    codes, counts = np.unique(labels[rows], return_counts=True)
    spare = counts - 1
    total = min(max(1, int(np.floor(share * rows.size + 0.5))), int(spare.sum()))
    if total == 0:
        raise UserError(
            "No validation part can be drawn: every class has one row left, which is needed for training; "
            "label at least two rows of a class."
        )
    # Ties between remainders are broken at random, not by the code of the class.
    order = rng.permutation(codes.size)
    seats = np.minimum(np.floor(share * counts).astype(np.int64), spare)
    remainder = share * counts - np.floor(share * counts)
    ranking = order[np.argsort(-remainder[order], kind="stable")]
    while seats.sum() < total:
        for position in ranking:
            if seats.sum() < total and seats[position] < spare[position]:
                seats[position] += 1
    part = [
        rng.permutation(np.sort(rows[labels[rows] == code]))[:size]
        for code, size in zip(codes, seats, strict=True)
    ]
    chosen = np.sort(np.concatenate(part))
    return np.setdiff1d(rows, chosen), chosen


def folds(labels: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Fold 0..k-1 of each row; classes are dealt out one after the other, so fold sizes differ by at most 1.

    Shapes: labels (M,) -> (M,) int64.
    """
    fold = np.empty(labels.size, dtype=np.int64)
    dealt = 0
    for code in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == code))
        fold[members] = (dealt + np.arange(members.size)) % k
        dealt += members.size
    return fold


def _group_counts(labels: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position of each row's group, and rows per group and class. Shapes: (M,), (G, C')."""
    position = np.unique(groups, return_inverse=True)[1].reshape(-1)
    code = np.unique(labels, return_inverse=True)[1].reshape(-1)
    counts = np.zeros((int(position.max()) + 1, int(code.max()) + 1), dtype=np.int64)
    np.add.at(counts, (position, code), 1)
    return position, counts


def group_folds(
    labels: np.ndarray, groups: np.ndarray, k: int, rng: np.random.Generator, what: str
) -> np.ndarray:
    """Fold of each row by whole groups: the largest first, each to the fold where its classes are rarest.

    Shapes: labels (M,), groups (M,) -> (M,) int64.

    Raises:
        UserError: fewer groups than folds, or a class whose groups all fell into one fold.
    """
    position, counts = _group_counts(labels, groups)
    if counts.shape[0] < k:
        raise UserError(f"There are {counts.shape[0]} labelled values of {what}, fewer than the {k} folds.")
    weight = 1.0 / counts.sum(axis=0)
    order = rng.permutation(counts.shape[0])
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    filled = np.zeros((k, counts.shape[1]))
    fold = np.empty(counts.shape[0], dtype=np.int64)
    for group in order:
        share = counts[group] * weight
        # Growth of the sum of squared class shares: zero overlap is cheapest, so no fold stays empty.
        cost = ((filled + share) ** 2 - filled**2).sum(axis=1)
        fold[group] = int(np.argmin(cost))
        filled[fold[group]] += share
    if np.isclose(filled, 1.0).any():
        raise UserError(
            f"A class lies in a single fold, so that nothing of it is left to train on: {what} is too "
            "coarse for "
            f"{k} folds."
        )
    return fold[position]


def carve_groups(
    rows: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    share: float,
    rng: np.random.Generator,
    what: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into (rest, part) by whole groups; the part's class counts come close to share x counts.

    Groups are visited at random and taken when that brings the class counts closer to the target and leaves
    every class in the rest.

    Shapes: rows (M,); labels (N,) codes and groups (N,) of all samples.

    Raises:
        UserError: no group can be taken without losing a class from the rest.
    """
    position, counts = _group_counts(labels[rows], groups[rows])
    totals = counts.sum(axis=0)
    target = share * totals
    taken = np.zeros(counts.shape[0], dtype=bool)
    held = np.zeros_like(totals)
    order = rng.permutation(counts.shape[0])
    for group in order:
        after = held + counts[group]
        if (after < totals).all() and ((after - target) ** 2).sum() < ((held - target) ** 2).sum():
            taken[group] = True
            held = after
    if not taken.any():
        # Every group overshoots the target: the smallest one that leaves each class in the rest.
        able = [group for group in order if (counts[group] < totals).all()]
        if not able:
            raise UserError(
                f"No part can be drawn by {what}: each of its {counts.shape[0]} values holds all labelled "
                "rows of a "
                "class, which would leave none to train on."
            )
        taken[min(able, key=lambda group: int(counts[group].sum()))] = True
    part = taken[position]
    return rows[~part], rows[part]
