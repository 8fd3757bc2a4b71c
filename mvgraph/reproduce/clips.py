"""Seconds of clips as samples for networks: random ones to train on, all of them to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvgraph.data.stratify import carve_groups
from mvgraph.data.tau.layout import CLASSES, Clip
from mvgraph.data.tau.read import TauClips
from mvgraph.errors import UserError
from mvgraph.features.gammatone import COLUMNS_PER_SECOND, segment
from mvgraph.features.se_crnn_recipe import segment_starts
from mvgraph.features.store import FeatureStore
from mvgraph.features.video_io import FRAMES_PER_SECOND
from mvgraph.training.network_samples import Rows

_COLUMNS_PER_FRAME = COLUMNS_PER_SECOND // FRAMES_PER_SECOND
#: Bytes of features kept in memory for each array; beyond, clips are read from their shard every time.
CACHE_BYTES = 8 << 30


@dataclass(frozen=True)
class Parts:
    """Clips to train on, clips whose locations choose epochs, and test clips; names of the classes that occur."""

    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    test: tuple[Clip, ...]
    classes: tuple[str, ...]

    @property
    def all(self) -> tuple[Clip, ...]:
        """Training, validation, test: the order of the nodes."""
        return self.train + self.validation + self.test

    def labels(self, clips: Sequence[Clip]) -> Rows:
        """Class numbers. Shapes: -> (clips,)."""
        return np.array([self.classes.index(clip.label) for clip in clips], dtype=np.int64)


def divide(clips: TauClips, share: float, seed: int = 0) -> Parts:
    """Set `share` of the training clips of every class aside, by whole locations, at least one location a class.

    Raises:
        UserError: a class has one location alone, so that none can be set aside.
    """
    classes = tuple(name for name in CLASSES if any(clip.label == name for clip in clips.clips))
    labels = np.array([classes.index(clip.label) for clip in clips.train])
    places = np.array([clip.place for clip in clips.train])
    rng = np.random.default_rng(seed)
    taken: set[str] = set()
    # Class by class: with few locations a share of all of them would be a location of one class alone.
    for code in np.unique(labels):
        rows = np.flatnonzero(labels == code)
        ids = np.unique(places[rows])
        if len(ids) < 2:
            raise UserError(
                f"Class {classes[code]!r} has training clips of one location alone ({ids[0]}); two are needed, one of "
                "them to choose epochs."
            )
        taken |= set(places[_carved(rows, places, share, rng)])
    held = np.isin(places, sorted(taken))
    left = set(labels.tolist()) - set(labels[~held].tolist())
    if left:
        raise UserError(
            f"Class {classes[min(left)]!r} shares all its locations with classes that need them to choose epochs."
        )
    chosen = [tuple(clips.train[i] for i in np.flatnonzero(part)) for part in (~held, held)]
    return Parts(chosen[0], chosen[1], clips.test, classes)


def _carved(rows: Rows, places: NDArray[np.str_], share: float, rng: np.random.Generator) -> Rows:
    return carve_groups(rows, np.zeros(len(places), np.int64), places, share, rng, "location")[1]


@dataclass
class ClipArrays:
    """One array of every clip of a store, read when first asked for and kept while memory lasts."""

    store: FeatureStore
    array: str
    budget: int = CACHE_BYTES
    _kept: dict[str, NDArray[np.generic]] = field(default_factory=dict, repr=False)

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        found = self._kept.get(name)
        if found is None:
            found = self.store.load(name, self.array)
            if found.nbytes <= self.budget:
                self.budget -= found.nbytes
                self._kept[name] = found
        return found


@dataclass(frozen=True)
class Seconds:
    """Seconds of clips; each of the sources gives one input of the network.

    Args:
        clips: names; labels (clips,) their classes.
        sources: gammatonegrams (64, columns, 3), pooled features (frames, d) or pictures (frames, H, W, 3).
        starts: frame at which the second of each row begins; None cuts one at random every time.
        rows_clip: clip number of each row.

    Shapes: inputs: sound (rows, 3, 64, 50), pooled (rows, 5, d), pictures (rows, 5, 3, H, W).
    """

    clips: tuple[str, ...]
    sources: tuple[ClipArrays, ...]
    labels: Rows
    rows_clip: Rows
    starts: Rows | None

    def inputs(self, rows: Rows, rng: np.random.Generator) -> tuple[Tensor, ...]:
        names = [self.clips[self.rows_clip[row]] for row in rows]
        pieces: list[list[Tensor]] = [[] for _ in self.sources]
        for row, name in zip(rows, names, strict=True):
            arrays = [source[name] for source in self.sources]
            start = self._start(row, arrays, rng)
            for piece, array, source in zip(pieces, arrays, self.sources, strict=True):
                piece.append(_cut(array, source.array, start))
        return tuple(torch.stack(piece) for piece in pieces)

    def _start(self, row: int, arrays: Sequence[NDArray[np.generic]], rng: np.random.Generator) -> int:
        if self.starts is not None:
            return int(self.starts[row])
        frames = min(
            array.shape[1] // _COLUMNS_PER_FRAME if source.array == "gammatone" else len(array)
            for array, source in zip(arrays, self.sources, strict=True)
        )
        possible = segment_starts(frames, FRAMES_PER_SECOND)
        return possible[int(rng.integers(len(possible)))]


def random_seconds(parts: Parts, clips: Sequence[Clip], *sources: ClipArrays) -> Seconds:
    """One random second of each clip whenever it is asked for: training."""
    labels = parts.labels(clips)
    names = tuple(clip.name for clip in clips)
    return Seconds(names, sources, labels, np.arange(len(names)), None)


def chosen_seconds(parts: Parts, clips: Sequence[Clip], starts: Rows, *sources: ClipArrays) -> Seconds:
    """One second of each clip at a given frame: the nodes of the training clips. Shapes: starts (clips,)."""
    labels = parts.labels(clips)
    names = tuple(clip.name for clip in clips)
    return Seconds(names, sources, labels, np.arange(len(names)), starts)


def all_seconds(parts: Parts, clips: Sequence[Clip], seconds: int, *sources: ClipArrays) -> Seconds:
    """Every whole second of each clip, clip after clip: validation and test."""
    names = tuple(clip.name for clip in clips)
    which = np.repeat(np.arange(len(names)), seconds)
    starts = np.tile(np.arange(seconds) * FRAMES_PER_SECOND, len(names))
    return Seconds(names, sources, parts.labels(clips)[which], which, starts)


def _cut(array: NDArray[np.generic], kind: str, start: int) -> Tensor:
    if kind == "gammatone":
        cut = segment(np.asarray(array, np.float32), start * _COLUMNS_PER_FRAME)
        return torch.from_numpy(np.ascontiguousarray(cut.transpose(2, 0, 1)))
    piece = torch.from_numpy(np.ascontiguousarray(array[start : start + FRAMES_PER_SECOND]))
    return piece.permute(0, 3, 1, 2).float() if kind == "frames" else piece
