"""Generated scene pictures: palette, layout, texture and motion. They are not photographs.

Five families of picture, paired otherwise than the families of sound: pictures alone must not suffice, and
sound and pictures together name the class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class PictureFamily:
    """What a scene looks like: colours 0..1 of top, middle and bottom; lengths in parts of the picture's side."""

    top: tuple[float, float, float]
    middle: tuple[float, float, float]
    bottom: tuple[float, float, float]
    horizon: float
    stripes: float  # upright structures across the picture
    grain: float
    camera_speed: float  # per second
    walkers: float
    walker_size: float
    walker_speed: float


INTERIOR = PictureFamily(
    (0.5, 0.5, 0.45), (0.3, 0.35, 0.5), (0.25, 0.2, 0.2), 0.4, 7, 0.05, 0.02, 4, 0.22, 0.05
)
CONCOURSE = PictureFamily(
    (0.7, 0.7, 0.7), (0.5, 0.5, 0.52), (0.35, 0.35, 0.36), 0.5, 5, 0.04, 0.01, 8, 0.12, 0.2
)
SHOPS = PictureFamily(
    (0.75, 0.65, 0.5), (0.6, 0.35, 0.3), (0.55, 0.5, 0.45), 0.45, 10, 0.1, 0.05, 12, 0.14, 0.15
)
PLAZA = PictureFamily((0.5, 0.65, 0.85), (0.6, 0.55, 0.5), (0.4, 0.4, 0.4), 0.6, 4, 0.07, 0.03, 6, 0.1, 0.4)
GREEN = PictureFamily((0.55, 0.7, 0.8), (0.25, 0.5, 0.2), (0.3, 0.5, 0.2), 0.55, 3, 0.15, 0.12, 2, 0.08, 0.1)

#: Family and the side of it a class leans to.
PICTURES: dict[str, tuple[PictureFamily, int]] = {
    "bus": (INTERIOR, -1),
    "metro": (INTERIOR, 1),
    "airport": (CONCOURSE, -1),
    "metro_station": (CONCOURSE, 1),
    "shopping_mall": (SHOPS, -1),
    "street_pedestrian": (SHOPS, 1),
    "public_square": (PLAZA, -1),
    "street_traffic": (PLAZA, 1),
    "park": (GREEN, -1),
    "tram": (GREEN, 1),
}
#: How far a class leans, in units of the spread between locations.
LEAN = 0.6


def place_picture(scene: str, rng: np.random.Generator) -> PictureFamily:
    """The look of one location: its family's, leaning to the class, changed at random."""
    family, side = PICTURES[scene]

    def drawn() -> float:
        return float(rng.standard_normal() + LEAN * side)

    def colour(
        base: tuple[float, float, float], tint: tuple[float, float, float]
    ) -> tuple[float, float, float]:
        shade = 0.04 * rng.standard_normal(3) + 0.04 * LEAN * side * np.array(tint)
        r, g, b = np.clip(np.array(base) + shade, 0.02, 0.98)
        return float(r), float(g), float(b)

    return PictureFamily(
        top=colour(family.top, (1, 0, -1)),
        middle=colour(family.middle, (-1, 1, 0)),
        bottom=colour(family.bottom, (0, -1, 1)),
        horizon=float(np.clip(family.horizon + 0.05 * drawn(), 0.15, 0.85)),
        stripes=max(1.0, family.stripes * float(np.exp(0.15 * drawn()))),
        grain=family.grain * float(np.exp(0.2 * drawn())),
        camera_speed=family.camera_speed * float(np.exp(0.3 * drawn())),
        walkers=family.walkers * float(np.exp(0.2 * drawn())),
        walker_size=family.walker_size * float(np.exp(0.1 * drawn())),
        walker_speed=family.walker_speed * float(np.exp(0.2 * drawn())),
    )


def clip_pictures(
    place: PictureFamily, times: Array, height: int, width: int, city_warmth: float, rng: np.random.Generator
) -> Iterator[Picture]:
    """The frames of one clip at a place.

    Args:
        times: (F,) seconds.
        city_warmth: what the light of a city adds to red and takes from blue.

    Shapes: yields (height, width, 3) uint8.
    """
    light = float(np.exp(0.1 * rng.standard_normal()))
    backdrop = _backdrop(place, height, width, rng) * light
    backdrop += city_warmth * np.array([1.0, 0.0, -1.0])
    still: Picture = np.asarray(255 * np.clip(backdrop, 0, 1), dtype=np.uint8)
    walkers = int(rng.poisson(place.walkers))
    start, speed = rng.uniform(size=walkers), place.walker_speed * rng.normal(1, 0.3, walkers)
    speed *= rng.choice([-1, 1], walkers)
    foot = rng.uniform(place.horizon, 1, walkers)
    cloth = (255 * rng.uniform(0.05, 0.9, (walkers, 3))).astype(np.uint8)
    for time in times:
        picture = np.roll(still, int(place.camera_speed * time * width), axis=1)
        for index in np.argsort(foot):
            tall = max(2, int(place.walker_size * (0.5 + foot[index]) * height))
            wide = max(2, tall // 3)
            x = int((start[index] + speed[index] * time) % 1 * (width - wide))
            y = int(foot[index] * height)
            picture[max(0, y - tall) : y, x : x + wide] = cloth[index]
        yield picture


def _backdrop(place: PictureFamily, height: int, width: int, rng: np.random.Generator) -> Array:
    y = np.linspace(0, 1, height)[:, None, None]
    top, middle, bottom = (np.array(c) for c in (place.top, place.middle, place.bottom))
    above = top + (middle - top) * np.minimum(y / place.horizon, 1)
    picture = np.where(y < place.horizon, above, bottom) * np.ones((1, width, 1))
    x = np.linspace(0, 1, width)[None, :, None]
    upright = np.sin(2 * np.pi * (place.stripes * x + rng.uniform())) > 0.3
    picture = np.where(upright & (y < place.horizon) & (y > 0.1), picture * 0.75, picture)
    # Grain in lumps of several pixels, which survive the encoder and the resize.
    lumps = rng.standard_normal((height // 6 + 1, width // 6 + 1, 1))
    grain = np.repeat(np.repeat(lumps, 6, axis=0), 6, axis=1)[:height, :width]
    return np.asarray(picture + place.grain * grain)
