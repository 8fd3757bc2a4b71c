"""Save and load a fitted network: weights as safetensors, everything else as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mvgraph.data.safetensors import read_tensors, write_tensors
from mvgraph.errors import UserError
from mvgraph.fusion import NetworkMethod, create
from mvgraph.registry import methods
from mvgraph.training.result import FitResult

#: Rises when the JSON part changes in a way that older code cannot read.
FORMAT = 1


def save(result: FitResult, path: str | Path, selection: str = "last") -> Path:
    """Write `<path>.safetensors` and `<path>.json`.

    Args:
        result: of a network; estimators have no weights to keep.
        path: without suffix.
        selection: whose weights to keep, "last" or "validation".

    Returns:
        The path of the JSON file.

    Raises:
        UserError: the method has no weights, or the selection is unknown.
    """
    if selection not in result.selections:
        raise UserError(f"selection='{selection}': choose one of {', '.join(result.selections)}.")
    state = result.selections[selection].state
    if state is None:
        raise UserError(f"'{result.method}' has no network weights, so there is no checkpoint to save.")
    stem = Path(path)
    write_tensors(state, stem.with_name(stem.name + ".safetensors"))
    description = {
        "format": FORMAT,
        "method": result.method,
        "options": dict(result.options),
        "view_dims": dict(result.view_dims),
        "classes": list(result.classes),
        "selection": selection,
        "epoch": result.selections[selection].epoch,
        "training": dict(result.training),
        "seed": result.seed,
    }
    target = stem.with_name(stem.name + ".json")
    temporary = target.with_name(target.name + ".tmp")
    temporary.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, target)
    return target


def load(path: str | Path, method: type[NetworkMethod] | None = None) -> tuple[NetworkMethod, dict[str, Any]]:
    """Read what `save` wrote.

    Args:
        path: as given to `save`, with or without a suffix.
        method: the class, for a method that is not registered; a file never names code to import.

    Returns:
        The network in evaluation mode, and the description.

    Raises:
        UserError: a file is missing or damaged, or the weights do not fit the description.
    """
    stem = Path(path)
    if stem.suffix in (".json", ".safetensors"):
        stem = stem.with_suffix("")
    target = stem.with_name(stem.name + ".json")
    try:
        description = json.loads(target.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no checkpoint {target}.") from None
    except ValueError:
        raise UserError(f"{target} is not JSON; it does not come from mvgraph, or it is damaged.") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise UserError(f"{target} is not a checkpoint of format {FORMAT}.")
    for key, kind in (("method", str), ("options", dict), ("view_dims", dict), ("classes", list)):
        if not isinstance(description.get(key), kind):
            raise UserError(f"{target} is damaged: its entry '{key}' is missing or no {kind.__name__}.")
    try:
        model = create(
            method or _registered(description["method"], target),
            view_dims={view: int(width) for view, width in description["view_dims"].items()},
            n_classes=len(description["classes"]),
            **description["options"],
        )
    except TypeError as error:
        raise UserError(f"{target} is damaged: its options make no method ({error}).") from None
    if not isinstance(model, NetworkMethod):
        raise UserError(f"{target} is of method '{description['method']}', which has no weights to load.")
    try:
        model.load_state_dict(read_tensors(stem.with_name(stem.name + ".safetensors")))
    except RuntimeError as error:
        raise UserError(f"The weights beside {target} do not fit it: {str(error).splitlines()[0]}") from None
    return model.eval(), description


def _registered(name: str, source: Path) -> str:
    base = name.partition("@")[0]
    if base not in methods and base.partition(":")[0] not in methods:
        raise UserError(
            f"{source} is of method '{name}', which is not registered here; pass method=<its class>."
        )
    return base
