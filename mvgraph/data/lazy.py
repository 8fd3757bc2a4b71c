"""Views that stay on disk until somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np


class LazyViews(Mapping[str, np.ndarray]):
    """View name -> array, read and validated on first access and kept from then on.

    Names and widths are known without reading. The reader opens its file for each access and closes it again,
    so that nothing open crosses a fork; a pickled copy carries the reader, not the arrays.

    Parameters:
        dims: width d_v of each view.
        n_samples: number of rows N of every view.
        reader: a picklable callable, view name -> read-only float32 or float64 array.
        wide: names of the views that may be float64, where that is known without reading.

    Shapes: each value is (N, d_v).
    """

    __slots__ = ("_cache", "_dims", "_n_samples", "_reader", "wide")

    def __init__(
        self,
        dims: Mapping[str, int],
        n_samples: int,
        reader: Callable[[str], np.ndarray],
        wide: Iterable[str] | None = None,
    ) -> None:
        self._dims = {name: int(dims[name]) for name in sorted(dims)}
        self._n_samples = int(n_samples)
        self._reader = reader
        self._cache: dict[str, np.ndarray] = {}
        self.wide = None if wide is None else frozenset(wide)

    @property
    def dims(self) -> dict[str, int]:
        return dict(self._dims)

    @property
    def n_samples(self) -> int:
        return self._n_samples

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the views that have been read so far."""
        return tuple(name for name in self._dims if name in self._cache)

    def restrict(self, names: Iterable[str]) -> LazyViews:
        """The same views under fewer names; what one of the two has read, the other need not read again."""
        dims = {name: self._dims[name] for name in names}
        chosen = LazyViews(dims, self._n_samples, self._reader, self.wide)
        chosen._cache = self._cache
        return chosen

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._dims:
            raise KeyError(name)
        if name not in self._cache:
            self._cache[name] = self._reader(name)
        return self._cache[name]

    def peek(self, name: str) -> np.ndarray:
        """A view without keeping it, for those who look at one view after the other."""
        return self._cache[name] if name in self._cache else self._reader(name)

    def __contains__(self, name: object) -> bool:
        return name in self._dims

    def __iter__(self) -> Iterator[str]:
        return iter(self._dims)

    def __len__(self) -> int:
        return len(self._dims)

    def __repr__(self) -> str:
        return f"LazyViews({self._dims}, loaded={self.loaded})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (LazyViews, (self._dims, self._n_samples, self._reader, self.wide))
