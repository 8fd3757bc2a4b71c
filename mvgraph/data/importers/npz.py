"""`.npz`: one array a view, labels beside them. Views are read from the file when they are first used."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import numpy as np

from mvgraph.data.door import check_finite, nan_rows
from mvgraph.data.frozen import read_only
from mvgraph.data.importers.assemble import assembled, sample_names
from mvgraph.data.importers.layout import find
from mvgraph.data.importers.limits import check_packed
from mvgraph.data.importers.missing import nan_sentence, observed_rows
from mvgraph.data.importers.npy import Header, read_header, read_values, read_view
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.importers.tree import Leaf, Node
from mvgraph.data.lazy import LazyViews
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError

#: More arrays than any file of views has.
MOST_MEMBERS = 10_000


def read_npz(path: str | Path, options: ImportOptions | None = None) -> MultiViewData:
    """Read a `.npz` file with one array a view and an array of labels.

    Nothing is unpickled; a view is read and checked when it is first used.

    Raises:
        UserError: a damaged or lying file, or something that `options` must decide.
    """
    path, options = Path(path).absolute(), options or ImportOptions()
    headers = {}
    with _opened(path) as archive:
        _check_members(archive, path)
        for member in archive.infolist():
            key = member.filename.removesuffix(".npy")
            if key in headers:
                raise UserError(f"{path}: {key} stands in the file twice.")
            with archive.open(member) as stream:
                headers[key] = read_header(stream, member.file_size, path, f"array {key!r}")
    tree: dict[str, Node] = {
        key: Leaf(header.shape, header.dtype.kind in "US", _Reading(path, key, header), key)
        for key, header in headers.items()
    }
    found = find(tree, options, path)
    key_of = {name: leaf.key for name, leaf in found.views.items()}
    dims = {
        name: leaf.shape[0] if found.transposed[name] else leaf.shape[1] for name, leaf in found.views.items()
    }
    reader = _ViewReader(path, _stamp(path), key_of, dict(found.transposed))
    observed = None
    if options.nan_is_missing or options.observed is not None or found.observed is not None:
        names = sample_names(found.ids, found.n_samples)
        observed = observed_rows(_Reads(reader), names, path, options, None, found.observed)
        hidden = {name: ~observed[:, column] for column, name in enumerate(key_of)}
        reader = replace(reader, hidden={name: rows for name, rows in hidden.items() if rows.any()})
    return assembled(
        LazyViews(dims, found.n_samples, reader),
        found.n_samples,
        path,
        options,
        labels=found.labels,
        ids=found.ids,
        groups=found.groups,
        split=found.split,
        observed=observed,
        notes=found.notes,
    )


def single_array(path: Path) -> dict[str, np.ndarray]:
    """Every array of a small `.npz` by key, for folders of files."""
    result = {}
    with _opened(path) as archive:
        _check_members(archive, path)
        for member in archive.infolist():
            with archive.open(member) as stream:
                what = f"array {member.filename.removesuffix('.npy')!r}"
                header = read_header(stream, member.file_size, path, what)
                result[member.filename.removesuffix(".npy")] = read_values(stream, header, path, what)
    return result


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except UserError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        MemoryError,
    ) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path} is damaged, truncated or not a .npz file ({reason}).") from None


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Every member an array whose claimed size its packed bytes can hold, and no bytes claimed twice."""
    members, size = archive.infolist(), path.stat().st_size
    if not members:
        raise UserError(f"{path} holds no array.")
    if len(members) > MOST_MEMBERS:
        raise UserError(f"{path} holds {len(members)} members, which no file of views needs.")
    for member in members:
        if not member.filename.endswith(".npy"):
            raise UserError(
                f"{path}: {member.filename} is not an array; a .npz file holds .npy members only."
            )
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(
                f"{path}: {member.filename} is encrypted or packed in a way that numpy never uses."
            )
        check_packed(member.file_size, member.compress_size, path, member.filename)
    if sum(member.compress_size for member in members) > size:
        raise UserError(
            f"{path}: its members claim more bytes than the file has; it is damaged or made to mislead."
        )


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class _Reading:
    path: Path
    key: str
    header: Header

    def __call__(self) -> np.ndarray:
        what = f"array {self.key!r}"
        with _opened(self.path) as archive, archive.open(f"{self.key}.npy") as stream:
            _skip(stream, self.header.length)
            return read_values(stream, self.header, self.path, what)


@dataclass(frozen=True, slots=True)
class _ViewReader:
    """Reads one view; picklable, so that data travels to worker processes without its values."""

    path: Path
    stamp: tuple[int, int]
    key_of: dict[str, str]
    transposed: dict[str, bool]
    hidden: dict[str, np.ndarray] = field(default_factory=dict)

    def __call__(self, name: str) -> np.ndarray:
        """Shapes: (N, d_v) float32 or float64, read-only; rows that are not observed are zero."""
        result = self.stored(name)
        if name in self.hidden:
            result[self.hidden[name]] = 0.0
        alone = nan_rows(result, result.shape[0])
        if alone.any():
            raise UserError(f"{self.path}: {nan_sentence(name, alone, None)}")
        check_finite(name, result)
        return read_only(result)

    def stored(self, name: str) -> np.ndarray:
        """The values as the file has them. Shapes: (N, d_v) float32 or float64."""
        key = self.key_of[name]
        what = f"array {key!r}"
        with _opened(self.path) as archive:
            if _stamp(self.path) != self.stamp:
                raise UserError(f"{self.path} has changed since it was opened; load it again.")
            member = archive.getinfo(f"{key}.npy")
            with archive.open(member) as stream:
                header = read_header(stream, member.file_size, self.path, what)

            @contextmanager
            def values() -> Iterator[IO[bytes]]:
                with archive.open(member) as stream:
                    _skip(stream, header.length)
                    yield stream

            present = None if name not in self.hidden else ~self.hidden[name]
            return read_view(values, header, self.transposed[name], self.path, what, present)


@dataclass(frozen=True, slots=True)
class _Reads(Mapping[str, np.ndarray]):
    """Views as the file has them, each read when it is looked at and not kept."""

    reader: _ViewReader

    def __getitem__(self, name: str) -> np.ndarray:
        return self.reader.stored(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.reader.key_of)

    def __len__(self) -> int:
        return len(self.reader.key_of)


def _skip(stream: IO[bytes], count: int) -> None:
    while count:
        count -= len(stream.read(count))
