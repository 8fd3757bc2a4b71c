"""Data, splits and graphs that cells of one process share: each is made once per distinct setting."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mvgraph.bench.audit import figures_of
from mvgraph.bench.canonical import canonical
from mvgraph.bench.given import refuse_absent
from mvgraph.data import MultiViewData, Split, make_splits
from mvgraph.data.fingerprint import hash_of_view
from mvgraph.data.given_graphs import graph_hash
from mvgraph.data.load import load
from mvgraph.data.scaling import looks_at_split, scaled_as
from mvgraph.errors import UserError
from mvgraph.graph import GraphSettings, MultiViewGraph, build_graph

#: Values kept of each kind; the oldest is dropped first. Cells come data set by data set, so few are alive.
KEEP = 8


class _Shelf:
    """Values by key with the seconds each took to make, the least recently used dropped first."""

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._held: OrderedDict[str, tuple[Any, float]] = OrderedDict()

    def get(self, key: Any, make: Callable[[], Any]) -> tuple[Any, float]:
        text = canonical(key)
        if text not in self._held:
            begun = time.perf_counter()
            value = make()
            self._held[text] = (value, time.perf_counter() - begun)
            while len(self._held) > self._keep:
                self._held.popitem(last=False)
        self._held.move_to_end(text)
        return self._held[text]


class Material:
    """What cells are made of; every look-up returns the same immutable value for the same setting.

    The seconds that come with a value are those its making took, whichever cell it was made for: that is
    what a cell would have paid alone.

    Args:
        keep: values of each kind that are held.
        graphs: folder in which graphs outlast the process and are shared with others; None keeps them in memory only.
        given: data sets that are objects of this process, by their text in the suite.
    """

    def __init__(
        self,
        keep: int = KEEP,
        graphs: str | Path | None = None,
        given: Mapping[str, MultiViewData] | None = None,
    ) -> None:
        self._given = dict(given or {})
        self._graph_folder = graphs
        self._data = _Shelf(keep)
        self._hashes = _Shelf(keep)
        self._splits = _Shelf(keep)
        self._scaled = _Shelf(keep)
        self._graphs = _Shelf(keep)
        self._searches = _Shelf(keep)
        self._audits = _Shelf(keep)

    def timed_data(self, source: str, views: tuple[str, ...] | None) -> tuple[MultiViewData, float]:
        """Data with the chosen views, and the seconds reading took."""

        whole, seconds = self._data.get([source], lambda: self._load(source))
        if views is None or sorted(set(views)) == sorted(whole.view_names):
            return whole, seconds
        part, _ = self._data.get([source, sorted(set(views))], lambda: whole.select_views(views))
        return part, seconds

    def _load(self, source: str) -> MultiViewData:
        if source in self._given:
            return self._given[source]
        refuse_absent(source)
        return load(source)

    def data(self, source: str, views: tuple[str, ...] | None) -> MultiViewData:
        """Data with the chosen views, None for all."""
        return self.timed_data(source, views)[0]

    def view_hashes(self, source: str, views: tuple[str, ...] | None) -> dict[str, str]:
        """Content hash of every view by name: the fingerprint alone does not know which view has which name.

        A given graph is content of its view, too: views of equal rows differ by it.
        """
        data = self.data(source, views)

        def hash_all() -> dict[str, str]:
            rows = {name: hash_of_view(data, name, column) for column, name in enumerate(data.view_names)}
            return rows | {name: f"{rows[name]} {graph_hash(graph)}" for name, graph in data.graphs.items()}

        found: dict[str, str] = self._hashes.get([source, list(data.view_names)], hash_all)[0]
        return found

    def splits(
        self, source: str, views: tuple[str, ...] | None, scheme: str, arguments: Mapping[str, Any]
    ) -> list[Split]:
        """The splits of one specification.

        Raises:
            UserError: the scheme does not know an argument, or cannot split this data.
        """
        data = self.data(source, views)
        key = [source, list(data.view_names), scheme, dict(arguments)]
        found: list[Split] = self._splits.get(key, lambda: make_splits(data, scheme, **arguments))[0]
        return found

    def scaled(
        self, source: str, views: tuple[str, ...], scaling: Mapping[str, Any], split: Split
    ) -> tuple[MultiViewData, float]:
        """Scaled data, and the seconds reading and scaling took."""
        data, reading = self.timed_data(source, views)
        scope = split.hash if looks_at_split(scaling) else None
        key = [source, sorted(views), dict(scaling), scope]
        value, seconds = self._scaled.get(key, lambda: scaled_as(data, scaling, split))
        return value, reading + seconds

    def graph(
        self,
        source: str,
        views: tuple[str, ...],
        scaling: Mapping[str, Any],
        split: Split,
        settings: Mapping[str, Any],
    ) -> tuple[MultiViewGraph, float]:
        """The graph of scaled data, and the seconds building it took, whichever process built it."""
        data, _ = self.scaled(source, views, scaling, split)
        made = GraphSettings.from_json(settings)
        scope = split.hash if looks_at_split(scaling) else None
        key = [source, sorted(views), dict(scaling), scope, made.to_json()]

        def build() -> MultiViewGraph:
            return build_graph(data, **made.to_json(), cache=self._graph_folder)

        value: MultiViewGraph = self._graphs.get(key, build)[0]
        return value, sum(value.build_seconds.values())

    def audit(
        self,
        source: str,
        views: tuple[str, ...],
        scaling: Mapping[str, Any],
        split: Split,
        settings: Mapping[str, Any],
    ) -> dict[str, Any]:
        """What the neighbours of the split's test rows are made of; the same for every method on that graph."""
        data, _ = self.scaled(source, views, scaling, split)
        graph, _ = self.graph(source, views, scaling, split, settings)
        key = [source, sorted(views), dict(scaling), split.hash, GraphSettings.from_json(settings).to_json()]
        found: dict[str, Any] = self._audits.get(key, lambda: figures_of(data, graph, split))[0]
        return found

    def search(self, key: Any, run: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], float]:
        """What a search found, and the seconds it took; `key` holds all that it depends on."""
        return self._searches.get(key, run)

    def check(self, data: MultiViewData, fingerprint: str) -> None:
        """Raise UserError unless `data` is what was planned."""
        if data.fingerprint.digest != fingerprint:
            raise UserError(f"Data set '{data.name}' has changed since the run was planned; plan it again.")
