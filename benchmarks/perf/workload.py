"""The work that is measured: clustered data in the shape of the paper's experiment, generated from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mvgraph.data import MultiViewData, Split
from mvgraph.graph import MultiViewGraph, build_graph


@dataclass(frozen=True)
class Scale:
    """Sizes of one workload.

    Args:
        nodes: N.
        labelled: training rows.
        k: neighbours.
        widths: view -> d_v.
        hidden: units of the two layers.
    """

    name: str
    nodes: int
    labelled: int
    k: int
    widths: tuple[tuple[str, int], ...] = (("audio", 128), ("visual", 64))
    hidden: tuple[int, int] = (256, 128)


SCALES = {
    "small": Scale("small", nodes=3_000, labelled=600, k=15),
    "paper": Scale("paper", nodes=45_096, labelled=8_646, k=60),
}

N_CLASSES = 10
#: Siblings of one clip in the paper's test part.
CLIP = 10


def clustered_views(scale: Scale, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Embeddings that cluster by class and, more tightly, by clip, as real ones do.

    Returns:
        view -> (N, d_v) float32, and labels (N,).
    """
    rng = np.random.default_rng(seed)
    clip_of = np.arange(scale.nodes) // CLIP
    n_clips = int(clip_of[-1]) + 1
    class_of_clip = rng.integers(0, N_CLASSES, n_clips)
    views = {}
    for view, width in scale.widths:
        classes = rng.standard_normal((N_CLASSES, width)) * 1.5
        clips = classes[class_of_clip] + rng.standard_normal((n_clips, width)) * 1.5
        views[view] = (clips[clip_of] + rng.standard_normal((scale.nodes, width))).astype(np.float32)
    return views, class_of_clip[clip_of]


@dataclass(frozen=True)
class Workload:
    """Data, split and graph of one scale."""

    scale: Scale
    data: MultiViewData
    split: Split
    graph: MultiViewGraph

    @property
    def rows(self) -> Tensor:
        """Training rows, ascending."""
        return torch.as_tensor(np.array(self.split.train))

    @property
    def labels(self) -> Tensor:
        """(N,)."""
        return torch.as_tensor(np.array(self.data.labels))

    @property
    def inputs(self) -> Tensor:
        """(N, sum d_v)."""
        return torch.cat([torch.tensor(self.data.views[view]) for view in self.data.view_names], dim=1)


def make_workload(scale: Scale, seed: int = 0) -> Workload:
    """The whole workload of one scale, graph included."""
    views, labels = clustered_views(scale, seed)
    data = MultiViewData.from_arrays(views, labels)
    order = np.random.default_rng(seed + 1).permutation(scale.nodes)
    split = Split(
        train=np.sort(order[: scale.labelled]),
        validation=np.empty(0, dtype=np.int64),
        test=np.sort(order[scale.labelled :]),
        scheme="benchmark",
        seed=seed,
        parameters={},
    )
    return Workload(scale, data, split, build_graph(data, k=scale.k))
