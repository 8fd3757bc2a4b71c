"""Checks of what a method says about itself: names, options, search space."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np

from mvgraph.contract.case import MethodCase
from mvgraph.contract.result import CheckFailed, require
from mvgraph.contract.synthetic import blobs, graph_of
from mvgraph.errors import UserError
from mvgraph.fusion import Choice, Distribution, Float, Int, Tags
from mvgraph.registry import methods
from mvgraph.training import TrainingOptions


def metadata(case: MethodCase) -> None:
    """Name, title, paper, tags and a docstring with shapes."""
    cls = case.cls
    for attribute in ("name", "title", "paper"):
        value = getattr(cls, attribute, None)
        require(
            isinstance(value, str) and value.strip(),
            f"{cls.__name__}.{attribute} is {value!r}; give the method its {attribute}.",
        )
    require(isinstance(cls.tags, Tags), f"{cls.__name__}.tags is {cls.tags!r}, not a Tags.")
    require("Shapes:" in (cls.__doc__ or ""), f"The docstring of {cls.__name__} has no 'Shapes:' block.")
    base = case.spec.name.partition("@")[0]
    if base not in methods and cls.family_option is not None:
        base = base.partition(":")[0]
    if base in methods:
        require(
            cls.name == base,
            f"{cls.__name__} is registered as '{base}', but its name is '{cls.name}'.",
        )
    if cls.family_option is not None:
        require(
            cls.family_option in cls.defaults(),
            f"{cls.__name__}.family_option is '{cls.family_option}', which is none of its options.",
        )


def options_survive_json(case: MethodCase) -> None:
    """The options a method was made with can be written down, and make the same method again."""
    data = blobs()
    for name, default in case.cls.defaults().items():
        _as_json(default, f"the default of option '{name}'")
    given = case.options(data.view_names)
    method = case.create(data)
    kept = _as_json(method.get_options(), "get_options()")
    expected = _as_json({**case.cls.defaults(), **case.spec.options, **given}, "the options given")
    for name, value in expected.items():
        require(
            name in kept and kept[name] == value,
            f"option '{name}' was {value!r} when the method was made, and get_options() has {kept.get(name)!r}.",
        )
    again = _as_json(case.create(data, **kept).get_options(), "get_options()")
    require(again == kept, f"a method made from get_options() has the options {again}, not {kept}.")


def unknown_option_is_refused(case: MethodCase) -> None:
    """An option that the method does not have is the user's mistake, and says so."""
    try:
        case.create(blobs(), no_such_option=1)
    except UserError as error:
        require("no_such_option" in str(error), f"the message '{error}' does not name the unknown option.")
        return
    raise CheckFailed("an option that does not exist was accepted in silence.")


def search_space_works(case: MethodCase) -> None:
    """Every hyper-parameter is known and sensible, and both ends and the middle make a working method."""
    space = case.cls.search_space()
    training = {field.name for field in fields(TrainingOptions)}
    known = set(case.cls.defaults()) | training
    for name, distribution in space.items():
        require(
            name in known, f"search_space() has '{name}', which is no option of the method or of training."
        )
        require(
            case.is_network or name not in training,
            f"search_space() has the training option '{name}', but the method fits itself.",
        )
        _check_distribution(name, distribution)
    if not space:
        return
    rng = np.random.default_rng(0)
    data = blobs()
    graph = graph_of(data)
    for draw in ("the lower ends", "the upper ends", "a random draw"):
        values = {name: _sample(distribution, draw, rng) for name, distribution in space.items()}
        options = {name: value for name, value in values.items() if name not in training}
        schedule = {name: value for name, value in values.items() if name in training}
        try:
            result = case.fit(data, graph=graph, training={"epochs": 1, **schedule}, **options)
        except Exception as error:
            raise CheckFailed(f"{draw} of search_space() ({values}) fail: {error}") from error
        require(
            np.isfinite(result.probabilities()).all(),
            f"{draw} of search_space() ({values}) give probabilities that are not finite.",
        )


def _check_distribution(name: str, distribution: Distribution) -> None:
    if isinstance(distribution, Choice):
        require(len(distribution.options) > 0, f"search_space()['{name}'] has nothing to choose from.")
        _as_json(distribution.options, f"search_space()['{name}']")
        return
    require(
        isinstance(distribution, Float | Int),
        f"search_space()['{name}'] is {distribution!r}, not a Float, Int or Choice.",
    )
    low, high = distribution.low, distribution.high
    require(low < high, f"search_space()['{name}'] runs from {low} to {high}, which is no range.")
    require(
        not distribution.log or low > 0,
        f"search_space()['{name}'] is on a log scale and starts at {low}; it must start above 0.",
    )


def _sample(distribution: Distribution, draw: str, rng: np.random.Generator) -> Any:
    if isinstance(distribution, Choice):
        ends = {"the lower ends": 0, "the upper ends": len(distribution.options) - 1}
        return distribution.options[ends.get(draw, int(rng.integers(len(distribution.options))))]
    low, high = distribution.low, distribution.high
    if draw == "the lower ends":
        return low
    if draw == "the upper ends":
        return high
    share = rng.random()
    value = float(low * (high / low) ** share) if distribution.log else float(low + share * (high - low))
    return round(value) if isinstance(distribution, Int) else value


def _as_json(value: Any, what: str) -> Any:
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError) as error:
        raise CheckFailed(f"{what} cannot be written as JSON: {error}.") from error
