"""Small immutable containers: a read-only mapping that pickles, and read-only arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


class FrozenMapping(Mapping[str, T]):
    """A read-only mapping from names to values, in the order it was given.

    Unlike `types.MappingProxyType` it can be pickled, so that data and splits travel to worker processes.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, T] | Iterable[tuple[str, T]] = ()) -> None:
        self._items: dict[str, T] = dict(items)

    def __getitem__(self, key: str) -> T:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"FrozenMapping({self._items!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenMapping, (self._items,))


def read_only(array: np.ndarray) -> np.ndarray:
    """Mark an array that nobody else holds as read-only and return it."""
    array.setflags(write=False)
    return array


def frozen_copy(array: np.ndarray) -> np.ndarray:
    """The array itself if nobody can write to its memory, else a read-only copy."""
    if not array.flags.writeable and (array.base is None or _base_is_frozen(array)):
        return array
    return read_only(array.copy(order="C"))


def _base_is_frozen(array: np.ndarray) -> bool:
    base = array.base
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    return base is None
