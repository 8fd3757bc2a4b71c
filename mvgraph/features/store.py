"""Features of clips on disk: one small file a clip while extraction runs, sharded HDF5 files afterwards.

A part appears under its final name only when it is whole (`os.replace`), a shard likewise, and parts are
removed after their shard stands: whenever the process is killed, what was finished is found again. Every array has
HDF5's own checksum (Fletcher-32), which the library compares at each read; files that an extraction finds damaged are
set aside, and their clips are extracted again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mvgraph.data.atomic import atomic_path
from mvgraph.data.hdf5 import opened
from mvgraph.data.integrity import set_aside
from mvgraph.errors import UserError

CLIPS_PER_SHARD = 64
_MOST_CHUNK_BYTES = 1 << 30
#: From this version on the headers have checksums too.
_LIBVER = "v110"
_SETTINGS = "settings.json"
_SKIPPED = "skipped.json"

Arrays = Mapping[str, np.ndarray]


class FeatureStore:
    """Arrays by clip and name in a folder.

    Args:
        folder: where the shards lie.

    Raises:
        UserError: the folder holds no features.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not (self.folder / _SETTINGS).is_file():
            raise UserError(f"{str(folder)!r} holds no extracted features.")
        content = _read_json(self.folder / _SETTINGS)
        self.settings: dict[str, Any] = content["settings"]
        self.names: tuple[str, ...] = tuple(content["clips"])
        self._number = {name: number for number, name in enumerate(self.names)}

    @classmethod
    def create(cls, folder: str | Path, names: Sequence[str], settings: Mapping[str, Any]) -> FeatureStore:
        """Open the store of these clips and settings, making it if it is not there.

        Raises:
            UserError: the folder holds features of other clips or settings, or a clip is named twice.
        """
        folder = Path(folder)
        wanted = {"settings": dict(settings), "clips": list(names)}
        if len(set(names)) != len(names):
            twice = next(name for name in names if list(names).count(name) > 1)
            raise UserError(f"The clip {twice!r} is named more than once.")
        if (folder / _SETTINGS).is_file():
            store = cls(folder)
            for what, found, expected in (
                ("settings", store.settings, json.loads(json.dumps(wanted["settings"]))),
                ("clips", list(store.names), wanted["clips"]),
            ):
                if found != expected:
                    raise UserError(
                        f"{str(folder)!r} holds features of other {what}; give another folder or remove it."
                    )
        else:
            (folder / "parts").mkdir(parents=True, exist_ok=True)
            (folder / "shards").mkdir(exist_ok=True)
            _write_json(folder / _SETTINGS, wanted)
            store = cls(folder)
        store._sweep()
        return store

    @property
    def skipped(self) -> dict[str, str]:
        """Clips that could not be read in the last extraction, with the reason."""
        path = self.folder / _SKIPPED
        return dict(_read_json(path)) if path.is_file() else {}

    def note_skipped(self, skipped: Mapping[str, str]) -> None:
        _write_json(self.folder / _SKIPPED, dict(sorted(skipped.items())))

    def finished(self) -> set[str]:
        """Names of the clips whose features are there."""
        found = set()
        for shard in sorted((self.folder / "shards").glob("*.h5")):
            with opened(shard) as file:
                found |= {str(group.attrs["clip"]) for group in file.values()}
        parts = {path.stem for path in (self.folder / "parts").glob("*.h5")}
        return found | {name for name, number in self._number.items() if f"{number:08d}" in parts}

    def part_path(self, name: str) -> Path:
        return self.folder / "parts" / f"{self._number[name]:08d}.h5"

    def shard_path(self, name: str) -> Path:
        return self._shard(self._number[name] // CLIPS_PER_SHARD)

    def load(self, name: str, array: str) -> np.ndarray:
        """One array of one clip.

        Raises:
            UserError: unknown clip or array, a skipped clip, or a damaged file.
        """
        with self._clip(name) as group:
            if array not in group:
                raise UserError(f"Clip {name!r} has no feature {array!r}; it has {', '.join(group)}.")
            return np.asarray(group[array][()])

    def has(self, name: str, array: str) -> bool:
        """Whether a clip that was extracted has this array."""
        with self._clip(name) as group:
            return array in group

    @contextmanager
    def _clip(self, name: str) -> Iterator[h5py.Group]:
        if name not in self._number:
            raise UserError(f"{str(self.folder)!r} holds no features of a clip {name!r}.")
        key = f"{self._number[name]:08d}"
        for path, place in ((self.shard_path(name), key), (self.part_path(name), "/")):
            if path.is_file():
                with opened(path) as file:
                    if place in file:
                        yield file[place]
                        return
        reason = self.skipped.get(name)
        raise UserError(f"Clip {name!r} has no features: {reason or 'it was not extracted'}.")

    def stack(self, names: Iterable[str], array: str) -> np.ndarray:
        """One array of many clips. Shapes: -> (clips, ...)."""
        return np.stack([self.load(name, array) for name in names])

    def merge(self, everything: bool = False) -> None:
        """Gather parts into shards: those that are complete, or at the end all of them."""
        parts = {int(path.stem) for path in (self.folder / "parts").glob("*.h5")}
        for shard in sorted({number // CLIPS_PER_SHARD for number in parts}):
            first = shard * CLIPS_PER_SHARD
            members = range(first, min(first + CLIPS_PER_SHARD, len(self.names)))
            if everything or parts.issuperset(members):
                self._merge(shard, [number for number in members if number in parts])

    def _merge(self, shard: int, numbers: Sequence[int]) -> None:
        target = self._shard(shard)
        with atomic_path(target) as temporary, h5py.File(temporary, "w", libver=_LIBVER) as out:
            if target.is_file():
                with opened(target) as old:
                    for key in old:
                        if int(key) not in numbers:
                            old.copy(old[key], out, name=key)
            for number in numbers:
                with opened(self.folder / "parts" / f"{number:08d}.h5") as part:
                    out.copy(part["/"], out, name=f"{number:08d}")
        for number in numbers:
            (self.folder / "parts" / f"{number:08d}.h5").unlink()

    def _sweep(self) -> None:
        """Remove what a kill left: temporary files, parts already in a shard, and damaged parts."""
        for path in [*self.folder.glob("*/.*.tmp"), *self.folder.glob(".*.tmp")]:
            path.unlink(missing_ok=True)
        for path in [*(self.folder / "parts").glob("*.h5"), *(self.folder / "shards").glob("*.h5")]:
            if not _is_readable(path):
                set_aside(path, f"The file of features {path.parent.name}/{path.name}")
        for path in (self.folder / "parts").glob("*.h5"):
            number = int(path.stem)
            shard = self._shard(number // CLIPS_PER_SHARD)
            if shard.is_file():
                with opened(shard) as file:
                    if path.stem in file:
                        path.unlink()

    def _shard(self, number: int) -> Path:
        return self.folder / "shards" / f"{number:05d}.h5"


def write_part(path: Path, name: str, arrays: Arrays) -> None:
    """Write the arrays of one clip, atomically."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver=_LIBVER) as file:
        file.attrs["clip"] = name
        for key, array in arrays.items():
            options: dict[str, Any] = {}
            if array.size and array.ndim:  # filters need a chunk, and an empty array has none
                options = {"fletcher32": True, "chunks": _chunk_of(array)}
                if array.dtype == np.uint8:  # pictures shrink, floats hardly
                    options |= {"compression": "gzip", "compression_opts": 1}
            file.create_dataset(key, data=array, **options)


def _chunk_of(array: np.ndarray) -> tuple[int, ...]:
    """An array is read as a whole, so it is one chunk; above HDF5's largest one, a part of its first axis."""
    rows = max(1, min(array.shape[0], _MOST_CHUNK_BYTES * array.shape[0] // array.nbytes))
    return (rows, *array.shape[1:])


def _is_readable(path: Path) -> bool:
    """Whether every array of a file can be read and fits its checksum."""
    try:
        with opened(path) as file:
            file.visititems(_read_array)
    except UserError:
        return False
    return True


def _read_array(_: str, item: h5py.Group | h5py.Dataset) -> None:
    if isinstance(item, h5py.Dataset):
        item[()]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{str(path)!r} is damaged ({error}).") from None


def _write_json(path: Path, content: Any) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
