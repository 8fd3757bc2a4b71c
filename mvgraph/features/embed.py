"""Your own videos: a folder of media files becomes multi-view data through pretrained encoders.

Every file is cut into segments of some seconds; a segment is a sample, its file a group, so that splits can
keep the segments of one file together.
"""

from __future__ import annotations

import glob
import hashlib
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mvgraph.code_identity import code_identity
from mvgraph.data import Card, MultiViewData, write_h5mu
from mvgraph.data.atomic import check_target
from mvgraph.data.convert import set_name
from mvgraph.errors import UserError
from mvgraph.features.audio_io import mono, read_sound
from mvgraph.features.encoders.base import Encoder, find_encoder
from mvgraph.features.extract import ClipFiles, extract
from mvgraph.features.folder import PICTURE_SUFFIXES, Folder, find_samples
from mvgraph.features.media import MissingTrack
from mvgraph.features.parallel import Progress
from mvgraph.features.video_io import read_frames, read_picture

VIEWS = ("audio", "video")
# A last segment that lacks less than this part is kept and filled.
_SLACK = 0.1
_AT_ONCE = 32


@dataclass(frozen=True)
class SegmentRows:
    """The extractor: rows of every segment of a file, `audio` (S, d) and `video` (S, d), and which are there.

    Args:
        audio, video: names of encoders, or None.
        segment_seconds: length of a segment.
        pictures_per_segment: frames whose rows are averaged.
    """

    audio: str | None
    video: str | None
    segment_seconds: float
    pictures_per_segment: int
    _loaded: dict[str, Encoder] = field(default_factory=dict, repr=False, compare=False)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "features": "segments",
            "audio": self.audio,
            "video": self.video,
            "segment_seconds": self.segment_seconds,
            "pictures_per_segment": self.pictures_per_segment,
            **self._code(),
        }

    def _code(self) -> dict[str, Any]:
        """Identity of encoders of others: rows of an edited encoder are not those of the one before."""
        named = {"audio": self.audio, "video": self.video}
        found = {
            view: code_identity(find_encoder(name, view)) for view, name in named.items() if name is not None
        }
        code = {view: identity.text for view, identity in found.items() if identity is not None}
        return {"code": code} if code else {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": {}}  # workers load their own

    def encoder(self, view: str, name: str) -> Encoder:
        """The encoder of a view, loaded once a process."""
        if view not in self._loaded:
            self._loaded[view] = find_encoder(name, view)()
        return self._loaded[view]

    def __call__(self, clip: ClipFiles) -> Mapping[str, np.ndarray]:
        rows: dict[str, np.ndarray] = {}
        still = clip.video is not None and clip.video.suffix.lower() in PICTURE_SUFFIXES
        for view, path, compute in (
            ("audio", clip.audio, self._audio),
            ("video", clip.video, self._picture if still else self._video),
        ):
            name = self.audio if view == "audio" else self.video
            if path is None or name is None:
                continue
            try:
                rows[view] = compute(path, self.encoder(view, name))
            except MissingTrack:
                continue
        if not rows:
            raise UserError(f"{clip.name!r} has nothing that the chosen encoders take.")
        if still and "audio" in rows and "video" in rows:
            rows["video"] = np.repeat(rows["video"], len(rows["audio"]), axis=0)
        return rows

    def _audio(self, path: Path, encoder: Encoder) -> np.ndarray:
        wave = mono(read_sound(path, encoder.rate).samples)
        length = max(1, round(self.segment_seconds * encoder.rate))
        count = self._segments(len(wave) / length)
        wave = np.pad(wave, (0, max(0, count * length - len(wave))))[: count * length]
        parts = wave.reshape(count, length)
        return np.concatenate([encoder.encode(parts[i : i + _AT_ONCE]) for i in range(0, count, _AT_ONCE)])

    def _video(self, path: Path, encoder: Encoder) -> np.ndarray:
        each = self.pictures_per_segment
        pictures = read_frames(path, each / self.segment_seconds, (encoder.side, encoder.side)).pictures
        count = self._segments(len(pictures) / each)
        index = np.minimum(np.arange(count * each), len(pictures) - 1)
        # Encoded once a picture, although the last one may stand for several.
        rows = np.concatenate(
            [encoder.encode(pictures[i : i + _AT_ONCE]) for i in range(0, len(pictures), _AT_ONCE)]
        )
        return np.asarray(rows[index].reshape(count, each, -1).mean(axis=1), dtype=np.float32)

    def _picture(self, path: Path, encoder: Encoder) -> np.ndarray:
        return encoder.encode(read_picture(path, (encoder.side, encoder.side))[None])

    @staticmethod
    def _segments(lengths: float) -> int:
        return max(1, math.floor(lengths + _SLACK))


@dataclass(frozen=True)
class Embedding:
    """What `embed_folder` made: the data as written, files left out with the reason, and files that are no media."""

    data: MultiViewData
    path: Path
    skipped: Mapping[str, str]
    ignored: tuple[str, ...]


def embed_folder(
    folder: str | Path,
    out: str | Path,
    audio: str | None = "yamnet",
    video: str | None = "efficientnet-lite0",
    segment_seconds: float = 1.0,
    pictures_per_segment: int = 5,
    table: str | Path | None = None,
    on_bad: str = "skip",
    workers: int = 1,
    progress: Progress | None = None,
    *,
    name: str | None = None,
    overwrite: bool = False,
) -> Embedding:
    """Turn a folder of videos, sounds and pictures into an `.h5mu` file.

    The class is the first sub-folder, or the `label` of `table` (see `folder.find_samples`); one class alone is
    as good as none, and the data is then unlabelled. Views are "audio" and "video"; a file without sound or
    picture has no row in that view. Groups: `file`.

    Args:
        audio, video: names of encoders (or `module:Class`); None leaves the view out.
        on_bad: "skip" lists files that cannot be read; "fail" stops at the first.
        progress: called with (files done, all files).
        name: name of the data set; default: that of the new file, without its ending.
        overwrite: whether a file that is there already is replaced.

    Raises:
        UserError: nothing to embed, an unknown encoder, a bad table, a view that no file has, a file that cannot
            be read under "fail", or an `out` that is there already or cannot be written.
    """
    out = Path(out)
    called = set_name(out, name)
    check_target(out, overwrite)
    if not segment_seconds > 0 or not math.isfinite(segment_seconds):
        raise UserError(f"A segment must last more than zero seconds, not {segment_seconds}.")
    if pictures_per_segment < 1:
        raise UserError(f"At least one picture a segment is needed, not {pictures_per_segment}.")
    chosen = {view: name for view, name in zip(VIEWS, (audio, video), strict=True) if name is not None}
    if not chosen:
        raise UserError("No encoder was chosen; give audio, video or both.")
    for view, name in chosen.items():
        find_encoder(name, view)
    found = find_samples(folder, table)
    clips = [ClipFiles(sample.name, sample.sound, sample.picture) for sample in found.samples]
    extractor = SegmentRows(audio, video, segment_seconds, pictures_per_segment)
    work = _work_folder(out, clips, extractor)
    done = extract(clips, extractor, work, workers, on_bad, progress)
    rows = {
        clip.name: _rows(done.store, clip.name, chosen) for clip in clips if clip.name not in done.skipped
    }
    data = _data(Path(folder), found, rows, chosen, segment_seconds, called)
    write_h5mu(data, out)
    for stale in out.parent.glob(f".{glob.escape(out.name)}.*.features"):
        shutil.rmtree(stale)  # only now: whatever failed before is resumed from it
    return Embedding(data, out, done.skipped, found.ignored)


def _work_folder(out: Path, clips: list[ClipFiles], extractor: SegmentRows) -> Path:
    """Where rows are kept until the file is written: of the same files and settings the same place."""
    digest = hashlib.sha256(repr(sorted(extractor.settings.items())).encode())
    for clip in clips:
        for path in (clip.audio, clip.video):
            state = None if path is None else path.stat()
            digest.update(repr((clip.name, state and (str(path), state.st_size, state.st_mtime_ns))).encode())
    return out.with_name(f".{out.name}.{digest.hexdigest()[:8]}.features")


def _rows(store: Any, name: str, views: Mapping[str, str]) -> dict[str, np.ndarray]:
    return {view: store.load(name, view) for view in views if store.has(name, view)}


def _data(
    folder: Path,
    found: Folder,
    rows: Mapping[str, Mapping[str, np.ndarray]],
    chosen: Mapping[str, str],
    segment_seconds: float,
    called: str,
) -> MultiViewData:
    ids: list[str] = []
    files: list[str] = []
    labels: list[str | None] = []
    parts: dict[str, list[np.ndarray]] = {view: [] for view in chosen}
    masks: dict[str, list[bool]] = {view: [] for view in chosen}
    dims = {view: find_encoder(name, view).dim for view, name in chosen.items()}
    for sample in found.samples:
        if sample.name not in rows:
            continue
        own = rows[sample.name]
        count = max(len(array) for array in own.values())
        ids += [f"{sample.name}#{index}" for index in range(count)]
        files += [sample.name] * count
        labels += [sample.label] * count
        for view in chosen:
            array = own.get(view, np.zeros((0, dims[view]), np.float32))
            filled = np.zeros((count, dims[view]), np.float32)
            filled[: len(array)] = array
            parts[view].append(filled)
            masks[view] += [index < len(array) for index in range(count)]
    for view in chosen:
        if not any(masks[view]):
            what = "sound" if view == "audio" else "picture"
            raise UserError(
                f"No file in {str(folder)!r} has a {what}; leave the {view} encoder out ({view}=None)."
            )
    named = {label for label in labels if label is not None}
    notes = ["Segments of one file are near copies: split by the group 'file'."]
    if len(named) == 1:
        notes.append(
            f"All labelled files are of one class, {next(iter(named))!r}: the data is kept as unlabelled."
        )
    encoders = ", ".join(f"{view}: {name}" for view, name in chosen.items())
    return MultiViewData.from_arrays(
        {view: np.concatenate(parts[view]) for view in chosen},
        labels if len(named) > 1 else None,
        ids=ids,
        groups={"file": files},
        observed={view: np.array(masks[view]) for view in chosen},
        card=Card(
            name=called,
            title=f"Segments of {segment_seconds:g} s of the media files in {folder.resolve().name}",
            source=f"own files, embedded by mvgraph ({encoders})",
            notes=tuple(notes),
        ),
    )
