"""Reading the variables of a TensorFlow SavedModel without TensorFlow.

`variables.index` is a sorted string table (LevelDB's format, uncompressed) from names to small protocol
messages that say type, shape, offset and size; `variables.data-00000-of-00001` holds the numbers, one array
after the other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from mvgraph.errors import UserError

_MAGIC = 0xDB4775248B80FB57
_FLOAT32 = 1
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def read_variables(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """All float32 variables by name, without the suffix TensorFlow adds.

    Raises:
        UserError: the index or the data is damaged.
    """
    problem = "The TensorFlow variables are damaged"
    if len(index) < 48 or struct.unpack("<Q", index[-8:])[0] != _MAGIC:
        raise UserError(f"{problem}: the index does not end as a sorted string table does.")
    try:
        position = 0
        for _ in range(2):  # the handle of the meta index is not needed
            _, position = _varint(index[-48:], position)
        offset, position = _varint(index[-48:], position)
        size, _ = _varint(index[-48:], position)
        variables = {}
        for _, handle in _block(index, offset, size):
            start, used = _varint(handle, 0)
            for key, value in _block(index, start, _varint(handle, used)[0]):
                array = _array(value, data) if key else None  # the empty key is the table's header
                if array is not None:
                    variables[key.decode().removesuffix(_SUFFIX)] = array
    except (IndexError, struct.error, ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{problem} ({error}).") from None
    return variables


def _array(entry: bytes, data: bytes) -> np.ndarray | None:
    dtype = offset = size = 0
    shape: tuple[int, ...] = ()
    for field, value in _message(entry):
        if field == 1 and isinstance(value, int):
            dtype = value
        elif field == 4 and isinstance(value, int):
            offset = value
        elif field == 5 and isinstance(value, int):
            size = value
        elif field == 2 and isinstance(value, bytes):
            dims = [dim for number, dim in _message(value) if number == 2 and isinstance(dim, bytes)]
            shape = tuple(
                next((int(v) for n, v in _message(dim) if n == 1 and isinstance(v, int)), 0) for dim in dims
            )
    if dtype != _FLOAT32:
        return None
    if offset + size > len(data) or size != 4 * int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"an array of shape {shape} does not lie inside the data")
    return np.frombuffer(data, dtype="<f4", count=size // 4, offset=offset).reshape(shape).copy()


def _varint(buffer: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise ValueError("a number longer than 64 bits")


def _block(buffer: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Entries of a block; keys share prefixes with the ones before them."""
    if offset + size >= len(buffer) or size < 4:
        raise ValueError("a block outside the index")
    if buffer[offset + size] != 0:
        raise ValueError("a compressed block")
    block = buffer[offset : offset + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    end = size - 4 - 4 * restarts
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        fresh, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def _message(buffer: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields of a protocol message: number and value."""
    position = 0
    while position < len(buffer):
        tag, position = _varint(buffer, position)
        kind = tag & 7
        value: int | bytes
        if kind == 0:
            value, position = _varint(buffer, position)
        elif kind == 2:
            length, position = _varint(buffer, position)
            value = buffer[position : position + length]
            position += length
        elif kind in (1, 5):
            width = 8 if kind == 1 else 4
            value = int.from_bytes(buffer[position : position + width], "little")
            position += width
        else:
            raise ValueError(f"a field of unknown kind {kind}")
        yield tag >> 3, value
