"""Small data, a split and rows that come later, for the tests of the baselines."""

from __future__ import annotations

import numpy as np
import torch

from mvgraph.data import MultiViewData, Split
from mvgraph.fusion import NewRows
from mvgraph.graph import CSR, MultiViewGraph, build_graph

WIDTHS = {"a": 3, "b": 5, "c": 2}
CLASSES = 3
N, LATER = 45, 6


def _drawn(n: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = {
        name: 2.0 * np.random.default_rng(99).standard_normal((CLASSES, 6))[:, :d]
        for name, d in WIDTHS.items()
    }
    labels = rng.permutation(np.arange(n) % CLASSES)
    views = {
        name: (c[labels] + rng.standard_normal((n, WIDTHS[name]))).astype(np.float32)
        for name, c in centres.items()
    }
    return views, labels


def make_data(*, missing: bool = False) -> MultiViewData:
    """45 rows of 3 classes in 3 views; with `missing` about a third of the entries of each view are gone."""
    views, labels = _drawn(N, 0)
    return MultiViewData.from_arrays(views, labels, observed=_mask(N, 1) if missing else None)


def make_split() -> Split:
    """18 rows to train on, 9 to validate, 18 to test; every class is in each."""
    order = np.argsort(_drawn(N, 0)[1], kind="stable").reshape(CLASSES, -1)
    return Split(order[:, :6].ravel(), order[:, 6:9].ravel(), order[:, 9:].ravel())


def later_rows(data: MultiViewData, *, missing: bool = False, k: int = 3) -> NewRows:
    """Six rows that were not there, joined to the nearest old ones of each view by edges of weight 0.1 to 1."""
    views, _ = _drawn(LATER, 7)
    observed = _mask(LATER, 8) if missing else np.ones((LATER, len(WIDTHS)), dtype=bool)
    views = {
        name: np.where(observed[:, [v]], x, 0).astype(np.float32) for v, (name, x) in enumerate(views.items())
    }
    graph = build_graph(data, k=4)
    adjacency = {}
    for v, name in enumerate(data.view_names):
        dense = torch.zeros(N + LATER, N + LATER)
        dense[:N, :N] = graph[name].to_dense()
        for i in range(LATER):
            if observed[i, v]:
                distance = np.linalg.norm(data.views[name] - views[name][i], axis=1)
                distance[~data.observed[:, v]] = np.inf
                for j in np.argsort(distance)[:k]:
                    dense[N + i, j] = 0.1 + 0.9 * float(np.exp(-distance[j]))
        rows, cols = dense.nonzero().T
        adjacency[name] = CSR.from_edges(rows, cols, dense[rows, cols], (N + LATER, N + LATER))
    return NewRows(views, observed, MultiViewGraph(adjacency))


def one_of(rows: NewRows, i: int) -> NewRows:
    """Row i alone."""
    graph = None
    if rows.graph is not None:
        kept = torch.tensor([*range(N), N + i])
        adjacency = {}
        for name, csr in rows.graph.adjacency.items():
            dense = csr.to_dense()[kept][:, kept]
            r, c = dense.nonzero().T
            adjacency[name] = CSR.from_edges(r, c, dense[r, c], (N + 1, N + 1))
        graph = MultiViewGraph(adjacency)
    views = {name: x[i : i + 1] for name, x in rows.views.items()}
    return NewRows(views, rows.observed[i : i + 1], graph)


def answers(model: object, rows: NewRows) -> np.ndarray:
    """Answers of a batch, after checking that each row alone gets the same, and that they are probabilities."""
    batch = np.asarray(model.predict_new(rows))  # type: ignore[attr-defined]
    alone = [np.asarray(model.predict_new(one_of(rows, i)))[0] for i in range(rows.n_rows)]  # type: ignore[attr-defined]
    np.testing.assert_allclose(batch, np.stack(alone), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(batch.sum(axis=1), 1.0, atol=1e-9)
    assert batch.shape == (rows.n_rows, CLASSES)
    assert (batch >= 0).all()
    return batch


def _mask(n: int, seed: int) -> np.ndarray:
    observed = np.random.default_rng(seed).random((n, len(WIDTHS))) > 1 / 3
    observed[~observed.any(axis=1), 0] = True
    return observed
