"""Small media files for tests, written with PyAV and soundfile."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile


def write_video(
    path: Path,
    frames: list[np.ndarray],
    rate: int = 30,
    times: list[float] | None = None,
    rotation: int = 0,
    sound: tuple[np.ndarray, int] | None = None,
    codec: str = "libx264",
) -> Path:
    """Frames (H, W, 3) uint8, shown at `times` (seconds) or at a constant rate; lossless in RGB terms up to chroma."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv444p" if codec == "libx264" else "yuv420p"
        if codec == "libx264":
            stream.options = {"crf": "4", "preset": "ultrafast", "bf": "0"}
        stream.time_base = stream.codec_context.time_base = Fraction(1, 10_000)
        if rotation:
            stream.set_display_rotation(rotation)
        if sound is not None:
            track = container.add_stream("aac", rate=sound[1])
            track.layout = "stereo" if sound[0].shape[1] == 2 else "mono"
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            time = index / rate if times is None else times[index]
            frame.pts, frame.time_base = round(time * 10_000), Fraction(1, 10_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            samples, sample_rate = sound
            block = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples.T, dtype=np.float32), format="fltp", layout=track.layout.name
            )
            block.sample_rate, block.pts = sample_rate, 0
            container.mux(track.encode(block))
            container.mux(track.encode())
    return path


def write_sound(path: Path, samples: np.ndarray, rate: int, subtype: str = "PCM_24") -> Path:
    soundfile.write(str(path), samples, rate, subtype=subtype)
    return path


def numbered(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frame i is grey of level 4 i (mod 256), so that a decoded frame tells which one it is."""
    return [np.full((height, width, 3), 4 * i % 256, dtype=np.uint8) for i in range(count)]


def quarters(height: int = 64, width: int = 96) -> np.ndarray:
    """Red, green, blue and white quarters: upper left, upper right, lower left, lower right."""
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[: height // 2, : width // 2] = [255, 0, 0]
    picture[: height // 2, width // 2 :] = [0, 255, 0]
    picture[height // 2 :, : width // 2] = [0, 0, 255]
    picture[height // 2 :, width // 2 :] = [255, 255, 255]
    return picture


def names_of_quarters(picture: np.ndarray) -> str:
    """The quarters of a picture as letters, row by row."""
    height, width = picture.shape[:2]
    known = {"R": (255, 0, 0), "G": (0, 255, 0), "B": (0, 0, 255), "W": (255, 255, 255)}
    found = ""
    for row in (height // 4, 3 * height // 4):
        for column in (width // 4, 3 * width // 4):
            pixel = picture[row, column].astype(int)
            found += min(known, key=lambda name: np.abs(pixel - known[name]).sum())
    return found
