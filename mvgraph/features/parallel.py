"""Work over many files in several processes: bounded memory, one thread a process, errors told by item."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from mvgraph.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]

_QUEUED_PER_WORKER = 4


def over_files(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int = 1
) -> Generator[tuple[Item, Result | UserError], None, None]:
    """Apply a picklable function to every item; a `UserError` comes back as a value beside its item.

    With one worker everything happens in this process and in order; with more, items come back as they finish.
    Closing the iterator early cancels what has not started.

    Raises:
        UserError: `workers` < 1, or a worker process was killed (memory).
        Exception: whatever else `function` raised: a defect, not a bad file.
    """
    if workers < 1:
        raise UserError(f"At least one worker is needed, not {workers}.")
    if workers == 1:
        for item in items:
            yield item, _guarded(function, item)
        return
    waiting: dict[Future[Result | UserError], Item] = {}
    source = iter(items)
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread) as pool:
        try:
            while True:
                while len(waiting) < _QUEUED_PER_WORKER * workers:
                    try:
                        item = next(source)
                    except StopIteration:
                        break
                    waiting[pool.submit(_guarded, function, item)] = item
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        except BrokenProcessPool:
            raise UserError(
                "A worker process was killed, most likely for want of memory; give fewer workers and start again: "
                "finished files are kept."
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _guarded(function: Callable[[Item], Result], item: Item) -> Result | UserError:
    try:
        return function(item)
    except UserError as error:
        return error


def _one_thread() -> None:
    """Processes share the cores already; libraries loaded later read the environment."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    importlib.import_module("threadpoolctl").threadpool_limits(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
