"""Generated scene sounds: coloured and modulated noise, tones, events, reverberation. They are not recordings.

Five families of sound, each shared by two classes that differ by little (`LEAN`) against what a location
changes: sound alone must not suffice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SoundFamily:
    """A texture; frequencies in Hz, rates in 1/s, times in s, levels relative to the noise."""

    slope: float  # spectral power falls as f to this
    bump: float  # centre of the loudest region
    modulation_rate: float
    modulation_depth: float
    tone: float
    tone_level: float
    event_rate: float
    event_pitch: float
    event_decay: float
    event_level: float
    reverberation: float


HALL = SoundFamily(1.2, 500, 3.0, 0.5, 180, 0.05, 2.0, 1800, 0.12, 1.5, 1.4)
VEHICLE = SoundFamily(2.0, 120, 0.8, 0.3, 90, 0.5, 0.4, 700, 0.08, 1.2, 0.15)
RAIL = SoundFamily(1.5, 300, 0.4, 0.8, 420, 0.3, 5.0, 350, 0.03, 1.6, 0.8)
OPEN = SoundFamily(0.7, 3000, 0.3, 0.4, 2600, 0.08, 3.0, 4200, 0.05, 2.0, 0.1)
STREET = SoundFamily(1.4, 900, 0.2, 0.6, 140, 0.12, 1.2, 1100, 0.25, 1.8, 0.4)

#: Family and the side of it a class leans to.
SOUNDS: dict[str, tuple[SoundFamily, int]] = {
    "airport": (HALL, -1),
    "shopping_mall": (HALL, 1),
    "bus": (VEHICLE, -1),
    "tram": (VEHICLE, 1),
    "metro": (RAIL, -1),
    "metro_station": (RAIL, 1),
    "park": (OPEN, -1),
    "public_square": (OPEN, 1),
    "street_pedestrian": (STREET, -1),
    "street_traffic": (STREET, 1),
}
#: How far a class leans, in units of the spread between locations. A linear model on band levels of 2 s then names
#: the class of 72 % of clips from unseen places (pictures: 85 %, both: 99 %; the family alone: 98 and 99 %).
LEAN = 0.5


def place_sound(scene: str, rng: np.random.Generator) -> SoundFamily:
    """The texture of one location: its family's, leaning to the class, changed at random."""
    family, side = SOUNDS[scene]

    def changed(value: float, spread: float) -> float:
        return float(value * np.exp(spread * (rng.standard_normal() + LEAN * side)))

    return SoundFamily(
        slope=family.slope + 0.12 * (rng.standard_normal() + LEAN * side),
        bump=changed(family.bump, 0.15),
        modulation_rate=changed(family.modulation_rate, 0.2),
        modulation_depth=min(changed(family.modulation_depth, 0.15), 0.95),
        tone=changed(family.tone, 0.1),
        tone_level=changed(family.tone_level, 0.25),
        event_rate=changed(family.event_rate, 0.25),
        event_pitch=changed(family.event_pitch, 0.12),
        event_decay=changed(family.event_decay, 0.15),
        event_level=changed(family.event_level, 0.15),
        reverberation=changed(family.reverberation, 0.2),
    )


def clip_sound(
    place: SoundFamily, frames: int, rate: int, city_tilt: float, rng: np.random.Generator
) -> Array:
    """The sound of one clip at a place.

    Args:
        city_tilt: what the recorder of a city adds to the slope of the spectrum.

    Shapes: -> (frames, 2), inside -1..1.
    """
    t = np.arange(frames) / rate
    frequency = np.maximum(np.fft.rfftfreq(frames, 1 / rate), 20.0)
    colour = frequency ** (-(place.slope + city_tilt) / 2)
    colour *= 1 + 3 * np.exp(-0.5 * (np.log(frequency / place.bump) / 0.5) ** 2)
    common, *sides = (np.fft.irfft(colour * _spectrum(frames, rng), frames) for _ in range(3))
    phase = rng.uniform(0, 2 * np.pi)
    envelope = 1 + place.modulation_depth * np.sin(2 * np.pi * place.modulation_rate * t + phase)
    tones = np.zeros(frames)
    for harmonic in range(1, 6):
        vibrato = 0.4 * np.sin(2 * np.pi * 0.7 * t + rng.uniform(0, 6))
        tones += np.sin(2 * np.pi * harmonic * place.tone * t + harmonic * vibrato) / harmonic
    dry = common / common.std() * envelope + place.tone_level * tones + _events(place, frames, rate, rng)
    wet = _reverberate(dry, place.reverberation, rate, rng)
    both = np.stack([dry + 0.5 * wet + 0.3 * side / side.std() for side in sides], axis=1)
    level = 10 ** (rng.normal(-18, 3) / 20)
    noise = 1e-4 * rng.standard_normal((frames, 2))
    return np.asarray(np.clip(level * both / both.std() + noise, -0.999, 0.999))


def _spectrum(frames: int, rng: np.random.Generator) -> NDArray[np.complex128]:
    count = frames // 2 + 1
    return rng.standard_normal(count) + 1j * rng.standard_normal(count)


def _events(place: SoundFamily, frames: int, rate: int, rng: np.random.Generator) -> Array:
    """Decaying noisy chimes at random times."""
    signal = np.zeros(frames)
    for _ in range(rng.poisson(place.event_rate * frames / rate)):
        start = int(rng.integers(frames))
        length = min(frames - start, int(6 * place.event_decay * rate))
        t = np.arange(length) / rate
        pitch = place.event_pitch * np.exp(0.3 * rng.standard_normal())
        body = np.sin(2 * np.pi * pitch * t) + 0.5 * rng.standard_normal(length)
        signal[start : start + length] += (
            rng.exponential(place.event_level) * body * np.exp(-t / place.event_decay)
        )
    return signal


def _reverberate(dry: Array, seconds: float, rate: int, rng: np.random.Generator) -> Array:
    """Convolution with decaying noise, 60 dB down after `seconds`; scaled to the level of the input."""
    length = max(1, min(len(dry), int(seconds * rate)))
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    size = len(dry) + length
    size = 1 << (size - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(tail, size), size)[: len(dry)]
    return wet * (dry.std() / max(float(wet.std()), 1e-12))
