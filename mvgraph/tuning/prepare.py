"""From what a caller gives to the task of a search: method, split, inner splits and space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mvgraph.bench.resolve import ResolvedMethod, resolve_entry
from mvgraph.bench.suite import MethodEntry, SplitSpec, Suite, parse_part, parse_suite
from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion.search import Distribution
from mvgraph.tuning.inner import blinded, inner_splits
from mvgraph.tuning.objective import Task
from mvgraph.tuning.space import GROUPS, Settings, make_space


def resolve(
    method: str, settings: Mapping[str, Mapping[str, Any]] | None = None, dataset: str = "data"
) -> ResolvedMethod:
    """A method with every default written out, as a suite would have it.

    Raises:
        UserError: unknown method, option or setting.
    """
    for group in settings or {}:
        if group not in GROUPS:
            raise UserError(f"There are no settings '{group}'; there are {', '.join(GROUPS)}.")
    entry = parse_part(MethodEntry, {"method": method, **(settings or {})}, "the search")
    suite: Suite = parse_suite({"name": "search", "datasets": [dataset], "methods": [entry.model_dump()]})
    return resolve_entry(entry, suite)


def fixed_names(settings: Mapping[str, Mapping[str, Any]] | None) -> list[str]:
    """Dotted names of the settings that were given, and are therefore not searched."""
    return sorted(f"{group}.{key}" for group, values in (settings or {}).items() for key in values)


def make_task(
    resolved: ResolvedMethod,
    data: MultiViewData,
    split: Split,
    *,
    fixed: Sequence[str] = (),
    space: Mapping[str, Distribution] | None = None,
    inner: int,
    objective: str,
    selection: str,
    seed: int,
    base: Settings | None = None,
) -> Task:
    """What is searched, on data whose labels outside training and validation rows are hidden from here on.

    Raises:
        UserError: method and data do not fit, or an argument is wrong.
    """
    unfit = resolved.unfit_for(data)
    if unfit is not None:
        raise UserError(unfit)
    hidden = blinded(data, split)
    base = base or Settings(options=resolved.options, **resolved.settings_for(hidden))
    name = resolved.name if resolved.control is None else f"{resolved.name}@{resolved.control}"
    return Task(
        method=name,
        data=hidden,
        inner=inner_splits(hidden, split, inner, seed),
        base=base,
        space=make_space(resolved.cls, hidden, base, fixed, space),
        objective=objective,
        selection=selection,
        seed=seed,
    )


def split_spec(rate: float | None, splits: Mapping[str, Any] | None) -> dict[str, Any]:
    """The split specification of a search, one split of it.

    Raises:
        UserError: both are given, or an unknown scheme or argument.
    """
    if splits is not None and rate is not None:
        raise UserError("Give rate or splits, not both.")
    found = {
        "scheme": "label-rate",
        "rate": 0.1 if rate is None else rate,
        "validation": 0.2,
        "n": 1,
        "seed": 0,
    }
    if splits is not None:
        spec = parse_part(SplitSpec, splits, "splits")
        found = {"scheme": spec.scheme, **spec.arguments()}
        if "n" in found:
            found["n"] = 1
    return found
