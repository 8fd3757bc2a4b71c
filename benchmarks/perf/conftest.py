"""Scale, machine rates and the notes that the report reads from each benchmark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from floors import machine_rates
from workload import SCALES, Scale, Workload, make_workload


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--scale paper` measures at the paper's 45,096 nodes; the default is small and only shows that all runs."""
    parser.addoption("--scale", default="small", choices=sorted(SCALES))


@pytest.fixture(scope="session")
def scale(request: pytest.FixtureRequest) -> Scale:
    """Sizes of this run."""
    return SCALES[request.config.getoption("--scale")]


@pytest.fixture(scope="session")
def workload(scale: Scale) -> Workload:
    """Data, split and graph, made once."""
    return make_workload(scale)


@pytest.fixture(scope="session")
def rates() -> dict[str, float]:
    """What this machine can do at best, in float32; see `machine_rates`."""
    return machine_rates()


@pytest.fixture
def note(benchmark: Any, scale: Scale) -> Callable[..., None]:
    """Write down what the report needs: whose figure it is, of what, and the floor under it."""

    def write(what: str, who: str, **more: Any) -> None:
        benchmark.group = what
        benchmark.extra_info.update(
            {"what": what, "who": who, "scale": scale.name, "nodes": scale.nodes, **more}
        )

    return write
