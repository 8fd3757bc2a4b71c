"""Bytes of a MATLAB v5 file, plain or compressed, and the elements they form."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import IO, Literal

import numpy as np

from mvgraph.data.importers.limits import check_packed
from mvgraph.errors import UserError

#: Bytes that are unpacked at a time.
_PIECE = 1 << 20
ByteOrder = Literal["little", "big"]


def truncated(path: Path) -> UserError:
    """The sentence about a file that ends too early."""
    return UserError(f"{path} is truncated: it ends in the middle of a variable.")


class Plain:
    """Bytes as they stand in the file, up to the end of one element."""

    def __init__(self, file: IO[bytes], length: int, path: Path) -> None:
        self.file, self.left, self.path = file, length, path

    def take(self, count: int) -> np.ndarray:
        """The next bytes. Shapes: (count,) uint8."""
        if count > self.left:
            raise truncated(self.path)
        data = np.fromfile(self.file, dtype=np.uint8, count=count)
        if data.size < count:
            raise truncated(self.path)
        self.left -= count
        return data


class Inflated:
    """Bytes of a compressed element, unpacked as they are needed."""

    def __init__(self, file: IO[bytes], length: int, path: Path) -> None:
        self.file, self.left, self.path, self.packed = file, length, path, length
        self.unpacker = zlib.decompressobj()
        self.ready = memoryview(b"")

    def take(self, count: int) -> np.ndarray:
        """The next bytes. Shapes: (count,) uint8."""
        check_packed(count, self.packed, self.path, "a variable")
        result = np.empty(count, dtype=np.uint8)
        filled = 0
        while filled < count:
            if not self.ready:
                self._more()
            part = self.ready[: count - filled]
            result[filled : filled + len(part)] = np.frombuffer(part, dtype=np.uint8)
            filled += len(part)
            self.ready = self.ready[len(part) :]
        return result

    def finish(self) -> None:
        """Unpack to the end of the stream, where zlib keeps its checksum."""
        while not self.unpacker.eof and not self.ready:
            self._more(ending=True)

    def _more(self, ending: bool = False) -> None:
        packed = self.unpacker.unconsumed_tail
        if not packed and self.left:
            packed = self.file.read(min(_PIECE, self.left))
            self.left -= len(packed)
        try:
            self.ready = memoryview(self.unpacker.decompress(packed, _PIECE))
        except zlib.error as error:
            raise UserError(f"{self.path}: a compressed variable is damaged ({error}).") from None
        if not self.ready and not (ending and self.unpacker.eof) and (self.unpacker.eof or not packed):
            raise truncated(self.path)


class Elements:
    """Data elements one after the other: a tag with type and length, then values."""

    def __init__(self, stream: Plain | Inflated, order: ByteOrder) -> None:
        self.stream, self.order = stream, order

    def number(self, raw: bytes, signed: bool = False) -> int:
        """An integer in the byte order of the file."""
        return int.from_bytes(raw, self.order, signed=signed)

    def tag(self) -> tuple[int, int, bytes | None]:
        """Type, bytes of values, and the values themselves where they stand inside the tag."""
        raw = self.stream.take(8).tobytes()
        first = self.number(raw[:4])
        if first >> 16:
            return first & 0xFFFF, first >> 16, raw[4 : 4 + min(first >> 16, 4)]
        return first, self.number(raw[4:]), None

    def values(self, room: int) -> tuple[int, np.ndarray, int]:
        """Type and bytes of one element, at most `room` bytes long, and the bytes it takes up with its padding."""
        kind, length, inside = self.tag()
        if inside is not None:
            if length > 4:
                raise self.odd(f"a short element of {length} bytes")
            return kind, np.frombuffer(inside, dtype=np.uint8), 8
        if 8 + length > room:
            raise self.odd("values that are longer than what holds them")
        data = self.stream.take(length)
        # The last element may come without its padding.
        padding = min(-length % 8, room - 8 - length)
        self.stream.take(padding)
        return kind, data, 8 + length + padding

    def odd(self, what: str) -> UserError:
        """The sentence about something that no writer writes."""
        return UserError(f"{self.stream.path} is damaged or made to mislead: it has {what}.")
