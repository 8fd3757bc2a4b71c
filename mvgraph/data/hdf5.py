"""Reading HDF5 files that may lie: no links out, no objects, no headers larger than the file can hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from mvgraph.data.resolution import Resolution, may_lose
from mvgraph.errors import UserError

#: Below this size (bytes) a header is believed; above, the file must hold the bytes it declares.
BELIEVED_BYTES = 64 << 20
#: Deflate packs at most 1032 bytes into one; a larger ratio means that the data was never written.
MOST_PACKED = 1032
#: Values of a table looked at in one go.
TABLE_VALUES = 1 << 20
#: More objects than any file of views has.
MOST_OBJECTS = 100_000


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading and turn every failure of the library into one sentence.

    Without locks: our writers only ever replace whole files, and read-only folders refuse locks.

    Raises:
        UserError: the file is missing, truncated, damaged, or not HDF5.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except UserError:
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is damaged, truncated or not an HDF5 file ({reason}).") from None


def refuse_links(file: h5py.File, path: Path, references: bool = False) -> None:
    """Walk over the whole file and refuse every soft or external link; each object is visited once.

    Parameters:
        references: let references to objects of the same file stand (the cells of MATLAB).

    Raises:
        UserError: naming the link.
    """
    seen = set()
    waiting = [("", file["/"])]
    while waiting:
        prefix, group = waiting.pop()
        for name in group:
            place = f"{prefix}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
                raise UserError(f"{path}: {place} is {kind}, and a data file must hold its own data.")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MOST_OBJECTS:
                raise UserError(f"{path} holds more than {MOST_OBJECTS} objects, which no data file needs.")
            if isinstance(item, h5py.Group):
                waiting.append((place, item))
            elif isinstance(item, h5py.Dataset):
                _check_storage(item, path, references)


def _check_storage(dataset: h5py.Dataset, path: Path, references: bool) -> None:
    if dataset.is_virtual or dataset.external:
        raise UserError(f"{path}: {dataset.name} takes its values from another file, which is refused.")
    is_cell = references and h5py.check_ref_dtype(dataset.dtype) is h5py.Reference
    if dataset.dtype.kind == "O" and h5py.check_string_dtype(dataset.dtype) is None and not is_cell:
        raise UserError(f"{path}: {dataset.name} holds objects or references, which are refused.")
    declared = dataset.size * dataset.dtype.itemsize if dataset.size else 0
    if declared > BELIEVED_BYTES and declared > MOST_PACKED * dataset.id.get_storage_size():
        raise UserError(
            f"{path}: {dataset.name} declares {dataset.shape} values, but the file does not hold them."
        )


def group_at(parent: h5py.Group, name: str, path: Path) -> h5py.Group:
    """The group called `name`.

    Raises:
        UserError: there is none.
    """
    item = parent.get(name)
    if not isinstance(item, h5py.Group):
        raise UserError(f"{path} lacks the group {parent.name.rstrip('/')}/{name}.")
    return item


def dataset_at(parent: h5py.Group, name: str, path: Path) -> h5py.Dataset:
    """The dataset called `name`.

    Raises:
        UserError: there is none.
    """
    item = parent.get(name)
    if not isinstance(item, h5py.Dataset):
        raise UserError(f"{path} lacks the array {parent.name.rstrip('/')}/{name}.")
    return item


def table_of(dataset: h5py.Dataset) -> np.ndarray:
    """All values of a table, float32 or, where that would lose something, float64.

    Holds one block beside the result; what float32 cannot hold is read twice.

    Shapes: (M, d).
    """
    result = np.empty(dataset.shape, dtype=np.float32)
    if not may_lose(dataset.dtype) or not dataset.size:
        if dataset.size:
            dataset.read_direct(result)
        return result
    watch = Resolution(dataset.shape)
    # Whole chunks, so that none is unpacked twice.
    chunk = dataset.chunks[0] if dataset.chunks else 1
    block = -(-max(1, TABLE_VALUES // dataset.shape[1]) // chunk) * chunk
    for start in range(0, dataset.shape[0], block):
        part = dataset[start : start + block]
        watch.look(part, start)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            result[start : start + block] = part
    if watch.loss() is not None:
        result = np.empty(dataset.shape, dtype=np.float64)
        dataset.read_direct(result)
    return result


def integers_at(parent: h5py.Group, name: str, path: Path) -> np.ndarray:
    """A one-dimensional integer array. Shapes: (M,) int64."""
    dataset = dataset_at(parent, name, path)
    if dataset.ndim != 1 or dataset.dtype.kind not in "iu":
        raise UserError(f"{path}: {dataset.name} must be a list of integers.")
    return np.asarray(dataset[()]).astype(np.int64)


def strings_at(parent: h5py.Group, name: str, path: Path) -> np.ndarray:
    """A one-dimensional array of strings. Shapes: (M,) str."""
    dataset = dataset_at(parent, name, path)
    if dataset.ndim != 1 or h5py.check_string_dtype(dataset.dtype) is None:
        raise UserError(f"{path}: {dataset.name} must be a list of strings.")
    return np.asarray(dataset.asstr()[()], dtype=np.str_) if dataset.size else np.zeros(0, dtype="<U1")


def text_at(parent: h5py.Group, name: str, path: Path) -> str:
    """One string."""
    dataset = dataset_at(parent, name, path)
    if dataset.shape != () or h5py.check_string_dtype(dataset.dtype) is None:
        raise UserError(f"{path}: {dataset.name} must be one string.")
    return str(dataset.asstr()[()])
