"""What a file of arrays holds, before anybody has decided what it means: leaves, cells and structs with addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class Leaf:
    """An array of numbers or strings that is read when it is needed.

    Parameters:
        shape: as the file has it.
        is_text: whether it holds strings.
        read: gives the array.
        key: what the file calls it.
    """

    shape: tuple[int, ...]
    is_text: bool
    read: Callable[[], np.ndarray] = field(repr=False)
    key: str = ""

    @property
    def is_matrix(self) -> bool:
        """Whether it can be a view: numbers in two dimensions, neither of length one."""
        return not self.is_text and len(self.shape) == 2 and min(self.shape) > 1

    @property
    def is_column(self) -> bool:
        """Whether it can be one value per sample: one dimension, or two of which one has length one."""
        return len(self.shape) == 1 or (len(self.shape) == 2 and min(self.shape) == 1)

    def column(self) -> np.ndarray:
        """The values of a column. Shapes: (N,), (N, 1) or (1, N) -> (N,)."""
        return np.asarray(self.read()).reshape(-1)

    def __str__(self) -> str:
        return " x ".join(str(size) for size in self.shape) or "one value"


@dataclass(frozen=True, slots=True)
class Cell:
    """A MATLAB cell array, read down its columns."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Struct:
    """A MATLAB struct with one element."""

    fields: Mapping[str, Node]


Node = Leaf | Cell | Struct


def array_leaf(array: np.ndarray) -> Leaf:
    """An array that is in memory already."""
    return Leaf(tuple(array.shape), array.dtype.kind in "US", lambda: array)


def children(address: str, node: Node) -> Iterator[tuple[str, Node]]:
    """What stands directly inside a node, with addresses as MATLAB writes them: `X{2}`, `data.audio`."""
    if isinstance(node, Cell):
        for number, item in enumerate(node.items, 1):
            yield f"{address}{{{number}}}", item
    elif isinstance(node, Struct):
        for name, item in node.fields.items():
            yield f"{address}.{name}" if address else name, item


def addresses(tree: Mapping[str, Node]) -> dict[str, Node]:
    """Every node by its address, parents before children."""
    found: dict[str, Node] = {}
    waiting = list(reversed(list(tree.items())))
    while waiting:
        address, node = waiting.pop()
        found[address] = node
        waiting += reversed(list(children(address, node)))
    return found
