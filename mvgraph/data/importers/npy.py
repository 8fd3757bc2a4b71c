"""Arrays in numpy's own format, read block by block; what the header claims is checked first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from mvgraph.data.importers.limits import check_fits
from mvgraph.data.importers.tree import Leaf
from mvgraph.data.resolution import Resolution
from mvgraph.errors import UserError

#: Values moved in one go.
BLOCK_VALUES = 1 << 20


@dataclass(frozen=True, slots=True)
class Header:
    """Shape, order and type of an array, and the bytes that its header takes."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    length: int


def read_header(stream: IO[bytes], size: int, path: Path, what: str) -> Header:
    """Read the header and hold it against the bytes that follow.

    Parameters:
        size: bytes of header and values together.

    Raises:
        UserError: no array of numpy's, Python objects (pickles), structured types, or more or fewer bytes than
            the shape needs.
    """
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version in ((2, 0), (3, 0)):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"version {version}")
        length = stream.tell()
    except (
        ValueError,
        TypeError,
        SyntaxError,
        UnicodeError,
        OverflowError,
        RecursionError,
        KeyError,
    ) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path}: {what} is not an array in numpy's format ({reason}).") from None
    if dtype.hasobject:
        raise UserError(
            f"{path}: {what} holds Python objects (a pickle), which are refused; save plain arrays."
        )
    if dtype.names is not None or dtype.kind not in "fiubUS" or dtype.itemsize == 0:
        raise UserError(f"{path}: {what} holds {dtype} values, neither numbers nor strings.")
    needed = prod(int(n) for n in shape) * dtype.itemsize
    if any(n < 0 for n in shape) or needed != size - length:
        raise UserError(
            f"{path}: {what} claims shape {shape} of {dtype}, which takes {needed} bytes, but {size - length} "
            "are there."
        )
    return Header(tuple(int(n) for n in shape), bool(fortran), dtype, length)


def read_values(stream: IO[bytes], header: Header, path: Path, what: str) -> np.ndarray:
    """All values of a small array, as they are stored."""
    raw = _exactly(stream, prod(header.shape) * header.dtype.itemsize, path, what)
    order: Any = "F" if header.fortran else "C"
    return np.frombuffer(raw, dtype=header.dtype).reshape(header.shape, order=order)


def read_view(
    open_stream: Callable[[], AbstractContextManager[IO[bytes]]],
    header: Header,
    transposed: bool,
    path: Path,
    what: str,
    present: np.ndarray | None = None,
) -> np.ndarray:
    """A view with one row per sample, float32 or, where that would lose something, float64.

    Holds one block beside the result; what float32 cannot hold is read twice.

    Parameters:
        open_stream: opens the array anew, at its first value.
        present: (N,) bool, the rows whose values count; all by default.

    Shapes: (N, d_v), or (d_v, N) if transposed -> (N, d_v).
    """
    shape = header.shape if len(header.shape) == 2 else (prod(header.shape), 1)
    stored_rows, stored_columns = reversed(shape) if header.fortran else shape
    flipped = header.fortran != transposed
    check_fits(shape, path, what)
    shape = (stored_columns, stored_rows) if flipped else (stored_rows, stored_columns)
    watch = Resolution(shape, present)
    result = np.empty(watch.shape, dtype=np.float32)
    block = max(1, BLOCK_VALUES // stored_columns)
    for kind in (np.float32, np.float64):
        if kind is np.float64:
            if watch.loss() is None:
                break
            result = np.empty(watch.shape, dtype=np.float64)
        with open_stream() as stream:
            for start in range(0, stored_rows, block):
                rows = min(block, stored_rows - start)
                raw = _exactly(stream, rows * stored_columns * header.dtype.itemsize, path, what)
                part = np.frombuffer(raw, dtype=header.dtype).reshape(rows, stored_columns)
                at = (slice(None), slice(start, start + rows)) if flipped else slice(start, start + rows)
                part = part.T if flipped else part
                with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                    result[at] = part
                if kind is np.float32:
                    watch.look(part, 0 if flipped else start, start if flipped else 0)
    return result


def _exactly(stream: IO[bytes], count: int, path: Path, what: str) -> bytes:
    parts, missing = [], count
    while missing:
        part = stream.read(missing)
        if not part:
            raise UserError(f"{path}: {what} is truncated: {missing} bytes are missing.")
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def npy_leaf(path: Path) -> Leaf:
    """The array of a `.npy` file; its values are read when they are needed.

    Raises:
        UserError: see `read_header`.
    """
    with open(path, "rb") as stream:
        header = read_header(stream, path.stat().st_size, path, "the file")

    @contextmanager
    def values() -> Iterator[IO[bytes]]:
        with open(path, "rb") as stream:
            stream.seek(header.length)
            yield stream

    def read() -> np.ndarray:
        if header.dtype.kind in "US" or len(header.shape) != 2:
            with values() as stream:
                return read_values(stream, header, path, "the file")
        return read_view(values, header, False, path, "the file")

    return Leaf(header.shape, header.dtype.kind in "US", read)
