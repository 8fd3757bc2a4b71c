"""Scaled data and graphs that the trials of a search share: each is made once per distinct setting."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from mvgraph.bench.canonical import canonical
from mvgraph.data import MultiViewData, Split
from mvgraph.data.scaling import looks_at_split, scaled_as
from mvgraph.graph import GraphSettings, MultiViewGraph, build_graph

#: Memory that may be held for later trials, in MiB; the least recently used goes first.
KEEP_MIB = 1024.0
#: Bytes an edge takes once its Laplacian and the transpose for the backward pass are made too.
BYTES_PER_EDGE = 60


class Workshop:
    """Makes what trials stand on, and remembers it within a bound.

    Args:
        data: N samples, labels of test rows hidden.
        keep_mib: bound of what is held; the value asked for last is always held.
    """

    def __init__(self, data: MultiViewData, keep_mib: float = KEEP_MIB) -> None:
        self._data = data
        self._keep = keep_mib * 2**20
        self._held: OrderedDict[str, tuple[Any, float]] = OrderedDict()
        #: How often a graph was built, by setting.
        self.built: dict[str, int] = {}
        #: Seconds spent making things.
        self.seconds = 0.0

    def scaled(self, scaling: Mapping[str, Any], split: Split) -> MultiViewData:
        """The data scaled; one value for all splits unless the scope is their training rows."""
        if scaling["kind"] == "none" and "imputation" not in scaling:
            return self._data
        key = ["scaled", dict(scaling), self._scope(scaling, split)]
        return self._get(key, lambda: scaled_as(self._data, scaling, split), _data_bytes)

    @staticmethod
    def _scope(scaling: Mapping[str, Any], split: Split) -> str | None:
        """The split's hash where prepared data differs from split to split."""
        unscaled = scaling["kind"] == "none" and "imputation" not in scaling
        return split.hash if looks_at_split(scaling) and not unscaled else None

    def graph(self, scaling: Mapping[str, Any], split: Split, settings: Mapping[str, Any]) -> MultiViewGraph:
        """The graph of the scaled data."""
        made = GraphSettings.from_json(settings)
        key = ["graph", dict(scaling), self._scope(scaling, split), made.to_json()]

        def build() -> MultiViewGraph:
            data = self.scaled(scaling, split)
            text = canonical(key)
            self.built[text] = self.built.get(text, 0) + 1
            return build_graph(data, **made.to_json())

        return self._get(key, build, _graph_bytes)

    @property
    def held_mib(self) -> float:
        """Memory held for later trials, as estimated, in MiB."""
        return sum(size for _, size in self._held.values()) / 2**20

    def _get(self, key: Any, make: Callable[[], Any], size: Callable[[Any], float]) -> Any:
        text = canonical(key)
        if text not in self._held:
            begun, before = time.perf_counter(), self.seconds
            value = make()
            # What `make` itself asked of the workshop has been counted already.
            self.seconds = before + time.perf_counter() - begun
            self._held[text] = (value, size(value))
            while len(self._held) > 1 and self.held_mib * 2**20 > self._keep:
                self._held.popitem(last=False)
        self._held.move_to_end(text)
        return self._held[text][0]


def _data_bytes(data: MultiViewData) -> float:
    return 4.0 * data.n_samples * sum(data.view_dims.values())


def _graph_bytes(graph: MultiViewGraph) -> float:
    return float(BYTES_PER_EDGE * sum(graph.adjacency[view].nnz for view in graph.view_names))
