"""Simulated embeddings at the full scale of the paper: 45,096 nodes with classes, cities, locations and clips.

The data set itself (108 GB, non-commercial) cannot be had everywhere. What the fusion experiment needs of it is
its structure: one segment of each training clip, ten of each test clip, clips that share locations, locations
that train and test do not share, and two views of unequal strength that fail partly together. Rows here are
drawn from such a hierarchy and calibrated so that a linear classifier on one view alone is right as often as the
paper's networks without a graph. They are SIMULATED: no figure on them is a figure on the data set.

    latent of a segment = class mean + scale_v (city + location + clip + segment)

The four parts share `SHARES` of the variance; the part `SHARED` of each is common to both views. Cities and
locations are the same for every seed, as they are in the data set; a seed draws clips and segments. (With 126
test locations, drawing these too would move the accuracies by two points from seed to seed.) Clips are balanced
within their location, clips and segments within class and part, so that chance moves what a seed looks like and
hardly how difficult it is: accuracies differ by 0.2 points (standard deviation) instead of 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvgraph.data.card import Card
from mvgraph.data.multiview import MultiViewData
from mvgraph.data.split import Split
from mvgraph.data.tau.layout import CITIES, CLASSES, SEGMENTS

Array = NDArray[np.float64]

#: Clips of each class in the official split, in the order of `CLASSES`.
TRAIN_CLIPS = (697, 806, 705, 893, 1006, 982, 841, 968, 985, 763)
TEST_CLIPS = (281, 327, 360, 386, 386, 387, 387, 421, 402, 308)
TRAIN_PLACES, TEST_PLACES = 305, 126
#: Accuracies (test segments, one view, no graph) that the scales below reproduce.
TARGETS = {"audio": 0.684, "video": 0.862}
DIMS = {"audio": 128, "video": 64}
#: Spread of the hierarchy against the class means, found by `calibrate` on seeds 1000 to 1015.
SCALES = {"audio": 0.7592, "video": 0.5244}
SHARES = {"city": 0.05, "place": 0.30, "clip": 0.35, "segment": 0.30}
SHARED = 0.45
_LATENT = 12
_AMBIENT = 0.05


@dataclass(frozen=True)
class _Hierarchy:
    """Which class, city, place and clip each segment belongs to; each (N,) int64, training segments first."""

    label: NDArray[np.int64]
    city: NDArray[np.int64]
    place: NDArray[np.int64]
    clip: NDArray[np.int64]
    test: NDArray[np.bool_]


def simulated_embeddings(
    seed: int = 0, fraction: float = 1.0, scales: dict[str, float] | None = None
) -> MultiViewData:
    """Draw the data set.

    Args:
        fraction: of the clips of each class and of the locations; 1 is the paper's size.
        scales: spread of each view's hierarchy; None takes the calibrated ones.

    Shapes: views audio (N, 128) and video (N, 64), N = 45,096 at full size, the training rows first.
    """
    rng = np.random.default_rng((seed, 4477542))
    fixed = np.random.default_rng(4477542)
    tree = _hierarchy(fixed, fraction)
    means = _class_means()
    segments = np.arange(len(tree.label))
    strata = 2 * tree.label + tree.test
    first = np.unique(tree.clip, return_index=True)[1]
    spread = {
        "city": _parts(fixed, tree.city, SHARES["city"]),
        "place": _parts(fixed, tree.place, SHARES["place"]),
        "clip": _parts(rng, tree.clip, SHARES["clip"], (tree.place[first], strata[first])),
        "segment": _parts(rng, segments, SHARES["segment"], (strata, strata)),
    }
    views = {}
    for index, (view, scale) in enumerate((scales or SCALES).items()):
        latent = means[tree.label] + scale * sum(parts[index] for parts in spread.values())
        mixing = np.linalg.qr(np.random.default_rng((index, 64)).standard_normal((DIMS[view], _LATENT)))[0]
        rows = latent @ mixing.T + _AMBIENT * rng.standard_normal((len(latent), DIMS[view]))
        views[view] = rows.astype(np.float32)
    train, test = np.flatnonzero(~tree.test), np.flatnonzero(tree.test)
    names = [
        f"{CLASSES[c]}-{CITIES[t]}-{p}-{k}"
        for c, t, p, k in zip(tree.label, tree.city, tree.place, tree.clip, strict=True)
    ]
    within = np.concatenate([np.zeros(len(train), int), np.tile(np.arange(SEGMENTS), len(test) // SEGMENTS)])
    return MultiViewData.from_arrays(
        views,
        tree.label,
        ids=[f"{name}#{second}" for name, second in zip(names, within, strict=True)],
        groups={
            "clip": names,
            "location": [f"{CITIES[t]}-{p}" for t, p in zip(tree.city, tree.place, strict=True)],
            "city": [CITIES[t] for t in tree.city],
        },
        official_splits={"fold1": Split(train, np.zeros(0, np.int64), test, scheme="official")},
        classes=CLASSES,
        card=Card(
            name="avsc-simulated",
            title="SIMULATED embeddings in the structure of TAU Urban Audio-Visual Scenes 2021",
            source=f"generated by mvgraph, seed {seed}",
            licence="MIT",
            notes=("Simulated: figures on it say nothing about real scenes.",),
        ),
    )


def _class_means() -> Array:
    """The same for every seed, so that seeds draw places and not tasks. Shapes: (10, 12)."""
    drawn = np.random.default_rng(2021).standard_normal((len(CLASSES), _LATENT))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True) * 1.6


def _hierarchy(rng: np.random.Generator, fraction: float) -> _Hierarchy:
    columns: list[list[NDArray[np.int64]]] = [[], [], [], []]
    tests = []
    place = clip = 0
    for counts, places, segments in ((TRAIN_CLIPS, TRAIN_PLACES, 1), (TEST_CLIPS, TEST_PLACES, SEGMENTS)):
        for label, count in enumerate(counts):
            here = max(2, round(fraction * (places // 10 + (label < places % 10))))
            total = max(here, round(fraction * count))
            # Every place has a clip; the others fall where they may, as in the data set.
            chosen = np.sort(np.concatenate([np.arange(here), rng.integers(here, size=total - here)]))
            cities = rng.integers(len(CITIES), size=here)
            repeated = np.repeat(chosen, segments)
            columns[0].append(np.full(len(repeated), label))
            columns[1].append(cities[repeated])
            columns[2].append(place + repeated)
            columns[3].append(clip + np.repeat(np.arange(total), segments))
            tests.append(np.full(len(repeated), segments > 1))
            place, clip = place + here, clip + total
    labels, cities_, places_, clips_ = (np.concatenate(column) for column in columns)
    return _Hierarchy(labels, cities_, places_, clips_, np.concatenate(tests))


def _parts(
    rng: np.random.Generator,
    ids: NDArray[np.int64],
    share: float,
    balance: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
) -> tuple[Array, Array]:
    """What each member of one level adds to its segments, in both views.

    Args:
        balance: parent and stratum of each member; see `_balanced`.

    Shapes: (N,) -> 2 x (N, 12).
    """
    drawn = rng.standard_normal((int(ids.max()) + 1, 3 * _LATENT))
    if balance is not None:
        drawn = _balanced(drawn, *balance)
    common, *own = drawn.reshape(-1, 3, _LATENT).transpose(1, 0, 2)
    first, second = (
        np.sqrt(share) * (np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * part)[ids] for part in own
    )
    return first, second


def _balanced(drawn: Array, parent: NDArray[np.int64], stratum: NDArray[np.int64]) -> Array:
    """The same rows with mean 0 below each parent, then covariance I within each stratum.

    Parents and strata of too few rows, as small fractions of the data have, are left as drawn.

    Shapes: (n, d), (n,), (n,) -> (n, d).
    """
    width = drawn.shape[1]
    counts = np.bincount(parent)
    sums = np.stack([np.bincount(parent, column) for column in drawn.T], axis=1)
    means = sums / np.maximum(counts, 1)[:, None]
    balanced = drawn - np.where(counts < 8, 0.0, 1.0)[parent, None] * means[parent]
    for code in np.unique(stratum):
        members = stratum == code
        rows = balanced[members]
        if len(rows) >= 4 * width:
            factor = np.linalg.cholesky(rows.T @ rows / len(rows))
            balanced[members] = np.linalg.solve(factor, rows.T).T
    return balanced


def single_view_probabilities(data: MultiViewData, view: str) -> NDArray[np.float64]:
    """Of a linear classifier (logistic regression) of one view, trained on the whole official training part.

    Shapes: -> (test rows, C).
    """
    from sklearn.linear_model import LogisticRegression

    split = data.official_splits["fold1"]
    rows = data.views[view]
    model = LogisticRegression(max_iter=500).fit(rows[split.train], data.labels[split.train])
    return np.asarray(model.predict_proba(rows[split.test]), dtype=np.float64)


def single_view_accuracy(data: MultiViewData, view: str) -> float:
    """Test accuracy of that classifier: on one view, without any graph."""
    found = single_view_probabilities(data, view).argmax(axis=1)
    return float((found == data.labels[data.official_splits["fold1"].test]).mean())


def calibrate(seeds: range = range(1000, 1016), steps: int = 12) -> dict[str, float]:
    """Find `SCALES`: for each view the spread at which the mean accuracy over the seeds meets the target."""
    found = dict(SCALES)
    for view, target in TARGETS.items():
        low, high = 0.1, 2.0
        for _ in range(steps):
            found[view] = (low + high) / 2
            mean = np.mean([single_view_accuracy(simulated_embeddings(s, scales=found), view) for s in seeds])
            low, high = (found[view], high) if mean > target else (low, found[view])
    return {view: round(scale, 4) for view, scale in found.items()}
