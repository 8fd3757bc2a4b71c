"""The space of a search: what the method declares, and the graph and scaling it stands on, under dotted names.

`options.*` are the method's options, `training.*` fields of `TrainingOptions`, `graph.*` fields of
`GraphSettings`, `scaling.*` kind and scope.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mvgraph.errors import UserError
from mvgraph.fusion.search import Choice, Distribution, Float, Int
from mvgraph.training.options import TrainingOptions

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from mvgraph.data import MultiViewData

GROUPS = ("options", "training", "graph", "scaling")
#: Fewest and most neighbours tried; 60 is what the paper used on 45,096 clips.
NEIGHBOURS = (3, 60)


@dataclass(frozen=True)
class Settings:
    """One point of the space, with everything that is not searched: what a fit needs.

    Args:
        options: options of the method; training: of its training, None for a method that fits itself;
        graph: of the graph, None for a method that reads none; scaling: kind and scope.
    """

    options: Mapping[str, Any]
    training: Mapping[str, Any] | None
    graph: Mapping[str, Any] | None
    scaling: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {name: None if getattr(self, name) is None else dict(getattr(self, name)) for name in GROUPS}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Settings:
        """What `to_json` wrote."""
        return cls(**{name: value[name] for name in GROUPS})


@dataclass(frozen=True)
class Space:
    """Ranges by dotted name, in the order of their names."""

    ranges: Mapping[str, Distribution]

    def distributions(self) -> dict[str, BaseDistribution]:
        """The ranges as Optuna's."""
        return {name: _distribution(found) for name, found in self.ranges.items()}

    def apply(self, base: Settings, params: Mapping[str, Any]) -> Settings:
        """`base` with the values Optuna chose in their places."""
        changed = base.to_json()
        for name, value in params.items():
            group, _, key = name.partition(".")
            found = self.ranges[name]
            if isinstance(found, Choice):
                value = found.options[[_plain(option) for option in found.options].index(value)]
            changed[group] = {
                **(changed[group] or {}),
                key: list(value) if isinstance(value, tuple) else value,
            }
        return Settings(**changed)

    def params_of(self, settings: Settings) -> dict[str, Any] | None:
        """The values that would lead to `settings`; None when one of them lies outside its range."""
        params: dict[str, Any] = {}
        for name, found in self.ranges.items():
            group, _, key = name.partition(".")
            value = _plain((getattr(settings, group) or {}).get(key))
            if isinstance(found, Choice):
                inside = value in [_plain(option) for option in found.options]
            else:
                inside = isinstance(value, int | float) and found.low <= value <= found.high
                if inside and isinstance(found, Int):
                    inside = value == int(value) and (int(value) - found.low) % found.step == 0
            if not inside:
                return None
            params[name] = value
        return params

    def to_json(self) -> dict[str, Any]:
        """JSON values, for records and the study's identity."""
        return {name: {"kind": type(d).__name__.lower(), **asdict(d)} for name, d in self.ranges.items()}


def make_space(
    cls: Any,
    data: MultiViewData,
    base: Settings,
    fixed: Collection[str] = (),
    more: Mapping[str, Distribution] | None = None,
) -> Space:
    """What is searched for `cls` on `data`.

    Args:
        cls: the method's class.
        data: bounds the number of neighbours.
        base: settings that the search starts from.
        fixed: dotted names that are not searched.
        more: further ranges, or others for the same names.

    Raises:
        UserError: a name that is no setting of this method, or nothing to search.
    """
    ranges: dict[str, Distribution] = {}
    for key, found in cls.search_space().items():
        ranges[f"{_group_of(cls, key, base)}.{key}"] = found
    if base.graph is not None:
        most = min(NEIGHBOURS[1], int(data.observed.sum(axis=0).min()) - 1)
        if most > NEIGHBOURS[0]:
            ranges["graph.k"] = Int(NEIGHBOURS[0], most, log=True)
        ranges["graph.kernel"] = Choice(("exp", "self-tuning", "cosine"))
        ranges["graph.symmetrise"] = Choice(("max", "mean", "union"))
    ranges["scaling.kind"] = Choice(("zscore", "minmax", "l2"))
    ranges.update(more or {})
    for name in (*ranges, *fixed):
        _check_name(name, base)
    ranges = {name: ranges[name] for name in sorted(ranges) if name not in fixed}
    if not ranges:
        raise UserError(f"Method '{cls.name}' has nothing left to search; every setting is fixed.")
    return Space(ranges)


def _group_of(cls: Any, key: str, base: Settings) -> str:
    if key in cls.defaults():
        return "options"
    if base.training is not None and key in TrainingOptions.__dataclass_fields__:
        return "training"
    raise UserError(
        f"The search space of '{cls.name}' names '{key}', which is neither one of its options nor of training's."
    )


def _check_name(name: str, base: Settings) -> None:
    group, dot, key = name.partition(".")
    known = getattr(base, group, None) if dot and group in GROUPS else None
    if known is None or key not in known:
        can = [f"{g}.{k}" for g in GROUPS for k in (getattr(base, g) or {})]
        raise UserError(f"'{name}' is no setting of this search; there are {', '.join(can)}.")


def _plain(value: Any) -> Any:
    """A value in a form that Optuna keeps in a categorical: JSON text where it is no plain value."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, separators=(",", ":"))


def _distribution(found: Distribution) -> BaseDistribution:
    from optuna import distributions

    if isinstance(found, Float):
        return distributions.FloatDistribution(found.low, found.high, log=found.log)
    if isinstance(found, Int):
        return distributions.IntDistribution(found.low, found.high, log=found.log, step=found.step)
    return distributions.CategoricalDistribution([_plain(option) for option in found.options])
