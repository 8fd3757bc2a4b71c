"""From files to features: clips in parallel, bad ones refused or listed, resumed after a kill.

Imports no torch, so that worker processes start quickly; the extractor with a network is in `backbone.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mvgraph.errors import UserError
from mvgraph.features.audio_io import read_sound, stereo
from mvgraph.features.gammatone import COLUMNS_PER_SECOND, SAMPLE_RATE, gammatonegram
from mvgraph.features.parallel import Progress, over_files
from mvgraph.features.store import CLIPS_PER_SHARD, FeatureStore, write_part
from mvgraph.features.video_io import FRAMES_PER_SECOND, SIDE, fill_frames, read_frames

ON_BAD = ("fail", "skip")


@dataclass(frozen=True)
class ClipFiles:
    """The files of one clip; either may be absent."""

    name: str
    audio: Path | None = None
    video: Path | None = None


class Extractor(Protocol):
    """Picklable: goes to every worker process. `settings` must tell two extractors with other results apart."""

    @property
    def settings(self) -> Mapping[str, Any]: ...

    def __call__(self, clip: ClipFiles) -> Mapping[str, np.ndarray]: ...


@dataclass(frozen=True)
class GammatoneFeatures:
    """The gammatonegram of a clip: `gammatone` (64, 50 seconds, 3) float32."""

    seconds: float = 10.0

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"features": "gammatone", "seconds": self.seconds}

    def __call__(self, clip: ClipFiles) -> Mapping[str, np.ndarray]:
        sound = read_sound(_needed(clip.audio, clip, "sound"), SAMPLE_RATE)
        columns = round(self.seconds * COLUMNS_PER_SECOND)
        return {"gammatone": gammatonegram(stereo(sound.samples), sound.rate, columns)}


@dataclass(frozen=True)
class FrameFeatures:
    """The pictures of a clip: `frames` (5 seconds, side, side, 3) uint8."""

    seconds: float = 10.0
    side: int = SIDE

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"features": "frames", "seconds": self.seconds, "side": self.side}

    def __call__(self, clip: ClipFiles) -> Mapping[str, np.ndarray]:
        count = round(self.seconds * FRAMES_PER_SECOND)
        found = read_frames(_needed(clip.video, clip, "video"), size=(self.side, self.side), limit=count)
        return {"frames": fill_frames(found.pictures, count)}


@dataclass(frozen=True)
class Extraction:
    """What an extraction did: the store, how many clips were computed now, and those left out with the reason."""

    store: FeatureStore
    computed: int
    skipped: Mapping[str, str]


def extract(
    clips: Sequence[ClipFiles],
    extractor: Extractor,
    folder: str | Path,
    workers: int = 1,
    on_bad: str = "fail",
    progress: Progress | None = None,
) -> Extraction:
    """Compute the features of all clips into `folder`; clips finished by an earlier call are not computed again.

    Args:
        on_bad: "fail" stops at the first file that cannot be read; "skip" goes on and lists it.
        progress: called with (finished or skipped, all) after every clip.

    Raises:
        UserError: a bad file under "fail", a folder of other settings, or no clip left at all.
    """
    if on_bad not in ON_BAD:
        raise UserError(f"on_bad must be one of {', '.join(ON_BAD)}, not {on_bad!r}.")
    if not clips:
        raise UserError("There is no clip to extract features from.")
    store = FeatureStore.create(folder, [clip.name for clip in clips], extractor.settings)
    finished = store.finished()
    waiting = [(clip, store.part_path(clip.name)) for clip in clips if clip.name not in finished]
    done, computed = len(clips) - len(waiting), 0
    skipped: dict[str, str] = {}
    if progress is not None:
        progress(done, len(clips))
    results = over_files(partial(_extract_one, extractor), waiting, workers)
    try:
        for (clip, _), result in results:
            if isinstance(result, UserError):
                if on_bad == "fail":
                    raise UserError(
                        f"{str(result).rstrip('.')}; on_bad='skip' goes on without such clips."
                    ) from result
                skipped[clip.name] = str(result)
            else:
                computed += 1
                if computed % CLIPS_PER_SHARD == 0:
                    store.merge()
            done += 1
            if progress is not None:
                progress(done, len(clips))
    finally:
        results.close()
    store.note_skipped(skipped)
    store.merge(everything=True)
    if len(skipped) == len(clips):
        raise UserError(
            f"None of the {len(clips)} clips could be read; the first: {next(iter(skipped.values()))}"
        )
    return Extraction(store, computed, skipped)


def _extract_one(extractor: Extractor, job: tuple[ClipFiles, Path]) -> None:
    clip, path = job
    write_part(path, clip.name, extractor(clip))


def _needed(path: Path | None, clip: ClipFiles, kind: str) -> Path:
    if path is None:
        raise UserError(f"Clip {clip.name!r} has no {kind} file.")
    return path
