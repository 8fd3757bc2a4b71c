"""The layout of TAU Urban Audio-Visual Scenes 2021: names, folders, tables.

Source: S. Wang et al., "A curated dataset of urban scenes for audio-visual scene analysis", ICASSP 2021, and
the data set's own README (Zenodo record 4477542).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mvgraph.data.atomic import atomic_path
from mvgraph.errors import UserError

CLASSES = (
    "airport",
    "bus",
    "metro",
    "metro_station",
    "park",
    "public_square",
    "shopping_mall",
    "street_pedestrian",
    "street_traffic",
    "tram",
)
CITIES = (
    "barcelona",
    "helsinki",
    "lisbon",
    "london",
    "lyon",
    "milan",
    "paris",
    "prague",
    "stockholm",
    "vienna",
)
META_FOLDER = "TAU-urban-audio-visual-scenes-2021-development.meta"
SECONDS = 10.0
SOUND_RATE = 48_000
SEGMENTS = 10

_META_COLUMNS = ("filename_audio", "filename_video", "scene_label", "identifier")
_FOLD_COLUMNS = ("filename_audio", "filename_video", "scene_label")
_LARGEST_TABLE = 64 << 20


@dataclass(frozen=True, order=True)
class Clip:
    """One clip: `{class}-{city}-{location}-{segment}`, with the label its table gives.

    `audio` and `video` are paths as the tables write them, relative to the root.
    """

    name: str
    label: str
    city: str
    location: str
    audio: str
    video: str

    @property
    def place(self) -> str:
        """City and location: the unit that train and test do not share."""
        return f"{self.city}-{self.location}"


def clip_from_files(audio: str, video: str, label: str, where: str) -> Clip:
    """Take a clip's file names apart.

    Args:
        label: the label of the table; "" takes the class from the name.
        where: table and row, for the error.

    Raises:
        UserError: a name that is not of the form of the data set, or sound and picture of different clips.
    """
    for given, folder in ((audio, "audio"), (video, "video")):
        parts = Path(given.replace("\\", "/")).parts
        if not given or ".." in parts or Path(given).is_absolute():
            raise UserError(f"{where}: {given!r} is not a path inside the {folder} folder.")
    name = Path(audio.replace("\\", "/")).stem
    if Path(video.replace("\\", "/")).stem != name:
        raise UserError(f"{where}: sound {audio!r} and video {video!r} are not of the same clip.")
    pieces = name.split("-")
    if len(pieces) != 4 or not all(pieces):
        raise UserError(f"{where}: {name!r} is not of the form class-city-location-segment.")
    scene, city, location, _ = pieces
    return Clip(name, label or scene, city, location, audio.replace("\\", "/"), video.replace("\\", "/"))


def meta_folder(root: Path) -> Path:
    """The folder of meta.csv and evaluation_setup: the root itself or the `.meta` folder in it.

    Raises:
        UserError: neither holds the tables.
    """
    if not root.is_dir():
        raise UserError(f"There is no folder {str(root)!r}.")
    for folder in (root, root / META_FOLDER, *sorted(root.glob("*.meta"))):
        if (folder / "evaluation_setup" / "fold1_train.csv").is_file():
            return folder
    raise UserError(
        f"{str(root)!r} holds no evaluation_setup/fold1_train.csv, neither itself nor in {META_FOLDER}; give the "
        "folder into which all archives of the data set were unpacked."
    )


def read_table(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a tab-separated table with a header; CRLF, LF and a byte-order mark are all accepted.

    Raises:
        UserError: no such file, not text, a missing column, or a row of another width.
    """
    if not path.is_file():
        raise UserError(f"There is no table {str(path)!r}.")
    if path.stat().st_size > _LARGEST_TABLE:
        raise UserError(
            f"The table {str(path)!r} is larger than {_LARGEST_TABLE >> 20} MiB; it is not of the data set."
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"The table {str(path)!r} is not UTF-8 text.") from None
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    if not lines:
        raise UserError(f"The table {str(path)!r} is empty.")
    header = [cell.strip() for cell in lines[0].split("\t")]
    for column in needed:
        if column not in header:
            raise UserError(
                f"The table {str(path)!r} lacks the column {column!r}; its header must be tab separated, and reads "
                f"{lines[0][:80]!r}."
            )
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(header):
            raise UserError(f"{str(path)!r}, line {number}: {len(cells)} cells under {len(header)} columns.")
        rows.append(dict(zip(header, cells, strict=True)))
    return rows


def write_tables(folder: Path, train: Iterable[Clip], test: Iterable[Clip]) -> None:
    """Write meta.csv and the three tables of fold 1 as the data set has them: tabs, a header, CRLF."""
    train, test = list(train), list(test)
    setup = folder / "evaluation_setup"
    setup.mkdir(parents=True, exist_ok=True)
    meta = [(c.audio, c.video, c.label, c.place) for c in sorted([*train, *test])]
    _write(folder / "meta.csv", _META_COLUMNS, meta)
    _write(setup / "fold1_train.csv", _FOLD_COLUMNS, [(c.audio, c.video, c.label) for c in train])
    _write(setup / "fold1_evaluate.csv", _FOLD_COLUMNS, [(c.audio, c.video, c.label) for c in test])
    _write(setup / "fold1_test.csv", _FOLD_COLUMNS[:2], [(c.audio, c.video) for c in test])


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t", lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.getvalue().encode())
