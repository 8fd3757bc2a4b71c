"""The base of data sets that are fetched on first use, converted once, and read from the cache from then on."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from mvgraph.data.cache import cache_folder, locked
from mvgraph.data.dataset import DataSet
from mvgraph.data.h5mu import FORMAT, read_h5mu
from mvgraph.data.h5mu_write import write_h5mu
from mvgraph.data.integrity import is_damaged, is_intact, seal, set_aside
from mvgraph.data.multiview import MultiViewData
from mvgraph.data.source_archive import Archive
from mvgraph.errors import UserError


class FetchedDataSet(DataSet, base=True):
    """A data set inside the archive of a package. A new one is one file: class variables, `archive` and `convert`."""

    archive: ClassVar[Archive]
    #: Counted up when `convert` changes, so that old conversions are not read any more.
    revision: ClassVar[int] = 1
    fetches: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def convert(cls, files: Mapping[str, Path]) -> MultiViewData:
        """Make the data from the verified members of the archive (path inside the archive -> file)."""

    @classmethod
    def converted_path(cls) -> Path:
        """Where the converted file is kept; its name changes with the members, the revision and the format."""
        about = [sorted(cls.archive.members.items()), cls.revision, FORMAT]
        key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
        return cache_folder() / "sets" / f"{cls.name}-{key}.h5mu"

    @classmethod
    def read(cls) -> MultiViewData:
        """Fetch and convert if that was not done yet, then read lazily.

        Raises:
            UserError: offline on first use, or an archive that is not the known one.
        """
        path = cls.converted_path()
        data = cls._readable(path)
        if data is None:
            with locked(cache_folder() / "locks" / f"{path.stem}.lock"):
                # Another process may have done it meanwhile.
                data = cls._readable(path)
                if data is None:
                    path.parent.mkdir(exist_ok=True)
                    if is_damaged(path):
                        set_aside(path, f"The converted file of data set '{cls.name}'")
                    write_h5mu(cls.convert(cls.archive.fetch()), path)
                    seal(path)
                    data = read_h5mu(path)
        return data.with_card(cls.card())

    @classmethod
    def _readable(cls, path: Path) -> MultiViewData | None:
        if not is_intact(path):
            return None
        try:
            return read_h5mu(path)
        except UserError:
            return None
