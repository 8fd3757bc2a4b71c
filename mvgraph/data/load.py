"""`load`: a name, a path or data itself -> `MultiViewData`."""

from __future__ import annotations

import dataclasses
import difflib
import os
from pathlib import Path
from typing import Any

from mvgraph.data.dataset import DataSet
from mvgraph.data.importers import ImportOptions, read_path
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError
from mvgraph.registry import datasets


def load(
    source: str | Path | type[DataSet] | MultiViewData,
    options: ImportOptions | None = None,
    **said: Any,
) -> MultiViewData:
    """Load a data set by name ("mfeat"), by path ("mine.npz") or by class.

    A registered name wins over a file of that name; write `./name` for the file. Data is handed
    back as it is.

    Parameters:
        options: what a foreign file does not say itself.
        said: the same as keywords, see `ImportOptions`: `load("mine.csv", labels="kind", prefix="_")`.

    Raises:
        UserError: an unknown name (with the nearest known ones), a missing file, a file that is refused or that
            needs options, or options for something that is no file.
    """
    options = _options(options, said)
    if isinstance(source, Path):
        return read_path(source, options)
    is_file = isinstance(source, str) and source != "" and source not in datasets and is_path(source)
    if isinstance(source, str) and is_file:
        return read_path(source, options)
    if not options.is_default:
        raise UserError(f"Import options are for files, and {source!r} is none.")
    if isinstance(source, MultiViewData):
        return source
    if isinstance(source, type):
        return _load_class(source)
    if not isinstance(source, str) or not source:
        raise UserError(f"Data must be named by a string, a path or a data set class, not {source!r}.")
    return _load_class(datasets.get(source))


def _options(options: ImportOptions | None, said: dict[str, Any]) -> ImportOptions:
    known = ImportOptions.__dataclass_fields__
    for name in said:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
            raise UserError(f"There is no import option {name!r}; {hint}")
    if options is None:
        return ImportOptions(**said)
    return dataclasses.replace(options, **said)


def is_path(source: str) -> bool:
    """Whether a string that is no registered name means a file: by a separator, an ending, or existence."""
    if any(mark in source for mark in (os.sep, os.altsep) if mark):
        return True
    is_reference = ":" in source  # module:Class
    return Path(source).exists() or (not is_reference and Path(source).suffix != "")


def _load_class(found: object) -> MultiViewData:
    if not (isinstance(found, type) and hasattr(found, "load")):
        raise UserError(f"{found!r} is not a data set class: it needs a classmethod load().")
    data = found.load()
    if not isinstance(data, MultiViewData):
        raise UserError(f"{found.__name__}.load() must return MultiViewData, not {type(data).__name__}.")
    return data
