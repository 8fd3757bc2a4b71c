"""Pictures from video files: PyAV decodes, frames are chosen by their time, rotation is honoured.

Source: SE-CRNN [15]: 5 frames a second, plain resize to 224 x 224 (the aspect ratio is not kept), RGB, the
first 50 frames of a clip.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvgraph.errors import UserError
from mvgraph.features.media import MissingTrack, decoder, existing_file, one_line

FRAMES_PER_SECOND = 5
SIDE = 224
#: Pixels on each side; a header that claims more is a lie or an attack on memory.
LARGEST_SIDE = 16_384
# A frame counts as shown this much (seconds) before its time: times are rounded in files.
_TOLERANCE = 1e-3
# A picture that stands longer than this (seconds) is a broken time stamp, not a slow video.
_LONGEST_STILL = 600.0

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class VideoInfo:
    """What a video's header and first frame say.

    Stored width and height in pixels; nominal frame rate in 1/s, 0 if unknown; seconds, None if unknown; the
    rotation in degrees, counter-clockwise, that turns the stored picture upright.
    """

    width: int
    height: int
    rate: float
    seconds: float | None
    rotation: int
    has_sound: bool


@dataclass(frozen=True)
class Frames:
    """Chosen frames.

    Shapes: pictures (F, height, width, 3) uint8; times (F,) seconds after the first frame.
    """

    pictures: Picture
    times: NDArray[np.float64]


def probe_video(path: str | Path) -> VideoInfo:
    """Open a video and decode its first frame.

    Raises:
        UserError: missing, empty, undecodable, or without a picture.
    """
    path = existing_file(path, "video")
    av = decoder("av")
    try:
        with av.open(str(path)) as container:
            stream = _video_stream(container, path)
            seconds = None if container.duration is None else container.duration / av.time_base
            frame = next(container.decode(stream), None)
            if frame is None:
                raise UserError(f"The video file {str(path)!r} holds no frame.")
            return VideoInfo(
                width=frame.width,
                height=frame.height,
                rate=float(stream.average_rate or 0),
                seconds=seconds,
                rotation=_rotation(frame),
                has_sound=bool(container.streams.audio),
            )
    except (av.FFmpegError, OSError, ValueError, RuntimeError, MemoryError) as error:
        raise _undecodable(path, error) from error


def read_frames(
    path: str | Path,
    rate: float = FRAMES_PER_SECOND,
    size: tuple[int, int] | None = (SIDE, SIDE),
    limit: int | None = None,
) -> Frames:
    """The pictures on the screen 0, 1/rate, 2/rate ... seconds after the first frame, as long as the video lasts.

    Times come from the file (pts times time base), so that variable frame rates are honoured; a video slower
    than `rate` shows the same picture more than once.

    Args:
        size: height and width of the result, by plain resize; None keeps the picture's own size.
        limit: at most this many frames; 50 for a clip of the data set.

    Raises:
        UserError: missing, empty, undecodable or damaged file, no picture, or a video whose size changes while
            `size` is None.
    """
    path = existing_file(path, "video")
    if rate <= 0:
        raise UserError(f"Frames per second must be positive, not {rate}.")
    av = decoder("av")
    pictures: list[Picture] = []
    times: list[float] = []
    try:
        with av.open(str(path)) as container:
            stream = _video_stream(container, path)
            stream.codec_context.thread_count = 1  # extraction is parallel over clips
            for picture, time in _chosen(container, stream, rate, size):
                pictures.append(picture)
                times.append(time)
                if limit is not None and len(pictures) >= limit:
                    break
    except (av.FFmpegError, OSError, ValueError, RuntimeError, MemoryError) as error:
        raise _undecodable(path, error) from error
    if not pictures:
        raise UserError(f"The video file {str(path)!r} holds no frame.")
    if len({picture.shape for picture in pictures}) > 1:
        raise UserError(f"The video file {str(path)!r} changes its picture size; give a size to resize to.")
    return Frames(np.stack(pictures), np.array(times))


def fill_frames(pictures: Picture, count: int) -> Picture:
    """Exactly `count` frames: cut, or the last one repeated (clips a few frames short).

    Shapes: (F, H, W, 3) -> (count, H, W, 3).
    """
    return pictures[np.minimum(np.arange(count), len(pictures) - 1)]


def read_picture(path: str | Path, size: tuple[int, int] | None = None) -> Picture:
    """A photograph (JPEG, PNG, ...) as RGB. Shapes: (H, W, 3) uint8.

    Raises:
        UserError: missing, empty or undecodable file.
    """
    path = existing_file(path, "picture")
    av = decoder("av")
    try:
        with av.open(str(path)) as container:
            frame = next(container.decode(_video_stream(container, path)), None)
            if frame is None:
                raise UserError(f"The picture file {str(path)!r} holds no picture.")
            return _to_rgb(frame, size)
    except (av.FFmpegError, OSError, ValueError, RuntimeError, MemoryError) as error:
        raise _undecodable(path, error, "picture") from error


def _chosen(
    container: Any, stream: Any, rate: float, size: tuple[int, int] | None
) -> Iterator[tuple[Picture, float]]:
    """For each wanted time the picture on the screen, with that time."""
    spacing = 1 / float(stream.average_rate or 25)
    wanted = 0
    shown: tuple[Any, float] | None = None
    for frame, time in _timed(container, stream, spacing):
        if shown is not None and time > shown[1]:
            yield from _shown_until(*shown, time, wanted, rate, size)
            wanted = max(wanted, _first_not_before(time, rate))
        if shown is None or time > shown[1]:
            shown = frame, time
    if shown is not None:
        yield from _shown_until(*shown, shown[1] + spacing, wanted, rate, size)


def _timed(container: Any, stream: Any, spacing: float) -> Iterator[tuple[Any, float]]:
    first: float | None = None
    for count, frame in enumerate(container.decode(stream)):
        # A frame without a time stamp (raw streams) is placed by the nominal rate.
        stamped = frame.pts is not None and frame.time_base is not None
        own = float(frame.pts * frame.time_base) if stamped else count * spacing
        first = own if first is None else first
        yield frame, own - first


def _first_not_before(time: float, rate: float) -> int:
    return math.ceil((time - _TOLERANCE) * rate)


def _shown_until(
    frame: Any, start: float, end: float, wanted: int, rate: float, size: tuple[int, int] | None
) -> Iterator[tuple[Picture, float]]:
    if end - start > _LONGEST_STILL:
        raise ValueError(f"its time stamps jump from {start:.1f} to {end:.1f} s")
    last = _first_not_before(end, rate)
    if wanted < last:
        picture = _to_rgb(frame, size)
        for index in range(wanted, last):
            yield picture, index / rate


def _to_rgb(frame: Any, size: tuple[int, int] | None) -> Picture:
    if frame.width > LARGEST_SIDE or frame.height > LARGEST_SIDE:
        raise ValueError(f"a picture of {frame.width} x {frame.height} pixels is too large")
    turns = _rotation(frame) // 90 % 4
    if size is None:
        picture = frame.to_ndarray(format="rgb24")
    else:
        height, width = size if turns % 2 == 0 else size[::-1]
        picture = frame.reformat(
            width=width, height=height, format="rgb24", interpolation="BILINEAR"
        ).to_ndarray()
    return np.ascontiguousarray(np.rot90(picture, turns))


def _rotation(frame: Any) -> int:
    """The display matrix as a multiple of 90 degrees counter-clockwise; other angles are left as stored."""
    degrees = int(getattr(frame, "rotation", 0) or 0) % 360
    return degrees if degrees % 90 == 0 else 0


def _video_stream(container: Any, path: Path) -> Any:
    if not container.streams.video:
        raise MissingTrack(f"The file {str(path)!r} has no picture track.")
    return container.streams.video[0]


def _undecodable(path: Path, error: BaseException, kind: str = "video") -> UserError:
    if isinstance(error, UserError):
        return error
    return UserError(f"The {kind} file {str(path)!r} cannot be decoded ({one_line(error)}).")
