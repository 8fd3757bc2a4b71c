"""Sound from files: soundfile decodes, PyAV takes the sound track of a video, soxr resamples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvgraph.errors import UserError
from mvgraph.features.media import MissingTrack, decoder, existing_file, one_line

#: Below this peak a sound counts as silent: half a step of 16 bit.
SILENCE_PEAK = 2.0**-17
_LOWEST_RATE = 1_000
CONTAINER_SUFFIXES = frozenset(
    {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".m4a", ".aac"}
)


@dataclass(frozen=True)
class Sound:
    """Decoded sound.

    Shapes: samples (frames, channels) float32, full scale is 1; rate in frames per second.
    """

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def channels(self) -> int:
        return int(self.samples.shape[1])

    @property
    def is_silent(self) -> bool:
        """No sample reaches half a step of 16 bit."""
        return bool(np.abs(self.samples).max() < SILENCE_PEAK)


@dataclass(frozen=True)
class SoundInfo:
    """What the header of a sound file says: frames, channels, rate (Hz), e.g. subtype "PCM_24"."""

    frames: int
    channels: int
    rate: int
    subtype: str


def probe_sound(path: str | Path) -> SoundInfo:
    """Read a header without decoding the sound.

    Raises:
        UserError: missing, empty or undecodable file.
    """
    path = existing_file(path, "sound")
    soundfile = decoder("soundfile")
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError) as error:
        raise UserError(f"The sound file {str(path)!r} cannot be decoded ({one_line(error)}).") from error
    return SoundInfo(int(info.frames), int(info.channels), int(info.samplerate), str(info.subtype))


def read_sound(path: str | Path, rate: int | None = None) -> Sound:
    """Decode a sound file (or the sound track of a video) and resample it.

    Args:
        rate: frames per second wanted, 44,100 in the paper; None keeps the file's.

    Raises:
        UserError: missing, empty, undecodable, without sound, cut to no frames, or samples that are not finite.
    """
    path = existing_file(path, "sound")
    sound = _from_container(path) if path.suffix.lower() in CONTAINER_SUFFIXES else _from_soundfile(path)
    if sound.samples.size == 0:
        raise UserError(f"The sound file {str(path)!r} holds no samples.")
    if sound.rate < _LOWEST_RATE:
        raise UserError(
            f"The sound file {str(path)!r} has a rate of {sound.rate} Hz, too low to hear a scene."
        )
    bad = np.argwhere(~np.isfinite(sound.samples))
    if len(bad):
        raise UserError(
            f"The sound file {str(path)!r} holds a sample that is not finite (frame {int(bad[0, 0])}, "
            f"channel {int(bad[0, 1])})."
        )
    return sound if rate is None else resample(sound, rate)


def resample(sound: Sound, rate: int) -> Sound:
    """The sound at another rate (soxr, high quality)."""
    if sound.rate == rate:
        return sound
    soxr = decoder("soxr")
    samples = soxr.resample(sound.samples, sound.rate, rate, quality="HQ")
    if len(samples) == 0:  # a handful of frames at a high rate
        samples = sound.samples[:1]
    return Sound(np.ascontiguousarray(samples, dtype=np.float32), rate)


def stereo(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first two channels; a mono sound gives two equal ones. Shapes: (frames, channels) -> (frames, 2)."""
    return samples[:, :2] if samples.shape[1] >= 2 else np.repeat(samples, 2, axis=1)


def mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of all channels. Shapes: (frames, channels) -> (frames,)."""
    return np.asarray(samples.mean(axis=1), dtype=np.float32)


def _from_soundfile(path: Path) -> Sound:
    soundfile = decoder("soundfile")
    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError, MemoryError) as error:
        raise UserError(f"The sound file {str(path)!r} cannot be decoded ({one_line(error)}).") from error
    return Sound(samples, int(rate))


def _from_container(path: Path) -> Sound:
    av = decoder("av")
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise MissingTrack(f"The file {str(path)!r} has no sound track.")
            stream = container.streams.audio[0]
            rate = int(stream.rate)
            planar = av.AudioResampler(format="fltp", layout=stream.layout, rate=rate)
            parts = [out.to_ndarray() for frame in _frames(container) for out in planar.resample(frame)]
            parts += [out.to_ndarray() for out in planar.resample(None)]
    except (av.FFmpegError, OSError, ValueError, RuntimeError, MemoryError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"The sound of {str(path)!r} cannot be decoded ({one_line(error)}).") from error
    samples = np.concatenate(parts, axis=1).T if parts else np.zeros((0, 1))
    return Sound(np.ascontiguousarray(samples, dtype=np.float32), rate)


def _frames(container: Any) -> Any:
    return container.decode(audio=0)
