"""Which file of a folder is what: views, labels, ids, the mask, groups and the split, told by their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from mvgraph.data.importers.columns import ID_NAMES, LABEL_NAMES, listing, the_one, usual
from mvgraph.data.importers.folder_pieces import holds_labels_alone
from mvgraph.data.importers.options import ImportOptions
from mvgraph.errors import UserError

_ENDINGS = (".npy", ".npz", ".csv", ".parquet")
#: Lines of text, one a sample: labels, ids, groups or a split, never a view.
_LINES = ".txt"
#: How a file is called that holds the ids of one view's rows: `audio_ids.csv`, `audio.ids.npy`, `audio_ids.txt`.
IDS_ENDINGS = ("_ids", ".ids")
#: Tables that hold labels where no file is named like labels.
_ABOUT_NAMES = frozenset(("meta", "metadata", "annotation", "annotations"))
_MASK_NAME = "observed"


@dataclass(frozen=True, slots=True)
class Roles:
    """The files of a folder by what they hold.

    Parameters:
        views: name of a view -> file of its values.
        ids_of: name of a view -> file of the ids of its rows.
        labels, ids, observed: files that say it for all samples, or None.
        columns: name of a group or split -> its own file.
        left: names of files that nobody reads.
    """

    views: Mapping[str, Path]
    ids_of: Mapping[str, Path]
    labels: Path | None
    ids: Path | None
    observed: Path | None
    columns: Mapping[str, Path]
    left: tuple[str, ...]


def find_files(path: Path, options: ImportOptions) -> Roles:
    """Sort the files of a folder.

    Raises:
        UserError: no file of a view, two files of one name, or something that `options` must decide.
    """
    asked = [
        options.labels,
        options.id_column,
        options.observed,
        options.split_column,
        *options.group_columns,
    ]
    files = _files(path, {name for name in asked if name})
    labels = _labels(files, options, path)
    if options.id_column in files:
        ids: str | None = options.id_column
    else:
        ids = the_one(files, ID_NAMES, None, "ids", path)
    mask = _mask(files, options, path)
    named = [name for name in (*options.group_columns, options.split_column) if name in files]
    side = [name for name in dict.fromkeys((labels, ids, mask, *named)) if name is not None]
    ids_of_stem = {
        stem.removesuffix(ending): stem
        for ending in IDS_ENDINGS
        for stem in files
        if stem.endswith(ending) and stem.removesuffix(ending) in files and stem not in side
    }
    chosen = _views(files, {*side, *ids_of_stem.values()}, options, path)
    ids_of = {view: files[ids_of_stem[stem]] for view, stem in chosen.items() if stem in ids_of_stem}
    used = {files[stem] for stem in (*chosen.values(), *side)} | {*ids_of.values()}
    taken = {file.name for file in used}
    left = sorted(f.name for f in path.iterdir() if f.name not in taken and not f.name.startswith("."))
    return Roles(
        views={view: files[stem] for view, stem in chosen.items()},
        ids_of=ids_of,
        labels=None if labels is None else files[labels],
        ids=None if ids is None else files[ids],
        observed=None if mask is None else files[mask],
        columns={name: files[name] for name in named if name is not None and name != labels},
        left=tuple(left),
    )


def _files(path: Path, asked: Collection[str]) -> dict[str, Path]:
    """Files by their names without endings."""
    files: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        ending = file.suffix.lower()
        if file.name.startswith(".") or not file.is_file():
            continue
        if ending in _ENDINGS or (ending == _LINES and _is_column(file, asked)):
            if file.stem in files:
                raise UserError(
                    f"{path} holds {files[file.stem].name} and {file.name}; it must be one file of that name."
                )
            files[file.stem] = file
    if not files:
        raise UserError(f"{path} holds no file of a view ({', '.join(_ENDINGS)}).")
    return files


def _is_column(file: Path, asked: Collection[str]) -> bool:
    return (
        usual(file.stem) in LABEL_NAMES | ID_NAMES
        or file.stem.endswith(IDS_ENDINGS)
        or file.stem in asked
        or file.name in asked
    )


def _labels(files: Mapping[str, Path], options: ImportOptions, path: Path) -> str | None:
    if options.no_labels:
        return None
    if options.labels is not None:
        stem = options.labels if options.labels in files else Path(options.labels).stem
        if stem in files and options.labels in (stem, files[stem].name):
            return stem
        # With --labels COLUMN the table of labels still goes by its usual name.
        return next((name for name in files if usual(name) in LABEL_NAMES), _about(files, options))
    return the_one(files, LABEL_NAMES, None, "labels", path) or _about(files, options)


def _about(files: Mapping[str, Path], options: ImportOptions) -> str | None:
    """The one table that holds labels and no feature, or is called like a description of the samples."""
    alone = [name for name, file in files.items() if holds_labels_alone(file, options)]
    found = alone or [
        name
        for name, file in files.items()
        if usual(name) in _ABOUT_NAMES and file.suffix.lower() in (".csv", ".parquet")
    ]
    return found[0] if len(found) == 1 else None


def _mask(files: Mapping[str, Path], options: ImportOptions, path: Path) -> str | None:
    if options.observed is None:
        claimed = {Path(part).stem for view in options.views for part in options.selectors(view)}
        return next((name for name in files if usual(name) == _MASK_NAME and name not in claimed), None)
    stem = options.observed if options.observed in files else Path(options.observed).stem
    return stem if stem in files and options.observed in (stem, files[stem].name) else None


def _views(
    files: Mapping[str, Path], taken: Collection[str], options: ImportOptions, path: Path
) -> dict[str, str]:
    """View name -> name of its file without ending."""
    if not options.views:
        found = {name: name for name in files if name not in taken}
        if not found:
            raise UserError(f"{path} holds no file of a view beside {listing(sorted(taken))}.")
        return found
    result = {}
    for view in options.views:
        for text in options.selectors(view):
            stem = text if text in files else Path(text).stem
            if stem not in files or len(options.selectors(view)) > 1:
                raise UserError(
                    f"{path}: view {view!r} must be one of the files {listing(files)}, not {text!r}."
                )
            result[view] = stem
    return result
