"""`MultiViewGraph`: one sparse graph per view over the same nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor

from mvgraph.display import html_card, html_line, html_table
from mvgraph.errors import UserError
from mvgraph.graph.csr import CSR
from mvgraph.graph.operations import laplacian, merge, permute
from mvgraph.graph.settings import GraphSettings


@dataclass(frozen=True, eq=False)
class MultiViewGraph:
    """The unnormalised adjacencies of V views over N samples, without self loops; views sorted by name.

    Args:
        adjacency: view name -> (N, N) CSR, weights >= 0.
        settings: what the graph was built with (None for a graph from elsewhere).
        mean_distances: view name -> mean pairwise distance mu of Eq. 1, where known.
        recall: view name -> measured share of the true neighbours, for views that were searched approximately.
        build_seconds: view name -> seconds that building its adjacency took, also where it came from a cache.
    Raises:
        UserError: no view, unequal sizes, a self loop, or a weight that is negative or not finite.
    """

    adjacency: Mapping[str, CSR]
    settings: GraphSettings | None = None
    mean_distances: Mapping[str, float] = field(default_factory=dict)
    recall: Mapping[str, float] = field(default_factory=dict)
    build_seconds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.adjacency:
            raise UserError("a graph needs at least one view")
        names = sorted(self.adjacency)
        sizes = {name: self.adjacency[name].shape for name in names}
        first = sizes[names[0]]
        for name in names:
            if sizes[name] != (first[0], first[0]):
                raise UserError(
                    f"the adjacency of view '{name}' is {sizes[name][0]} x {sizes[name][1]}, but must be "
                    f"{first[0]} x {first[0]} as that of '{names[0]}' has {first[0]} rows"
                )
        for name in names:
            if fault := self.adjacency[name].adjacency_fault:
                raise UserError(f"the adjacency of view '{name}' {fault}")
        views = {name: self.adjacency[name] for name in names}
        object.__setattr__(self, "adjacency", MappingProxyType(views))
        for what in ("mean_distances", "recall", "build_seconds"):
            given: Mapping[str, float] = getattr(self, what)
            known = {name: float(given[name]) for name in names if name in given}
            object.__setattr__(self, what, MappingProxyType(known))
        object.__setattr__(self, "_laplacians", {})

    @property
    def view_names(self) -> tuple[str, ...]:
        return tuple(self.adjacency)

    @property
    def n_views(self) -> int:
        return len(self.adjacency)

    @property
    def n_nodes(self) -> int:
        return next(iter(self.adjacency.values())).n_rows

    @property
    def n_edges(self) -> dict[str, int]:
        """Stored directed edges per view (a symmetric edge counts twice)."""
        return {name: a.nnz for name, a in self.adjacency.items()}

    @property
    def device(self) -> torch.device:
        return next(iter(self.adjacency.values())).device

    @property
    def dtype(self) -> torch.dtype:
        return next(iter(self.adjacency.values())).dtype

    def __repr__(self) -> str:
        edges = ", ".join(f"{name}: {count}" for name, count in self.n_edges.items())
        return f"MultiViewGraph({self.n_nodes} nodes, edges {{{edges}}})"

    def _repr_html_(self) -> str:
        settings = [] if self.settings is None else list(self.settings.to_json().items())
        made = ", ".join(f"{name} {value}" for name, value in settings if value is not None)
        rows = ((name, n, f"{n / max(self.n_nodes, 1):.1f}") for name, n in self.n_edges.items())
        return html_card(
            f"MultiViewGraph of {self.n_nodes} nodes",
            html_table(("view", "directed edges", "mean degree"), rows),
            html_line(made) if made else "",
        )

    def __getitem__(self, view: str) -> CSR:
        """The unnormalised adjacency of one view."""
        try:
            return self.adjacency[view]
        except KeyError:
            known = ", ".join(f"'{name}'" for name in self.view_names)
            raise UserError(f"the graph has no view '{view}'; it has {known}") from None

    def laplacian(self, view: str) -> CSR:
        """D^-1/2 (A + I) D^-1/2 of one view (Eq. 2), D the row sums of A + I; computed once."""
        cache: dict[str, CSR] = self.__dict__["_laplacians"]
        if view not in cache:
            self_loops = 1.0 if self.settings is None else self.settings.self_loops
            cache[view] = laplacian(self[view], self_loops)
        return cache[view]

    def edge_index(self, view: str) -> Tensor:
        """(2, E) int64 as PyG reads it: neighbour j (source) above node i (target) of every entry A_ij.

        Edges stand in canonical order: by i, then by j.
        """
        a = self[view]
        return torch.stack([a.indices, a.rows()])

    def edge_weight(self, view: str) -> Tensor:
        """(E,) weights in the order of `edge_index`."""
        return self[view].values

    def mean(self, name: str = "mean") -> MultiViewGraph:
        """A graph of one view: the average of the unnormalised adjacencies (absent edges count as 0)."""
        total: CSR | None = None
        for a in self.adjacency.values():
            total = a if total is None else merge(total, a, "sum")
        assert total is not None
        return self._like({name: total.with_values(total.values / self.n_views)})

    def select(self, names: Iterable[str]) -> MultiViewGraph:
        """The graph of some of the views."""
        chosen = {name: self[name] for name in ([names] if isinstance(names, str) else names)}
        return self._like(chosen)

    def add_view(self, name: str, adjacency: CSR) -> MultiViewGraph:
        """The graph with one view more.

        Raises:
            UserError: the name is taken, or the adjacency has another number of nodes.
        """
        if name in self.adjacency:
            raise UserError(f"the graph has a view '{name}' already; choose another name")
        return self._like({**self.adjacency, name: adjacency})

    def identity(self) -> MultiViewGraph:
        """The same nodes and views without any edge: every Laplacian is the identity."""
        empty = CSR.empty(self.n_nodes, self.n_nodes, dtype=self.dtype, device=self.device)
        return self._like(dict.fromkeys(self.view_names, empty))

    def shuffled(self, seed: int) -> MultiViewGraph:
        """Every view's graph laid over the nodes in a random order of its own: same shape, wrong nodes."""
        generator = torch.Generator().manual_seed(seed)
        views = {}
        for name, a in self.adjacency.items():
            views[name] = permute(a, torch.randperm(self.n_nodes, generator=generator).to(a.device))
        return self._like(views)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> MultiViewGraph:
        """The same graph on another device or in another precision; `self` when nothing changes."""
        moved = {name: a.to(device, dtype) for name, a in self.adjacency.items()}
        if all(moved[name] is a for name, a in self.adjacency.items()):
            return self
        return self._like(moved)

    @property
    def hash(self) -> str:
        """SHA-256 of nodes, view names and edges: equal graphs, and only those, have equal hashes."""
        if "_hash" not in self.__dict__:
            digest = hashlib.sha256(str(self.n_nodes).encode())
            for name, a in self.adjacency.items():
                digest.update(f"|{len(name)}:{name}|{a.dtype}|".encode())
                for part in (a.indptr, a.indices, a.values):
                    digest.update(part.cpu().contiguous().numpy().data)
            object.__setattr__(self, "_hash", digest.hexdigest())
        return str(self.__dict__["_hash"])

    def _like(self, adjacency: Mapping[str, CSR]) -> MultiViewGraph:
        """Another graph with what is known about the views that both have."""
        return MultiViewGraph(adjacency, self.settings, self.mean_distances, self.recall, self.build_seconds)
