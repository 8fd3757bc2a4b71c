"""Blocks of rows on several threads, one thread of torch each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def workers(device: torch.device) -> int:
    """Blocks that are worked on at once: torch's threads on a CPU, one on a GPU, which is parallel itself."""
    return torch.get_num_threads() if device.type == "cpu" else 1


def map_blocks(work: Callable[[int], T], starts: Iterable[int], device: torch.device) -> list[T]:
    """`work` of every block, results in order of the blocks.

    Splitting every small operation among threads would make them meet tens of thousands of times, and each
    meeting waits for whoever the system has put aside. Here they meet once. `work` must write to nothing that
    another block writes to.
    """
    blocks = list(starts)
    number = min(workers(device), len(blocks))
    if number <= 1:
        return [work(start) for start in blocks]
    threads = torch.get_num_threads()
    try:
        # The number of threads belongs to the calling thread; the default of new threads is set with it.
        with ThreadPoolExecutor(number, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, blocks))
    finally:
        torch.set_num_threads(threads)
