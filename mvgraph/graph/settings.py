"""What makes one graph: neighbours per view, kernel, symmetrisation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from mvgraph.errors import UserError

Symmetrise = Literal["max", "mean", "union", "directed"]
KernelName = Literal["exp", "self-tuning", "cosine"]
Approx = Literal["ivf", "hnsw"]
MeanDistance = Literal["pairs", "neighbours"]
Fused = Literal["snf"]


@dataclass(frozen=True)
class GraphSettings:
    """How a graph is built from views; equal settings on equal data give equal graphs.

    Args:
        k: neighbours per row, one number or one per view name.
        kernel: "exp" (Eq. 1), "self-tuning" or "cosine"; see `mvgraph.graph.kernels`.
        symmetrise: "max", "mean" (A + A^T) / 2, "union" (mean over the directions present), or "directed".
        scale_neighbour: for "self-tuning", which neighbour's distance is the local scale (None: the k-th; the
            paper of that kernel used the 7th).
        mean_distance: what mu of Eq. 1 is the mean of: "pairs" (all pairs i != j, as published) or "neighbours"
            (the k nearest neighbours of every row).
        self_loops: weight of the diagonal of A + I (Eq. 2), 1 as published.
        approx: None (exact), or search by "ivf" or "hnsw" (faiss) for very many rows, with its recall measured.
        fused: "snf" puts the fusion of all views' graphs beside them, as one more view of that name (see
            `mvgraph.graph.snf`); None puts nothing.
    Raises:
        UserError: a value that is none of these.
    """

    k: int | Mapping[str, int] = 10
    kernel: KernelName = "exp"
    symmetrise: Symmetrise = "max"
    scale_neighbour: int | None = None
    approx: Approx | None = None
    fused: Fused | None = None
    mean_distance: MeanDistance = "pairs"
    self_loops: float = 1.0

    def __post_init__(self) -> None:
        _one_of("kernel", self.kernel, get_args(KernelName))
        _one_of("symmetrise", self.symmetrise, get_args(Symmetrise))
        _one_of("mean_distance", self.mean_distance, get_args(MeanDistance))
        if not 0 < self.self_loops < float("inf"):
            raise UserError(f"self_loops must be a positive weight, not {self.self_loops!r}")
        if self.approx is not None:
            _one_of("approx", self.approx, get_args(Approx))
        if self.fused is not None:
            _one_of("fused", self.fused, get_args(Fused))
        if isinstance(self.k, Mapping):
            for view, k in self.k.items():
                _whole(f"k of view '{view}'", k)
            per_view = {name: int(self.k[name]) for name in sorted(self.k)}
            object.__setattr__(self, "k", MappingProxyType(per_view))
        else:
            _whole("k", self.k)
            object.__setattr__(self, "k", int(self.k))
        if self.scale_neighbour is not None:
            _whole("scale_neighbour", self.scale_neighbour)
            smallest = min(self.k.values(), default=1) if isinstance(self.k, Mapping) else self.k
            if self.scale_neighbour > smallest:
                raise UserError(f"scale_neighbour = {self.scale_neighbour} must be at most k = {smallest}")

    def __hash__(self) -> int:
        return hash(self.hash)

    def k_of(self, view: str) -> int:
        """Neighbours per row of one view."""
        if not isinstance(self.k, Mapping):
            return self.k
        if view not in self.k:
            raise UserError(f"k names no number of neighbours for view '{view}'; it names {_listed(self.k)}")
        return self.k[view]

    def check_views(self, views: Iterable[str], given: Iterable[str] = ()) -> None:
        """Raise UserError unless `k`, when given per view, names exactly the views that get a kNN graph.

        Args:
            views: all views; given: those of them whose graph is given, which have no k.
        """
        names, ready = sorted(views), set(given)
        if isinstance(self.k, Mapping):
            for view in self.k:
                if view not in names:
                    raise UserError(f"k names view '{view}', which the data has not; it has {_listed(names)}")
                if view in ready:
                    raise UserError(f"k names view '{view}', whose graph is given and has no k; leave it out")
        for view in names:
            if view not in ready:
                self.k_of(view)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain JSON values; what is rarely set only where set, so that hashes stay."""
        rare = {
            "approx": self.approx,
            "fused": self.fused,
            "mean_distance": None if self.mean_distance == "pairs" else self.mean_distance,
            "self_loops": None if self.self_loops == 1.0 else self.self_loops,
        }
        return {
            "k": dict(self.k) if isinstance(self.k, Mapping) else self.k,
            "kernel": self.kernel,
            "symmetrise": self.symmetrise,
            "scale_neighbour": self.scale_neighbour,
            **{name: value for name, value in rare.items() if value is not None},
        }

    def of_view(self, view: str) -> dict[str, Any]:
        """What concerns one view, as plain JSON values: other views' k and what comes after left out."""
        concerned = {**self.to_json(), "k": self.k_of(view)}
        for later in ("fused", "self_loops"):
            concerned.pop(later, None)
        return concerned

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> GraphSettings:
        """The settings that `to_json` wrote."""
        unknown = sorted(set(value) - set(cls.__dataclass_fields__))
        if unknown:
            raise UserError(
                f"graph setting '{unknown[0]}' is unknown; known are {_listed(cls.__dataclass_fields__)}"
            )
        return cls(**value)

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"


def _one_of(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"{what} {value!r} is unknown; choose one of {_listed(choices)}")


def _whole(what: str, value: object) -> None:
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < 1:
        raise UserError(f"{what} must be a whole number of at least 1, not {value!r}")
