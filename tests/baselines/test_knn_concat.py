"""Nearest neighbours over the views that two rows share, against loops."""

from __future__ import annotations

import mvgraph_baselines.knn_concat as knn_concat
import numpy as np
import pytest
from blobs import CLASSES, WIDTHS, answers, later_rows, make_data, make_split

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.training import fit


def vote_by_hand(
    row: dict[str, np.ndarray], seen: np.ndarray, data: MultiViewData, train: np.ndarray, k: int, weights: str
) -> np.ndarray:
    everything = sum(WIDTHS.values())
    near = []
    for j in train:
        shared = [(v, n) for v, n in enumerate(data.view_names) if seen[v] and data.observed[j, v]]
        if not shared:
            continue
        squared = sum(
            float(((row[n].astype(np.float64) - data.views[n][j].astype(np.float64)) ** 2).sum())
            for _, n in shared
        )
        near.append((np.sqrt(squared * everything / sum(WIDTHS[n] for _, n in shared)), j))
    near.sort()
    votes = np.zeros(CLASSES)
    if not near:
        return np.bincount(data.labels[train], minlength=CLASSES) / len(train)
    chosen = near[:k]
    exact = [item for item in chosen if item[0] == 0]
    if weights == "distance" and exact:
        chosen = exact
    for distance, j in chosen:
        votes[data.labels[j]] += 1.0 if weights == "uniform" or exact else 1.0 / distance
    return votes / votes.sum()


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(
    ("k", "weights"), [(1, "uniform"), (5, "uniform"), (5, "distance"), (400, "distance")]
)
def test_equal_to_loops(missing: bool, k: int, weights: str) -> None:
    data, split = make_data(missing=missing), make_split()
    result = fit(
        "knn-concat", data, split, options={"k": k, "weights": weights, "prior": 0.0, "temperature": 1.0}
    )
    expected = [
        vote_by_hand({n: data.views[n][i] for n in WIDTHS}, data.observed[i], data, split.train, k, weights)
        for i in range(data.n_samples)
    ]
    np.testing.assert_allclose(result.probabilities(), expected, atol=2e-6)
    rows = later_rows(data, missing=missing)
    later = [
        vote_by_hand({n: rows.views[n][i] for n in WIDTHS}, rows.observed[i], data, split.train, k, weights)
        for i in range(rows.n_rows)
    ]
    np.testing.assert_allclose(answers(result.model, rows), later, atol=1e-6)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data, split = make_data(missing=True), make_split()
    whole = fit("knn-concat", data, split).probabilities()
    monkeypatch.setattr(knn_concat, "BLOCK", 40)
    np.testing.assert_array_equal(fit("knn-concat", data, split).probabilities(), whole)


def test_no_shared_view_means_class_frequencies() -> None:
    x = np.random.default_rng(0).standard_normal((8, 2)).astype(np.float32)
    observed = np.ones((8, 2), dtype=bool)
    observed[:5, 1] = False
    observed[7, 0] = False
    data = MultiViewData.from_arrays({"a": x, "b": x}, [0, 0, 0, 1, 1, 0, 1, 1], observed=observed)
    found = fit("knn-concat", data, Split([0, 1, 2, 3, 4], [], [5, 6, 7])).probabilities()
    np.testing.assert_allclose(found[7], [0.6, 0.4], atol=1e-7)


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="knn-concat: k=0"):
        fit("knn-concat", make_data(), make_split(), options={"k": 0})
    with pytest.raises(UserError, match="weights='rank'; choose uniform or distance"):
        fit("knn-concat", make_data(), make_split(), options={"weights": "rank"})
