"""Scale, machine rates and the notes that the report reads from each benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
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


def _best_of(action: Callable[[], Any], rounds: int = 7) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.fixture(scope="session")
def rates() -> dict[str, float]:
    """What this machine can do at best: GEMM in FLOP/s (float32), memory in B/s (copy, read plus write)."""
    a, b = torch.randn(4096, 1024), torch.randn(1024, 1024)
    target = torch.empty(4096, 1024)
    gemm = 2 * 4096 * 1024 * 1024 / _best_of(lambda: torch.mm(a, b, out=target))
    source = torch.randn(32 * 2**20)
    copy = torch.empty_like(source)
    bandwidth = 2 * source.numel() * 4 / _best_of(lambda: copy.copy_(source))
    return {"gemm_flops": gemm, "bytes_per_second": bandwidth}


@pytest.fixture
def note(benchmark: Any, scale: Scale) -> Callable[..., None]:
    """Write down what the report needs: whose figure it is, of what, and the floor under it."""

    def write(what: str, who: str, **more: Any) -> None:
        benchmark.group = what
        benchmark.extra_info.update(
            {"what": what, "who": who, "scale": scale.name, "nodes": scale.nodes, **more}
        )

    return write
