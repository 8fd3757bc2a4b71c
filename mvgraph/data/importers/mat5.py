"""MATLAB v5 files (save -v7 and older): cells, structs, strings and sparse matrices.

A reader of our own, because scipy's takes types and indices as the file gives them and crashes the process on
damaged files.

Source: MathWorks, "MAT-File Format" (R2023b), chapter 1: data elements, array flags, compressed elements.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from mvgraph.data.importers.limits import check_fits
from mvgraph.data.importers.mat5_stream import ByteOrder, Elements, Inflated, Plain, truncated
from mvgraph.data.importers.sparse import checked_sparse
from mvgraph.data.importers.tree import Cell, Leaf, Node, Struct, array_leaf
from mvgraph.errors import UserError

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR, _SPARSE, _NUMERIC = 1, 2, 4, 5, range(6, 16)
_ONLY_MATLAB = {
    3: "an object",
    16: "a function handle",
    17: "an object (table, string or categorical)",
}
_COMPLEX = 0x08
_DEEPEST = 16


def mat5_tree(path: Path) -> dict[str, Node]:
    """Variables of the file; what it claims is held against the bytes that are there before they are read.

    Raises:
        UserError: a damaged or lying file, objects, complex numbers, structs with more than one element.
    """
    size = path.stat().st_size
    tree: dict[str, Node] = {}
    with open(path, "rb") as file:
        header = file.read(128)
        mark = header[126:128]
        if len(header) < 128 or mark not in (b"IM", b"MI"):
            raise UserError(
                f"{path} is not a MATLAB v5 file; v4 files are not read (save with -v7 or -v7.3)."
            )
        order: ByteOrder = "little" if mark == b"IM" else "big"
        while (at := file.tell()) < size:
            kind, length = _tag(file.read(8), order, path)
            end = at + 8 + length
            if end > size:
                raise truncated(path)
            if kind == _COMPRESSED:
                packed = Inflated(file, length, path)
                _Reader(Elements(packed, order), path).element(None, 0, tree, "")
                packed.finish()
            elif kind == _MATRIX:
                _Reader(Elements(Plain(file, length, path), order), path).matrix(length, 0, tree, "")
            file.seek(end)
    return tree


def _tag(raw: bytes, order: ByteOrder, path: Path) -> tuple[int, int]:
    if len(raw) < 8:
        raise truncated(path)
    return int.from_bytes(raw[:4], order), int.from_bytes(raw[4:], order)


class _Reader:
    """Reads one variable with everything inside it."""

    def __init__(self, elements: Elements, path: Path) -> None:
        self.elements, self.path = elements, path
        self.order = "<" if elements.order == "little" else ">"

    def element(self, room: int | None, depth: int, into: dict[str, Node], place: str) -> int:
        """One matrix element, at most `room` bytes long; returns the bytes it takes up."""
        kind, length, inside = self.elements.tag()
        if kind != _MATRIX or inside is not None:
            raise self.elements.odd(f"an element of type {kind} where a matrix must stand")
        if room is not None and 8 + length > room:
            raise self.elements.odd("a cell that is larger than what holds it")
        self.matrix(length, depth, into, place)
        return 8 + length

    def matrix(self, length: int, depth: int, into: dict[str, Node], place: str) -> None:
        """The inside of a matrix element, put into `into` under `place` or, at the top, under its own name."""
        if depth > _DEEPEST:
            raise self.elements.odd(f"cells nested deeper than {_DEEPEST}")
        if length == 0:
            into[place] = array_leaf(np.zeros((0, 0)))
            return
        _, flags, used = self.elements.values(min(length, 64))
        kind = self.elements.number(flags[:4].tobytes()) & 0xFF if flags.size == 8 else 0
        if kind in _ONLY_MATLAB:
            raise UserError(
                f"{self.path} holds {_ONLY_MATLAB[kind]} of MATLAB, which only MATLAB can read; save plain arrays "
                "and cells."
            )
        _, dims, part = self.elements.values(min(length - used, 1024))
        used += part
        if dims.size < 8 or dims.size % 4:
            raise self.elements.odd("an array without a shape")
        shape = tuple(dims.view(f"{self.order}i4").tolist())
        if min(shape) < 0:
            raise self.elements.odd(f"an array of shape {shape}")
        _, name, part = self.elements.values(min(length - used, 4096))
        used += part
        place = place or name.tobytes().decode("ascii", "replace")
        if not place or place in into:
            raise self.elements.odd(f"a variable named {place!r} that has no name of its own")
        is_complex = bool(self.elements.number(flags[:4].tobytes()) >> 8 & _COMPLEX)
        if is_complex:
            raise UserError(f"{self.path}: {place} holds complex numbers, which are not supported.")
        read = {_CELL: self._cell, _STRUCT: self._struct, _CHAR: self._char, _SPARSE: self._sparse}.get(kind)
        if read is None and kind not in _NUMERIC:
            raise self.elements.odd(f"an array of class {kind}")
        node, part = (read or self._numeric)(shape, length - used, depth, place)
        into[place] = node
        if length - used - part < 0:
            raise self.elements.odd("an array that is larger than its own element")
        self.elements.stream.take(length - used - part)

    def _plain(self, room: int, place: str) -> tuple[np.ndarray, int]:
        """Numbers in the type they are stored in. Shapes: (M,)."""
        kind, data, used = self.elements.values(room)
        if kind not in _TYPES or data.size % np.dtype(_TYPES[kind]).itemsize:
            raise self.elements.odd(f"values of type {kind} in {place}")
        return data.view(f"{self.order}{_TYPES[kind]}"), used

    def _numeric(self, shape: tuple[int, ...], room: int, depth: int, place: str) -> tuple[Node, int]:
        if prod(shape) == 0 and room < 8:
            return array_leaf(np.zeros(shape)), 0
        values, used = self._plain(room, place)
        self._check_count(values.size, shape, place)
        return array_leaf(values.reshape(shape, order="F")), used

    def _char(self, shape: tuple[int, ...], room: int, depth: int, place: str) -> tuple[Node, int]:
        if prod(shape) == 0:
            return array_leaf(np.asarray([""])), 0
        kind, data, used = self.elements.values(room)
        if kind not in _TEXTS or len(shape) != 2:
            raise self.elements.odd(f"text of type {kind} and shape {shape} in {place}")
        coding = _TEXTS[kind]
        wide = coding.startswith("utf-") and coding != "utf-8"
        try:
            text = data.tobytes().decode(
                f"{coding}-{'le' if self.order == '<' else 'be'}" if wide else coding
            )
        except UnicodeDecodeError as error:
            raise self.elements.odd(f"text that is not {coding} in {place} ({error.reason})") from None
        self._check_count(len(text), shape, place)
        rows = [text[row :: shape[0]] for row in range(shape[0])]
        return array_leaf(np.asarray(rows, dtype=np.str_)), used

    def _sparse(self, shape: tuple[int, ...], room: int, depth: int, place: str) -> tuple[Node, int]:
        if len(shape) != 2:
            raise self.elements.odd(f"a sparse array of shape {shape}")
        check_fits(shape, self.path, f"the sparse array {place}")
        indices, first = self._plain(room, place)
        pointers, second = self._plain(room - first, place)
        values, third = self._plain(room - first - second, place)
        for part in (indices, pointers):
            if part.dtype.kind not in "iu":
                raise self.elements.odd(f"indices that are not whole numbers in {place}")
        # MATLAB may reserve more room than there are values.
        count = int(pointers[-1]) if pointers.size else 0
        parts = (values[:count], indices[:count].astype(np.int64), pointers.astype(np.int64))
        size = (int(shape[0]), int(shape[1]))

        def read() -> np.ndarray:
            return checked_sparse("csc", *parts, size, self.path, place)

        return Leaf(size, False, read), first + second + third

    def _cell(self, shape: tuple[int, ...], room: int, depth: int, place: str) -> tuple[Node, int]:
        names = self._names(prod(shape), place)
        items, used = self._items(prod(shape), names, room, depth)
        return Cell(tuple(items.values())), used

    def _struct(self, shape: tuple[int, ...], room: int, depth: int, place: str) -> tuple[Node, int]:
        _, width_raw, first = self.elements.values(min(room, 16))
        width = self.elements.number(width_raw.tobytes())
        _, texts, second = self.elements.values(room - first)
        if width <= 0 or texts.size % width:
            raise self.elements.odd(f"names of fields that do not fit in {place}")
        raw = [texts[i : i + width].tobytes() for i in range(0, texts.size, width)]
        fields = [text.partition(b"\0")[0].decode("ascii", "replace") for text in raw]
        if prod(shape) != 1:
            raise UserError(
                f"{self.path}: {place} is a struct array of {prod(shape)} elements; save a cell array instead."
            )
        if len(set(fields)) != len(fields) or "" in fields:
            raise self.elements.odd(f"two fields of one name in {place}")
        items, used = self._items(len(fields), fields, room - first - second, depth)
        return Struct(items), first + second + used

    def _names(self, count: int, place: str) -> Any:
        return (f"{place}{{{i}}}" for i in range(1, count + 1))

    def _items(self, count: int, names: Any, room: int, depth: int) -> tuple[dict[str, Node], int]:
        # An empty element takes eight bytes.
        if count * 8 > room:
            raise self.elements.odd(f"a cell or struct of {count} elements in {room} bytes")
        items: dict[str, Node] = {}
        used = 0
        for name in names:
            used += self.element(room - used, depth + 1, items, name)
        return items, used

    def _check_count(self, count: int, shape: tuple[int, ...], place: str) -> None:
        if count != prod(shape):
            raise UserError(f"{self.path}: {place} claims shape {shape}, but {count} values are there.")
