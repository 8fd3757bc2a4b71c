"""Look at every file of TAU Urban Audio-Visual Scenes before any work starts.

Stands here and not in the data room because it decodes.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvgraph.data.tau.read import TauClips, read_tau
from mvgraph.errors import UserError
from mvgraph.features.audio_io import read_sound
from mvgraph.features.parallel import Progress, over_files
from mvgraph.features.video_io import probe_video, read_frames

#: Clips with one of these cannot be used; the others are worth a look.
FATAL = ("missing", "undecodable", "truncated")
# A clip shorter than this part of the usual length was cut.
_SHORT = 0.9


@dataclass(frozen=True, order=True)
class Problem:
    """One finding: the clip, the file (relative to the root), what kind, and a sentence."""

    clip: str
    file: str
    kind: str
    detail: str

    @property
    def fatal(self) -> bool:
        return self.kind in FATAL


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Args:
        clips: how many clips the tables name.
        rotated: how many videos carry a rotation (which is honoured).
        sizes: "width x height" -> videos.
    """

    clips: int
    problems: tuple[Problem, ...]
    rotated: int
    sizes: dict[str, int]

    @property
    def unusable(self) -> set[str]:
        """Names of clips that cannot be used."""
        return {problem.clip for problem in self.problems if problem.fatal}

    def lines(self) -> list[str]:
        """The report as text."""
        counts = Counter(problem.kind for problem in self.problems)
        summary = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "no problem"
        unusable = len(self.unusable)
        head = (
            f"{self.clips} clips: {summary}; {unusable} clips cannot be used; {self.rotated} rotated videos."
        )
        return [head, *(f"{p.kind}: {p.file}: {p.detail}" for p in self.problems)]


@dataclass(frozen=True)
class _Job:
    clip: str
    file: str
    path: Path
    kind: str  # "audio" or "video"


@dataclass(frozen=True)
class _Finding:
    problems: tuple[tuple[str, str], ...]
    seconds: float | None
    rotated: bool = False
    size: str = ""


def check_tau(data: TauClips | str | Path, workers: int = 1, progress: Progress | None = None) -> CheckReport:
    """Decode every sound and every video and list what is missing, truncated, silent, mono or undecodable.

    Args:
        data: the clips, or the root folder of the data set.

    Raises:
        UserError: the tables themselves are missing or damaged.
    """
    clips = data if isinstance(data, TauClips) else read_tau(data)
    jobs = [_Job(clip.name, clip.audio, clips.audio_path(clip), "audio") for clip in clips.clips]
    jobs += [_Job(clip.name, clip.video, clips.video_path(clip), "video") for clip in clips.clips]
    problems: list[Problem] = []
    seconds: dict[str, list[tuple[_Job, float]]] = {"audio": [], "video": []}
    rotated, sizes = 0, Counter[str]()
    for done, (job, found) in enumerate(over_files(_inspect, jobs, workers), start=1):
        if isinstance(found, UserError):
            problems.append(Problem(job.clip, job.file, "undecodable", str(found)))
        else:
            problems += [Problem(job.clip, job.file, kind, detail) for kind, detail in found.problems]
            if found.seconds is not None:
                seconds[job.kind].append((job, found.seconds))
            rotated += found.rotated
            sizes[found.size] += bool(found.size)
        if progress is not None:
            progress(done, len(jobs))
    for measured in seconds.values():
        problems += _too_short(measured, {problem.file for problem in problems})
    return CheckReport(
        len(clips.clips), tuple(sorted(problems)), rotated, {k: v for k, v in sizes.items() if v}
    )


def _too_short(measured: Sequence[tuple[_Job, float]], known: set[str]) -> list[Problem]:
    """Clips much shorter than the usual clip: the data set has one length, whatever it is."""
    if not measured:
        return []
    usual = float(np.median([seconds for _, seconds in measured]))
    return [
        Problem(job.clip, job.file, "truncated", f"it lasts {seconds:.2f} s, the others {usual:.2f} s.")
        for job, seconds in measured
        if seconds < _SHORT * usual and job.file not in known
    ]


def _inspect(job: _Job) -> _Finding:
    if not job.path.is_file():
        return _Finding((("missing", "there is no such file."),), None)
    return _inspect_sound(job.path) if job.kind == "audio" else _inspect_video(job.path)


def _inspect_sound(path: Path) -> _Finding:
    problems = []
    lost = _lost_bytes(path)
    sound = read_sound(path)
    if lost > 0:
        problems.append(("truncated", f"its header announces {lost} bytes more than the file holds."))
    if sound.is_silent:
        problems.append(("silent", "no sample reaches half a step of 16 bit."))
    elif sound.channels == 1:
        problems.append(("mono", "it has one channel; the difference plane will be empty."))
    elif np.array_equal(sound.samples[:, 0], sound.samples[:, 1]):
        problems.append(("mono", "both channels are the same; the difference plane will be empty."))
    return _Finding(tuple(problems), sound.seconds)


def _inspect_video(path: Path) -> _Finding:
    info = probe_video(path)
    frames = read_frames(path, size=(8, 8))
    lasts = len(frames.times) / 5
    problems = []
    if info.seconds is not None and lasts < _SHORT * info.seconds - 0.4:
        problems.append(
            (
                "truncated",
                f"its header announces {info.seconds:.2f} s, but its frames end after {lasts:.1f} s.",
            )
        )
    return _Finding(tuple(problems), lasts, info.rotation != 0, f"{info.width} x {info.height}")


def _lost_bytes(path: Path) -> int:
    """How many bytes a WAV header announces beyond the end of the file; 0 for other formats."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return 0
        while True:
            chunk = file.read(8)
            if len(chunk) < 8:
                return 0
            name, length = struct.unpack("<4sI", chunk)
            if name == b"data":
                # Recorders that were cut off, and streams, leave the length at its largest value.
                return 0 if length == 0xFFFFFFFF else max(0, file.tell() + length - size)
            file.seek(length + length % 2, 1)
