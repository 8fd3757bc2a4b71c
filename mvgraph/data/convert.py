"""From a file in any form to a `.h5mu` file that says everything itself."""

from __future__ import annotations

from pathlib import Path

from mvgraph.data.h5mu_write import write_h5mu
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.load import load
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError


def convert(
    source: str | Path, target: str | Path, options: ImportOptions | None = None, compact: bool = False
) -> MultiViewData:
    """Read a data set by path (or name) and write it as `.h5mu`, one view at a time.

    Parameters:
        source: a file or folder that `load` reads, or a registered name.
        target: path of the new file, ending in `.h5mu`; a file of that name is replaced when the new one is whole.
        options: what the source does not say itself.
        compact: pack the views; smaller and slower.

    Returns:
        The data as it was read.

    Raises:
        UserError: the source is refused, needs options, or the target cannot be written.
    """
    target = Path(target)
    if target.suffix.lower() != ".h5mu":
        raise UserError(f"{target}: the converted file must end in .h5mu.")
    if Path(source).exists() and target.exists() and target.samefile(source):
        raise UserError(f"{target} is the file that is read; give another name.")
    data = load(source, options)
    write_h5mu(data, target, compact)
    return data
