"""Gammatonegram of one clip on one core: all three planes, against the PyPI package, which gives one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from floors import gammatone_floor, machine_rates
from threadpoolctl import threadpool_limits
from workload import Scale

from mvgraph.features.gammatone import BANDS, HOP_SECONDS, SAMPLE_RATE, WINDOW_SECONDS, gammatonegram

Note = Callable[..., None]
WHAT = "gammatonegram of a 10 s clip, one core"


@pytest.fixture(scope="module")
def clip(scale: Scale) -> Iterator[np.ndarray]:
    """(samples, 2), ten seconds at the paper's scale; one thread as long as it is in use."""
    seconds = 10 if scale.name == "paper" else 1
    with threadpool_limits(1):
        yield np.random.default_rng(0).standard_normal((seconds * SAMPLE_RATE, 2))


def test_gammatone_ours(benchmark: Any, note: Note, clip: np.ndarray) -> None:
    rates = machine_rates(torch.float64)
    note(WHAT, "mvgraph", one_core=rates, **gammatone_floor(len(clip)).note(rates))
    found = benchmark.pedantic(lambda: gammatonegram(clip, SAMPLE_RATE), rounds=20, warmup_rounds=2)
    assert found.shape[0] == BANDS


def test_gammatone_package(benchmark: Any, note: Note, clip: np.ndarray) -> None:
    """Left, right and difference, as the three planes need them."""
    reference = pytest.importorskip("gammatone.gtgram")
    note(WHAT, "gammatone 1.0.3")
    left, right = clip.T

    def all_planes() -> list[np.ndarray]:
        return [
            reference.gtgram(wave, SAMPLE_RATE, WINDOW_SECONDS, HOP_SECONDS, BANDS, 0)
            for wave in (left, right, left - right)
        ]

    assert len(benchmark.pedantic(all_planes, rounds=3)) == 3
