"""`.mat`: MATLAB files of both kinds in the usual layouts of multi-view data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mvgraph.data.importers.assemble import assembled
from mvgraph.data.importers.layout import find
from mvgraph.data.importers.mat5 import mat5_tree
from mvgraph.data.importers.mat73 import mat73_tree
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError

_HDF5 = b"\x89HDF\r\n\x1a\n"


def read_mat(path: str | Path, options: ImportOptions | None = None) -> MultiViewData:
    """Read a `.mat` file: views in a cell array or struct (X, data, fea, views) or as matrices of their own.

    Rows or columns may be samples; labels may be numbers from any base, strings, a cell of strings, or nested in
    a cell. What an array is does not depend on its place in the file.

    Raises:
        UserError: a damaged or lying file, or something that `options` must decide.
    """
    path, options = Path(path).absolute(), options or ImportOptions()
    tree = mat73_tree(path) if _is_hdf5(path) else mat5_tree(path)
    if not tree:
        raise UserError(f"{path} holds no variable.")
    found = find(tree, options, path)
    views = {}
    for name, leaf in found.views.items():
        values = np.asarray(leaf.read())
        if values.shape != leaf.shape and values.size != int(np.prod(leaf.shape)):
            raise UserError(f"{path}: view {name!r} is not of the shape {leaf} that the file claims.")
        views[name] = values.T if found.transposed[name] else values
    return assembled(
        views,
        found.n_samples,
        path,
        options,
        labels=found.labels,
        ids=found.ids,
        groups=found.groups,
        split=found.split,
        stored_mask=found.observed,
        notes=found.notes,
        graphs={name: leaf.read() for name, leaf in found.graphs.items()},
    )


def _is_hdf5(path: Path) -> bool:
    """MATLAB puts 512 bytes of its own before the HDF5 signature; other writers need not."""
    with open(path, "rb") as file:
        head = file.read(520)
    return head[512:520] == _HDF5 or head[:8] == _HDF5
