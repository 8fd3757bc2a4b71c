"""Simulated embeddings: the published counts, the calibration, and the structure the graph may exploit."""

from __future__ import annotations

import numpy as np
import pytest

from mvgraph.data.sets.simulated_tau import SimulatedTau
from mvgraph.data.tau import embeddings
from mvgraph.data.tau.embeddings import TARGETS, simulated_embeddings, single_view_accuracy
from mvgraph.data.tau.layout import CLASSES

#: Train and test clips of the development set as published.
PUBLISHED = {
    "airport": (697, 281), "bus": (806, 327), "metro": (705, 360), "metro_station": (893, 386), "park": (1006, 386),
    "public_square": (982, 387), "shopping_mall": (841, 387), "street_pedestrian": (968, 421),
    "street_traffic": (985, 402), "tram": (763, 308),
}  # fmt: skip


def test_counts_and_groups_are_the_published_ones() -> None:
    data = SimulatedTau.load()
    split = data.official_splits["fold1"]
    assert (len(split.train), len(split.test), data.n_samples) == (8646, 36_450, 45_096)
    assert tuple(data.classes) == CLASSES
    for code, name in enumerate(CLASSES):
        found = (data.labels[split.train] == code).sum(), (data.labels[split.test] == code).sum() / 10
        assert found == PUBLISHED[name]
    for part, clips, places in ((split.train, 8646, 305), (split.test, 3645, 126)):
        assert len(np.unique(data.groups["clip"][part])) == clips
        assert len(np.unique(data.groups["location"][part])) == places
    train, test = (set(data.groups["location"][part]) for part in (split.train, split.test))
    assert not train & test
    assert len(set(data.groups["city"])) == 10
    assert "SIMULATED" in data.card.title
    with_clip = data.groups["clip"][split.test].reshape(-1, 10)
    assert (with_clip == with_clip[:, :1]).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("view", ["audio", "video"])
def test_accuracy_without_a_graph_is_the_papers_on_other_seeds_than_calibrated(view: str, seed: int) -> None:
    """Each seed and not their mean: the report shows one."""
    assert single_view_accuracy(simulated_embeddings(seed), view) == pytest.approx(TARGETS[view], abs=0.005)


def test_clips_and_segments_are_balanced() -> None:
    """What a seed draws sums to nothing, so that it cannot make the task easier."""
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((400, 3)) + 1.0
    parent, stratum = np.arange(400) // 20, np.arange(400) // 200
    found = embeddings._balanced(drawn, parent, stratum)
    for place in range(20):
        np.testing.assert_allclose(found[parent == place].mean(axis=0), 0.0, atol=1e-12)
    for half in range(2):
        rows = found[stratum == half]
        np.testing.assert_allclose(rows.T @ rows / len(rows), np.eye(3), atol=1e-12)
    few = rng.standard_normal((4, 3))
    np.testing.assert_array_equal(embeddings._balanced(few, np.zeros(4, int), np.zeros(4, int)), few)


def test_hierarchy_segments_are_closer_inside_a_clip_than_a_place_than_a_class() -> None:
    data = simulated_embeddings(3, fraction=0.1)
    test = data.official_splits["fold1"].test
    rows, clip, place = data.views["audio"][test], data.groups["clip"][test], data.groups["location"][test]
    label = data.labels[test]
    distance = np.linalg.norm(rows[:600, None] - rows[None, :600], axis=-1)
    same = {
        "clip": clip[:600, None] == clip[:600],
        "place": place[:600, None] == place[:600],
        "class": label[:600, None] == label[:600],
    }
    off = ~np.eye(600, dtype=bool)
    inside_clip = distance[same["clip"] & off].mean()
    inside_place = distance[same["place"] & ~same["clip"]].mean()
    inside_class = distance[same["class"] & ~same["place"]].mean()
    assert inside_clip < inside_place < inside_class


def test_seeds_draw_clips_and_keep_places() -> None:
    a, b, c = (simulated_embeddings(seed, fraction=0.02) for seed in (1, 1, 2))
    assert np.array_equal(a.views["audio"], b.views["audio"])
    assert not np.array_equal(a.views["audio"], c.views["audio"])
    assert np.array_equal(a.groups["location"], c.groups["location"])


def test_calibration_finds_its_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search alone, on accuracies that fall with the spread in a known way and differ by seed."""
    monkeypatch.setattr(embeddings, "simulated_embeddings", lambda seed, scales: (seed, scales))
    monkeypatch.setattr(
        embeddings,
        "single_view_accuracy",
        lambda data, view: 1 - 0.4 * data[1][view] + (0.01 if data[0] % 2 else -0.01),
    )
    scales = embeddings.calibrate(range(1000, 1004), steps=16)
    assert scales == pytest.approx({view: (1 - target) / 0.4 for view, target in TARGETS.items()}, abs=1e-3)
