"""Gammatonegrams: the audio front end of SE-CRNN [15].

Source: J. Naranjo-Alcazar et al., DCASE 2021 Task 1B; details in the paper's public notebooks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvgraph.errors import UserError
from mvgraph.features.gammatone_bank import (
    block_energies,
    block_length,
    filter_bank,
    mean_squares_recursive,
)

Array = NDArray[np.float64]

SAMPLE_RATE = 44_100
BANDS = 64
WINDOW_SECONDS = 0.040
HOP_SECONDS = 0.020
COLUMNS_PER_SECOND = 50
# -200 dB below the clip's range: far under the noise floor of 24 bit sound, so it only replaces log(0).
AMPLITUDE_FLOOR = 1e-10


def window_and_hop(rate: float) -> tuple[int, int]:
    """Window and hop in samples (1764 and 882 at 44.1 kHz), halves rounded up."""
    return math.floor(WINDOW_SECONDS * rate + 0.5), math.floor(HOP_SECONDS * rate + 0.5)


def gammatone_rms(
    wave: ArrayLike, rate: float, bands: int = BANDS, f_min: float = 0.0, difference: bool = False
) -> Array:
    """Root mean square of every gammatone band in windows of 40 ms, every 20 ms.

    Args:
        wave: one or more signals; a sound shorter than one window is padded with zeros to one window.
        rate: samples per second.
        difference: append the first signal minus the second; the filters are linear, so it is not filtered again.

    Shapes:
        wave (samples,) or (signals, samples) -> (bands, columns) or (signals, bands, columns), highest band
        first, columns = 1 + floor((samples - window) / hop).

    Raises:
        UserError: no samples, samples that are not finite, or a rate too low for a 20 ms hop.
    """
    sound = np.asarray(wave, dtype=np.float64)
    signals = np.atleast_2d(sound)
    if signals.ndim != 2 or signals.shape[1] == 0:
        raise UserError(f"A sound of shape {sound.shape} holds no samples; (signals, samples) is expected.")
    if not np.isfinite(signals).all():
        raise UserError("The sound holds samples that are not finite (NaN or infinity).")
    window, hop = window_and_hop(rate)
    if window < 1 or hop < 1:
        raise UserError(f"A sample rate of {rate} Hz is too low for a hop of 20 ms.")
    if signals.shape[1] < window:
        signals = np.pad(signals, ((0, 0), (0, window - signals.shape[1])))
    columns = 1 + (signals.shape[1] - window) // hop
    signals = signals[:, : (columns - 1) * hop + window]
    unit = math.gcd(window, hop)
    block = block_length(unit)
    if block is None:
        if difference:
            signals = np.concatenate([signals, signals[:1] - signals[1:2]])
        mean_squares = mean_squares_recursive(signals, filter_bank(rate, bands, f_min), window, hop)
    else:
        sums = block_energies(signals, filter_bank(rate, bands, f_min), block, unit, difference)
        # Direct sums, not differences of running totals: a quiet window after a loud one keeps its digits.
        spans = np.lib.stride_tricks.sliding_window_view(sums, window // unit, axis=-1)
        mean_squares = spans[..., :: hop // unit, :].sum(axis=-1) / window
    rms = np.sqrt(np.maximum(mean_squares, 0.0))
    return rms[0] if sound.ndim == 1 else rms


def gammatonegram(wave: ArrayLike, rate: float, columns: int | None = None) -> NDArray[np.float32]:
    """The picture SE-CRNN reads: decibels of left, right and their difference.

    The clip is divided by one scalar, the range (max - min) over both channels; a mono sound is taken as two
    equal channels, so that its third plane is at the floor of -200 dB. The last column is repeated once, so
    that ten seconds give 500.

    Args:
        wave: the sound; of more than two channels the first two are taken.
        rate: samples per second; the paper uses 44,100.
        columns: cut to, or fill by repeating the last column up to, this many columns (a clip in the data set
            may be one sample short); None keeps what the length gives.

    Shapes:
        wave (samples,) or (samples, channels) -> (64, columns, 3), float32, highest band in row 0.

    Raises:
        UserError: no samples, or samples that are not finite.
    """
    sound = np.asarray(wave, dtype=np.float64)
    if sound.ndim == 1:
        sound = sound[:, None]
    if sound.ndim != 2 or 0 in sound.shape:
        raise UserError(f"A sound of shape {sound.shape} holds no samples; (samples, channels) is expected.")
    left, right = sound[:, 0], sound[:, min(1, sound.shape[1] - 1)]
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise UserError("The sound holds samples that are not finite (NaN or infinity).")
    extent = max(left.max(), right.max()) - min(left.min(), right.min())
    if extent > 0:
        left, right = left / extent, right / extent
    rms = gammatone_rms(np.stack([left, right]), rate, difference=True)
    decibels = 20 * np.log10(np.maximum(rms, AMPLITUDE_FLOOR))
    picture = np.concatenate([decibels, decibels[..., -1:]], axis=-1)
    if columns is not None:
        picture = picture[..., np.minimum(np.arange(columns), picture.shape[-1] - 1)]
    return np.ascontiguousarray(picture.transpose(1, 2, 0), dtype=np.float32)


def segment(picture: NDArray[np.float32], start: int, width: int = COLUMNS_PER_SECOND) -> NDArray[np.float32]:
    """One second of a gammatonegram, its three planes scaled together to [-1, 1].

    A flat segment (silence) becomes zeros.

    Shapes: (bands, columns, 3) -> (bands, width, 3).

    Raises:
        UserError: the segment does not lie inside the picture.
    """
    if start < 0 or start + width > picture.shape[1]:
        raise UserError(
            f"Columns {start} to {start + width} do not lie inside a gammatonegram of {picture.shape[1]} columns."
        )
    cut = picture[:, start : start + width]
    low, high = float(cut.min()), float(cut.max())
    if not high > low:
        return np.zeros_like(cut)
    return np.asarray(2 * (cut - low) / (high - low) - 1, dtype=np.float32)


def segments(picture: NDArray[np.float32], width: int = COLUMNS_PER_SECOND) -> NDArray[np.float32]:
    """All consecutive, non-overlapping seconds: ten for a clip of the data set.

    Shapes: (bands, columns, 3) -> (columns // width, bands, width, 3).
    """
    starts = range(0, picture.shape[1] - width + 1, width)
    return np.stack([segment(picture, start, width) for start in starts]) if starts else picture[None][:0]
