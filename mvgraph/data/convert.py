"""From a file in any form to a `.h5mu` file that says everything itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mvgraph.data.atomic import check_target
from mvgraph.data.h5mu_write import write_h5mu
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.load import load
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError


def convert(
    source: str | Path,
    target: str | Path,
    options: ImportOptions | None = None,
    compact: bool = False,
    *,
    name: str | None = None,
    overwrite: bool = False,
) -> MultiViewData:
    """Read a data set by path (or name) and write it as `.h5mu`, one view at a time.

    Parameters:
        source: a file or folder that `load` reads, or a registered name.
        target: path of the new file, ending in `.h5mu`.
        options: what the source does not say itself.
        compact: pack the views; smaller and slower.
        name: name of the data set; default: that of the new file, without its ending. What it was called before
            is kept on the card as its source.
        overwrite: whether a file of that path is replaced (when the new one is whole).

    Returns:
        The data as it was written; views are read from the source.

    Raises:
        UserError: the source is refused, needs options, or the target is there already or cannot be written.
    """
    target = Path(target)
    if target.suffix.lower() != ".h5mu":
        raise UserError(f"{target}: the converted file must end in .h5mu.")
    if Path(source).exists() and target.exists() and target.samefile(source):
        raise UserError(f"{target} is the file that is read; give another name.")
    called = set_name(target, name)
    check_target(target, overwrite)
    data = load(source, options)
    data = data.with_card(replace(data.card, name=called, source=_origin(data, called, source)))
    write_h5mu(data, target, compact)
    return data


def set_name(target: Path, name: str | None) -> str:
    """What the data set in a new file is called: as said, else as the file.

    Raises:
        UserError: the name said is empty or has blanks at its ends.
    """
    if name is None:
        return target.stem
    if not name or name != name.strip():
        raise UserError(f"The name of a data set must not be empty or end in blanks, as {name!r} does.")
    return name


def _origin(data: MultiViewData, called: str, source: str | Path) -> str:
    """The card's source, and under which name the data was known."""
    said = data.card.source
    if called == data.name or said == f"imported from {Path(source).name}":
        return said
    was = f"converted from the data set {data.name!r}"
    return f"{said}; {was}" if said else was
