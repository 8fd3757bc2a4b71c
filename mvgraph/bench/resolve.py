"""One line of a suite's `methods` -> class, options and settings with every default written out."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mvgraph import registry
from mvgraph.bench.canonical import plain
from mvgraph.bench.suite import MethodEntry, ScalingSpec, Suite, parse_part
from mvgraph.code_identity import code_identity
from mvgraph.errors import UserError
from mvgraph.fusion.base import EstimatorMethod
from mvgraph.graph import GraphSettings
from mvgraph.training.options import TrainingOptions

if TYPE_CHECKING:
    from mvgraph.data import MultiViewData
    from mvgraph.fusion.base import Tags


@dataclass(frozen=True)
class ResolvedMethod:
    """A method ready to be planned.

    Args:
        name: registered name, or `module:Class`.
        label: name in tables.
        cls: the class.
        control: name of the control, or None.
        options: all options.
        training: all training options, None when the method fits itself.
        graph: all graph settings, None when neither the method nor its control reads a graph.
        scaling: kind and scope.
        tune: trials, inner, objective, seed and selection of the search in every cell, and the names it leaves
            `fixed`; None without one.
        code: identity of the code of the `method` and of the `control`, where it is not mvgraph's own.
    """

    name: str
    label: str
    cls: Any
    control: str | None
    options: Mapping[str, Any]
    training: Mapping[str, Any] | None
    graph: Mapping[str, Any] | None
    scaling: Mapping[str, Any]
    tune: Mapping[str, Any] | None = None
    code: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tags(self) -> Tags:
        """The method's capabilities."""
        tags: Tags = self.cls.tags
        return tags

    def settings_for(self, data: MultiViewData) -> dict[str, Any]:
        """Training, graph and scaling settings on one data set; a k equal for all its views is one number."""
        graph = None if self.graph is None else dict(self.graph)
        if graph is not None and isinstance(graph["k"], Mapping):
            GraphSettings.from_json(graph).check_views(data.view_names, data.graphs)
            if len(set(graph["k"].values())) == 1:
                graph["k"] = next(iter(graph["k"].values()))
        scaling = dict(self.scaling)
        if data.imputation is None:
            scaling.pop("imputation", None)
        return {
            "training": None if self.training is None else dict(self.training),
            "graph": graph,
            "scaling": scaling,
        }

    def unfit_for(self, data: MultiViewData) -> str | None:
        """Why the method cannot run on `data`, or None."""
        if not self.tags.missing_views and not bool(data.observed.all()):
            return f"{self.label} cannot use samples that lack a view, and {data.name} has some."
        return None


def resolve_entry(entry: MethodEntry, suite: Suite) -> ResolvedMethod:
    """Resolve names and fill in defaults.

    Raises:
        UserError: unknown method, control, option or setting; the message names the entry.
    """
    spec = registry.resolve_method(entry.method)
    where = f"Suite '{suite.name}', method '{entry.shown}'"
    options = fill_options(spec.cls, {**entry.options, **spec.options}, where)
    for key, value in spec.options.items():
        if key in entry.options and entry.options[key] != value:
            raise UserError(f"{where}: option '{key}' is set twice, by the name and under options.")
    estimator = isinstance(spec.cls, type) and issubclass(spec.cls, EstimatorMethod)
    if estimator and entry.training:
        raise UserError(f"{where}: it fits itself and takes no training options; remove 'training'.")
    uses_graph = spec.cls.tags.uses_graph
    if not uses_graph and (entry.graph or spec.control):
        raise UserError(f"{where}: it reads no graph, so it takes neither graph settings nor a control.")
    return ResolvedMethod(
        name=_method_name(entry.method),
        label=entry.shown,
        cls=spec.cls,
        control=spec.control,
        options=options,
        training=None if estimator else fill_training({**suite.training, **entry.training}, where),
        graph=fill_graph({**suite.graph, **entry.graph}, where) if uses_graph else None,
        scaling=fill_scaling({**suite.scaling.model_dump(), **entry.scaling}, where),
        tune=_tune_of(entry, suite, spec.options),
        code=_code_of(spec.cls, spec.control),
    )


def _code_of(cls: Any, control: str | None) -> dict[str, Any]:
    parts = {"method": cls, **({} if control is None else {"control": registry.controls.get(control)})}
    found = {what: code_identity(thing) for what, thing in parts.items()}
    return {what: identity.to_json() for what, identity in found.items() if identity is not None}


def _tune_of(entry: MethodEntry, suite: Suite, named: Mapping[str, Any]) -> dict[str, Any] | None:
    """The search of one method; what the entry or the method's own text sets is not searched."""
    found = suite.tune_of(entry)
    if found is None:
        return None
    groups = {
        "options": {**entry.options, **named},
        "training": entry.training,
        "graph": entry.graph,
        "scaling": entry.scaling,
    }
    fixed = sorted(f"{group}.{key}" for group, values in groups.items() for key in values)
    return {**found.model_dump(), "selection": suite.selection, "fixed": fixed}


def _method_name(text: str) -> str:
    """The registered name behind a method's text; a class found by path goes by the name it is registered under."""
    base = text.partition("@")[0]
    if base in registry.methods:
        return base
    family = base.partition(":")[0]
    if family in registry.methods:
        return family
    for known in registry.methods:
        if known.reference == base:
            return known.name
    return base


def fill_options(cls: Any, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All options of `cls`, `given` over its defaults.

    Raises:
        UserError: an option that does not exist, is missing or has no JSON form.
    """
    defaults = cls.defaults()
    takes_more = any(
        p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(cls.__init__).parameters.values()
    )
    for key in given:
        if key not in defaults and not takes_more:
            raise UserError(f"{where}: unknown option '{key}'; {_near(key, defaults)}")
    filled = {}
    for key, value in {**defaults, **given}.items():
        if value is inspect.Parameter.empty:
            raise UserError(f"{where}: option '{key}' must be given.")
        try:
            filled[key] = _number_like(plain(value), defaults.get(key))
        except TypeError as error:
            raise UserError(f"{where}: option '{key}' cannot be written to a file: {error}.") from None
    return filled


def fill_training(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All training options.

    Raises:
        UserError: an unknown option or a wrong value.
    """
    defaults = TrainingOptions().to_json()
    for key in given:
        if key not in defaults:
            raise UserError(f"{where}: unknown training option '{key}'; {_near(key, defaults)}")
    alike = {key: _number_like(value, defaults[key]) for key, value in given.items()}
    return dict(plain(_made(lambda: TrainingOptions.from_mapping(alike).to_json(), where)))


def fill_graph(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All graph settings.

    Raises:
        UserError: an unknown setting or a wrong value.
    """
    return dict(plain(_made(lambda: GraphSettings.from_json(given).to_json(), where)))


def fill_scaling(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Kind and scope; the scope of a scaling that learns nothing from other rows is always "all".

    `imputation` stands there only where it is not the usual one, so that cells keep their ids.

    Raises:
        UserError: an unknown key or a wrong value.
    """
    scaling = parse_part(ScalingSpec, given, f"{where}, scaling").model_dump()
    if scaling["kind"] in ("none", "l2"):
        scaling["scope"] = "all"
    if scaling["imputation"] == "all":
        del scaling["imputation"]
    return dict(scaling)


def _number_like(value: Any, default: Any) -> Any:
    """`value` in the number type of `default`: 500.0 epochs are 500, a rate of 1 is 1.0."""
    numbers = int | float
    if isinstance(value, bool) or isinstance(default, bool) or not isinstance(value, numbers):
        return value
    if isinstance(default, int) and isinstance(value, float) and value.is_integer():
        return int(value)
    return float(value) if isinstance(default, float) else value


def _made(make: Any, where: str) -> Any:
    try:
        return make()
    except (UserError, TypeError, ValueError) as error:
        raise UserError(f"{where}: {str(error).rstrip('.')}.") from None


def _near(key: str, known: Any) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known)) or 'none'}."
