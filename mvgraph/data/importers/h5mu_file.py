"""`.h5mu`: our own files lazily, files of other tools through the importer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py

from mvgraph.data import hdf5
from mvgraph.data.card import Card
from mvgraph.data.h5mu import read_h5mu
from mvgraph.data.importers.h5ad import read_foreign_h5mu
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError


def read_h5mu_file(path: str | Path, options: ImportOptions | None = None) -> MultiViewData:
    """Read a `.h5mu` file; one that mvgraph wrote says everything itself and takes no options.

    A data set that never got a name is called as its file.

    Raises:
        UserError: see `read_h5mu` and `read_foreign_h5mu`.
    """
    path, options = Path(path).absolute(), options or ImportOptions()
    with hdf5.opened(path) as file:
        uns = file.get("uns") if isinstance(file.get("uns", getlink=True), h5py.HardLink) else None
        is_ours = isinstance(uns, h5py.Group) and "mvgraph" in uns
    if not is_ours:
        return read_foreign_h5mu(path, options)
    if not options.is_default:
        raise UserError(
            f"{path} was written by mvgraph and says itself what is what; leave the import options out."
        )
    data = read_h5mu(path)
    return data if data.name != Card().name else data.with_card(replace(data.card, name=path.stem))
