"""Small data, splits and graphs that every check can afford, made from a seed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from mvgraph.data import MultiViewData, Split
from mvgraph.graph import CSR, MultiViewGraph, build_graph

#: Views of different width; the first V of them in the order of their names make data of V views.
WIDTHS = {"depth": 6, "image": 8, "motion": 4, "sound": 5, "text": 3}
N_SAMPLES = 60
N_CLASSES = 3


@lru_cache(maxsize=32)
def blobs(n_views: int = 3, n_samples: int = N_SAMPLES, *, missing: bool = False) -> MultiViewData:
    """Classes as well-separated Gaussian clouds in every view.

    Args:
        n_views: V, 1 to 5.
        n_samples: N.
        missing: about a third of the rows lack one view (their entries hold nothing).
    """
    rng = np.random.default_rng([n_views, n_samples])
    labels = rng.permutation(np.arange(n_samples) % N_CLASSES)
    views = {}
    for name, width in list(WIDTHS.items())[:n_views]:
        centres = 2.0 * rng.standard_normal((N_CLASSES, width))
        views[name] = centres[labels] + rng.standard_normal((n_samples, width))
    observed = np.ones((n_samples, n_views), dtype=bool)
    if missing:
        rows = np.flatnonzero(rng.random(n_samples) < 1 / 3)
        observed[rows, rng.integers(n_views, size=rows.size)] = False
    # Three rows a group, of any class: enough for what needs groups, and no hint at the labels.
    groups = {"group": [f"g{row // 3}" for row in range(n_samples)]}
    return MultiViewData.from_arrays(views, labels, groups=groups, observed=observed)


def graph_of(data: MultiViewData, k: int = 4) -> MultiViewGraph:
    """The kNN graph of small data."""
    return build_graph(data, k=k)


def split_of(data: MultiViewData) -> Split:
    """Two fifths to train on, a fifth to validate, a third to test; the other rows stand in no part."""
    order = np.random.default_rng(data.n_samples).permutation(data.n_samples)
    # Every class has to be in the training part, whatever the order says.
    order = order[np.argsort(_rank_in_class(data.labels[order]), kind="stable")]
    a, b, c = (round(data.n_samples * share) for share in (0.4, 0.6, 0.93))
    return Split(order[:a], order[a:b], order[b:c])


def outside(data: MultiViewData, split: Split) -> np.ndarray:
    """Rows that no part of `split` names."""
    return np.flatnonzero(split.assignment(data.n_samples) == -1)


def relabelled(data: MultiViewData, labels: np.ndarray) -> MultiViewData:
    """The same samples with other labels. Shapes: labels (N,) int64."""
    observed = {name: data.observed[:, column] for column, name in enumerate(data.view_names)}
    return MultiViewData.from_arrays(
        {name: data.views[name] for name in data.view_names},
        labels,
        ids=data.ids,
        classes=data.classes,
        groups=data.groups,
        observed=observed,
    )


def ring(n_samples: int, view_names: tuple[str, ...], k: int = 2) -> MultiViewGraph:
    """Every node linked to the k nodes on either side: 2 k N edges a view, exactly linear in N."""
    nodes = torch.arange(n_samples)
    steps = [step for step in range(-k, k + 1) if step]
    rows = nodes.repeat(len(steps))
    columns = torch.cat([(nodes + step) % n_samples for step in steps])
    weights = torch.full((rows.numel(),), 0.5)
    adjacency = CSR.from_edges(rows, columns, weights, (n_samples, n_samples))
    return MultiViewGraph(dict.fromkeys(view_names, adjacency))


def tensors(data: MultiViewData, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Views as tensors, (N, d_v) each."""
    return {name: torch.tensor(data.views[name], dtype=dtype) for name in data.view_names}


def _rank_in_class(labels: np.ndarray) -> np.ndarray:
    """The how-manieth of its class each row is. Shapes: (N,) -> (N,)."""
    ranks = np.empty(labels.size, dtype=np.int64)
    for code in np.unique(labels):
        members = np.flatnonzero(labels == code)
        ranks[members] = np.arange(members.size)
    return ranks
