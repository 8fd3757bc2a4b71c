"""Files in foreign forms -> `MultiViewData`. One file each; this table says which ending goes where."""

from __future__ import annotations

from pathlib import Path

from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError
from mvgraph.registry import import_reference

__all__ = ["IMPORTERS", "ImportOptions", "read_path"]

#: File name ending -> `module:function`, called with path and options; imported when first used.
IMPORTERS: dict[str, str] = {
    ".h5mu": "mvgraph.data.importers.h5mu_file:read_h5mu_file",
    ".h5ad": "mvgraph.data.importers.h5ad:read_h5ad",
    ".npz": "mvgraph.data.importers.npz:read_npz",
    ".mat": "mvgraph.data.importers.mat:read_mat",
    ".csv": "mvgraph.data.importers.table:read_table",
    ".tsv": "mvgraph.data.importers.table:read_table",
    ".parquet": "mvgraph.data.importers.table:read_table",
}
#: Who reads a folder of one file per view.
FOLDER = "mvgraph.data.importers.folder:read_folder"


def read_path(path: str | Path, options: ImportOptions | None = None) -> MultiViewData:
    """Read a data file by its ending, or a folder of one file per view.

    Raises:
        UserError: no such file, an ending that nobody reads, or what the reader refuses.
    """
    path, options = Path(path), options or ImportOptions()
    reference = FOLDER if path.is_dir() else IMPORTERS.get(path.suffix.lower())
    if reference is None:
        raise UserError(
            f"{path} cannot be read: its ending must be one of {', '.join(sorted(IMPORTERS))}, "
            f"not {path.suffix or 'nothing'!r}."
        )
    if not path.exists():
        raise UserError(f"There is no file {path}.")
    reader = import_reference(reference, what=path.suffix or "folder")
    data: MultiViewData = reader(path, options)
    return data
