"""One resolver: a string (or a class) becomes a data set, a method, a control or an encoder.

Built-in names stand in a table of lazy references; other packages add theirs through entry points
(`mvgraph.methods`, `mvgraph.datasets`, `mvgraph.controls`, `mvgraph.encoders`), the way our own
baselines do. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mvgraph.errors import UserError


@dataclass(frozen=True)
class Entry:
    """A registered name: where its object lies (`module:attribute`) and which distribution brought it."""

    name: str
    reference: str
    origin: str = "mvgraph"

    def load(self) -> Any:
        """Import the object.

        Raises:
            UserError: the reference cannot be imported.
        """
        return import_reference(self.reference, what=self.name)


def import_reference(reference: str, what: str | None = None) -> Any:
    """Import `module:attribute`.

    Raises:
        UserError: the text has no colon, the module cannot be imported, or it lacks the attribute.
    """
    module_name, colon, attribute = reference.partition(":")
    label = f"'{what}' ({reference})" if what else f"'{reference}'"
    if not colon or not module_name or not attribute:
        raise UserError(f"{label} is not of the form module:attribute.")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UserError(f"{label} cannot be imported: {error}.") from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        raise UserError(f"{label}: module {module_name} has no attribute {attribute}.") from error


@dataclass(frozen=True)
class Resolver:
    """Names of one kind of thing, built in or brought by an entry point.

    Args:
        kind: the word used in messages, e.g. "method".
        group: the entry-point group other packages register in.
        builtin: name -> `module:attribute`.
    """

    kind: str
    group: str
    builtin: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """All registered names; a built-in name cannot be taken over from outside."""
        found = {name: Entry(name, reference) for name, reference in self.builtin.items()}
        for point in sorted(entry_points(group=self.group), key=lambda p: p.name):
            found.setdefault(point.name, Entry(point.name, point.value, _distribution(point)))
        return dict(sorted(found.items()))

    def names(self) -> list[str]:
        """Registered names in alphabetical order."""
        return list(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def origin(self, name: str) -> str:
        """The distribution that brought `name`."""
        return self.entry(name).origin

    def entry(self, name: str) -> Entry:
        """The entry of `name`.

        Raises:
            UserError: unknown name; the message offers the nearest ones.
        """
        try:
            return self.entries[name]
        except KeyError:
            near = difflib.get_close_matches(name, self.entries, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(self.entries)}."
            raise UserError(f"Unknown {self.kind} '{name}'; {hint}") from None

    def get(self, name: str | type) -> Any:
        """The object called `name`; `module:Class` is imported; a class is returned as it is.

        Raises:
            UserError: unknown name, or the object cannot be imported.
        """
        if not isinstance(name, str):
            return name
        if name not in self.entries and ":" in name:
            return import_reference(name)
        return self.entry(name).load()


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "unknown"


methods = Resolver(
    kind="method",
    group="mvgraph.methods",
    builtin={
        "single-gcn": "mvgraph.fusion.single_gcn:SingleGCN",
        "mean-gcn": "mvgraph.fusion.mean_gcn:MeanGCN",
        "dm-gcn": "mvgraph.fusion.dm_gcn:DMGCN",
        "at-gcn": "mvgraph.fusion.at_gcn:ATGCN",
        "pyg": "mvgraph.fusion.pyg_conv:PyGFusion",
    },
)
datasets = Resolver(
    kind="data set",
    group="mvgraph.datasets",
    builtin={
        "avsc-simulated": "mvgraph.data.sets.simulated_tau:SimulatedTau",
        "brca": "mvgraph.data.sets.brca:Brca",
        "flavia": "mvgraph.data.sets.flavia:Flavia",
        "htad": "mvgraph.data.sets.htad:Htad",
        "kipan": "mvgraph.data.sets.kipan:Kipan",
        "lgg": "mvgraph.data.sets.lgg:Lgg",
        "mfeat": "mvgraph.data.sets.mfeat:Mfeat",
        "mnist-hog": "mvgraph.data.sets.mnist_hog:MnistHog",
        "segment": "mvgraph.data.sets.segment:Segment",
        "tau-avsc": "mvgraph.data.sets.tau_avsc:TauAvsc",
    },
)
controls = Resolver(kind="control", group="mvgraph.controls")
encoders = Resolver(
    kind="encoder",
    group="mvgraph.encoders",
    builtin={
        "efficientnet-lite0": "mvgraph.features.encoders.efficientnet_lite0:EfficientNetLite0",
        "soundnet8": "mvgraph.features.encoders.soundnet8:SoundNet8",
        "yamnet": "mvgraph.features.encoders.yamnet:YAMNet",
    },
)


def apply_control(name: str, graph: Any, seed: int, **context: Any) -> Any:
    """The graph as a control changes it.

    A control is a function of `(graph, seed)`. One that needs the data or the split as well names them as
    keyword arguments (`data`, `split`), and is given what it names.

    Args:
        name: of the control.
        seed: of whatever it draws.
        context: what a control may ask for.

    Raises:
        UserError: unknown control, or one that asks for something that is not here.
    """
    control = controls.get(name)
    asked = [p.name for p in inspect.signature(control).parameters.values() if p.kind is p.KEYWORD_ONLY]
    missing = [what for what in asked if what not in context]
    if missing:
        raise UserError(f"Control '{name}' asks for '{missing[0]}'; it can be given {', '.join(context)}.")
    return control(graph, seed, **{what: context[what] for what in asked})


@dataclass(frozen=True)
class MethodSpec:
    """A method as written in a suite, taken apart.

    Args:
        name: the whole text, e.g. "dm-gcn@identity" or "pyg:GATConv".
        cls: the method's class.
        options: options that the text itself sets, e.g. {"conv": "GATConv"}.
        control: name of the control applied to the graph first, or None.
    """

    name: str
    cls: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    control: str | None = None


def resolve_method(spec: str | type) -> MethodSpec:
    """Take a method's text apart: `<method>`, `<family>:<argument>`, `module:Class`, each with `@<control>`.

    Raises:
        UserError: unknown method, family or control.
    """
    if not isinstance(spec, str):
        return MethodSpec(getattr(spec, "name", spec.__name__), spec)
    base, at, control = spec.partition("@")
    if at:
        controls.entry(control)
    family, colon, argument = base.partition(":")
    if colon and family in methods:
        cls = methods.get(family)
        option = getattr(cls, "family_option", None)
        if option is None:
            raise UserError(f"Method '{family}' takes no argument after a colon; write '{family}'.")
        return MethodSpec(spec, cls, {option: argument}, control or None)
    return MethodSpec(spec, methods.get(base), {}, control or None)
