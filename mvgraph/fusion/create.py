"""From a method's text and options to an object, with the user's mistakes caught."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from mvgraph.errors import UserError
from mvgraph.fusion.base import EstimatorMethod, Method, NetworkMethod
from mvgraph.registry import MethodSpec, resolve_method

if TYPE_CHECKING:
    from mvgraph.data import MultiViewData


def create(
    method: str | type[Method],
    data: MultiViewData | None = None,
    *,
    view_dims: Mapping[str, int] | None = None,
    n_classes: int | None = None,
    seed: int = 0,
    **options: Any,
) -> Any:
    """Make a method, its weights drawn from `seed`.

    Args:
        method: registered name, `family:argument`, `module:Class`, or a class.
        data: takes view widths and number of classes from here.
        view_dims: view -> d_v, instead of `data`.
        n_classes: C, instead of `data`.
        seed: of the initial weights; the global generator is left as it was.
        options: the method's own.

    Returns:
        A `NetworkMethod` or an `EstimatorMethod`.

    Raises:
        UserError: unknown method or option, or neither data nor widths for a network.
    """
    spec = resolve_method(method)
    if not (isinstance(spec.cls, type) and issubclass(spec.cls, NetworkMethod | EstimatorMethod)):
        raise UserError(f"'{spec.name}' is neither a NetworkMethod nor an EstimatorMethod of mvgraph.fusion.")
    options = check_options(spec, options)
    if issubclass(spec.cls, EstimatorMethod):
        return spec.cls(**options)
    if data is not None:
        view_dims, n_classes = data.view_dims, data.n_classes
    if view_dims is None or n_classes is None:
        raise UserError(f"'{spec.name}' needs data, or view_dims and n_classes, to know its widths.")
    # Weights are drawn on the CPU; the generators of other devices are left alone.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return spec.cls(view_dims, n_classes, **options)


def check_options(spec: MethodSpec, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `spec` together with `options`, lists turned into tuples.

    Raises:
        UserError: an option that the method does not have; the nearest one is offered.
    """
    known = spec.cls.defaults()
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(known) or 'none'}."
            raise UserError(f"Method '{spec.name}' has no option '{name}'; {hint}")
    merged = {**spec.options, **options}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in merged.items()}
