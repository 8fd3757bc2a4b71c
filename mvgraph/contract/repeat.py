"""Checks of doing it again: seeds, saved files, parameter counts."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mvgraph.contract.case import MethodCase
from mvgraph.contract.result import require
from mvgraph.contract.synthetic import blobs, graph_of, tensors
from mvgraph.graph.propagation import Propagation
from mvgraph.registry import methods
from mvgraph.training import load_checkpoint, save_checkpoint
from mvgraph.training.loop import predict


def same_seed_same_numbers(case: MethodCase) -> None:
    """Two fits from one seed agree to the last bit."""
    data = blobs()
    first, second = (case.fit(data, seed=3).probabilities() for _ in range(2))
    difference = float(np.abs(first - second).max())
    require(
        np.array_equal(first, second),
        f"two fits with seed 3 differ by up to {difference:.1e}; draw every random number from the seed.",
    )


def other_seed_other_numbers(case: MethodCase) -> None:
    """Another seed gives other weights and another answer."""
    data = blobs()
    weights = [case.create(data, seed=seed).state_dict() for seed in (0, 1)]
    require(
        any(not torch.equal(value, weights[1][name]) for name, value in weights[0].items()),
        "seeds 0 and 1 give the same initial weights; the seed is not used.",
    )
    first, second = (case.fit(data, seed=seed).probabilities() for seed in (0, 1))
    require(not np.array_equal(first, second), "seeds 0 and 1 give the same probabilities.")


def global_generators_untouched(case: MethodCase) -> None:
    """A fit leaves the global random generators of Python, numpy and torch as they were."""
    data = blobs()
    before = _generator_states()
    case.fit(data)
    for name, state in _generator_states().items():
        require(state == before[name], f"the fit moved the global random generator of {name}.")


def save_and_load(case: MethodCase) -> None:
    """A checkpoint gives the probabilities of the fit, for both selections."""
    data = blobs()
    graph = graph_of(data)
    result = case.fit(data, graph=graph)
    registered = case.spec.name.partition("@")[0].partition(":")[0] in methods
    cls: Any = None if registered and isinstance(case.method, str) else case.cls
    with tempfile.TemporaryDirectory() as folder:
        for selection in ("last", "validation"):
            save_checkpoint(result, Path(folder) / selection, selection)
            model, description = load_checkpoint(Path(folder) / selection, cls)
            require(
                description["view_dims"] == data.view_dims and description["classes"] == list(data.classes),
                "the description of the checkpoint does not hold the views and classes of the data.",
            )
            require(not model.training, "the loaded method is in training mode.")
            if case.controlled:
                continue
            p = Propagation(model.prepare(graph), tensors(data, torch.float32))
            difference = float(np.abs(predict(model, p).numpy() - result.probabilities(selection)).max())
            require(
                difference <= 1e-6,
                f"the probabilities after loading differ by {difference:.1e} (selection {selection}); keep "
                "everything the forward needs in parameters, buffers or options.",
            )


def parameter_count_is_stable(case: MethodCase) -> None:
    """The number of parameters is a whole number, in a network the same for any seed and any N.

    What fits itself may grow as its seed has it (trees); the same seed gives the same number.
    """
    data = blobs()
    seeds = (0, 1) if case.is_network else (0, 0)
    counts = [case.fit(data, seed=seed).parameters for seed in seeds]
    require(
        isinstance(counts[0], int) and counts[0] >= 0,
        f"parameter_count() is {counts[0]!r}; right is a whole number of at least 0.",
    )
    which = " and ".join(map(str, seeds))
    require(counts[0] == counts[1], f"seeds {which} give {counts[0]} and {counts[1]} parameters.")
    if case.is_network:
        larger = case.create(blobs(n_samples=2 * data.n_samples)).parameter_count()
        require(
            larger == counts[0],
            f"{data.n_samples} samples give {counts[0]} parameters, twice as many give {larger}.",
        )


def _generator_states() -> dict[str, object]:
    legacy: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - this is the one that must not move
    states: dict[str, object] = {
        "Python": random.getstate(),
        "numpy": (legacy["state"]["key"].tobytes(), legacy["state"]["pos"]),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }
    if torch.cuda.is_available():
        states["CUDA"] = torch.cuda.get_rng_state().numpy().tobytes()
    return states
