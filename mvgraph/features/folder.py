"""Finding the samples of a user's folder: a class a sub-folder or a table, sounds and pictures matched by name."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mvgraph.errors import UserError
from mvgraph.features.audio_io import CONTAINER_SUFFIXES

SOUND_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".opus", ".m4a", ".aac"})
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
VIDEO_SUFFIXES = CONTAINER_SUFFIXES - SOUND_SUFFIXES
_COLUMNS = ("file", "label")


@dataclass(frozen=True)
class Sample:
    """One file, or a sound and a picture of one name.

    `sound` and `picture` may be the same video. `name` is the path inside the folder, without its ending.
    """

    name: str
    label: str | None
    sound: Path | None
    picture: Path | None


@dataclass(frozen=True)
class Folder:
    """What was found: samples in order of their names, and files that are no media."""

    samples: tuple[Sample, ...]
    ignored: tuple[str, ...]


def find_samples(folder: str | Path, table: str | Path | None = None) -> Folder:
    """All samples under a folder.

    Without a table the first sub-folder is the class; files beside the class folders are unlabelled. A table is
    a CSV (comma, semicolon or tab) with the columns `file`, a path inside the folder, and `label`, which may
    be empty; files it does not name are left out.

    Raises:
        UserError: no such folder, no media in it, or a table that is damaged, names a missing file, or one
            file with two labels.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"There is no folder {str(folder)!r}.")
    if table is None:
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _hidden(path, folder)]
        labels: dict[Path, str | None] = {
            path: parts[0] if len(parts := path.relative_to(folder).parts) > 1 else None for path in paths
        }
    else:
        labels = _table(folder, Path(table))
    media = {path: label for path, label in labels.items() if _kind(path)}
    ignored = tuple(path.relative_to(folder).as_posix() for path in labels if not _kind(path))
    if not media:
        raise UserError(f"{str(folder)!r} holds no sound, picture or video file.")
    together: dict[str, list[Path]] = defaultdict(list)
    for path in media:
        together[path.relative_to(folder).with_suffix("").as_posix()].append(path)
    samples = [
        sample for name, files in sorted(together.items()) for sample in _samples(folder, name, files, media)
    ]
    return Folder(tuple(sorted(samples, key=lambda sample: sample.name)), ignored)


def _samples(folder: Path, name: str, files: list[Path], labels: dict[Path, str | None]) -> list[Sample]:
    kinds = [_kind(path) for path in files]
    named = {labels[path] for path in files}
    matched = kinds.count("sound") <= 1 and len(kinds) - kinds.count("sound") <= 1 and len(named) == 1
    if not matched:  # two sounds (or two pictures) of one name: nothing says which belong together
        return [
            sample
            for path in files
            for sample in _samples(folder, path.relative_to(folder).as_posix(), [path], labels)
        ]
    sound = next((p for p, k in zip(files, kinds, strict=True) if k == "sound"), None)
    picture = next((p for p, k in zip(files, kinds, strict=True) if k != "sound"), None)
    if sound is None and picture is not None and _kind(picture) == "video":
        sound = picture
    return [Sample(name, next(iter(named)), sound, picture)]


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in SOUND_SUFFIXES:
        return "sound"
    if suffix in PICTURE_SUFFIXES:
        return "picture"
    return "video" if suffix in VIDEO_SUFFIXES else ""


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _table(folder: Path, table: Path) -> dict[Path, str | None]:
    if not table.is_file():
        raise UserError(f"There is no table {str(table)!r}.")
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"The table {str(table)!r} is not UTF-8 text.") from None
    head = lines[0] if lines else ""
    delimiter = max(",;\t", key=head.count)
    try:
        rows = list(csv.DictReader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise UserError(f"The table {str(table)!r} is damaged ({error}).") from None
    columns = [name.strip() for name in head.split(delimiter)]
    for column in _COLUMNS:
        if column not in columns:
            raise UserError(
                f"The table {str(table)!r} lacks the column {column!r}; it has {', '.join(columns) or 'none'}."
            )
    labels: dict[Path, str | None] = {}
    for number, raw in enumerate(rows, start=2):
        row = {str(key).strip(): value.strip() for key, value in raw.items() if isinstance(value, str)}
        given = PurePosixPath(row.get("file", "").replace("\\", "/"))
        path = folder / given
        where = f"{str(table)!r}, line {number}"
        if not given.name or given.is_absolute() or ".." in given.parts:
            raise UserError(f"{where}: {str(given)!r} is not a path inside {str(folder)!r}.")
        if not path.is_file():
            raise UserError(f"{where} names the file {str(given)!r}, which is not in {str(folder)!r}.")
        label = row.get("label") or None
        if labels.setdefault(path, label) != label:
            raise UserError(f"{where}: the file {str(given)!r} has two labels.")
    return labels
