"""First stages: gammatonegrams and backbone features of every clip, video decoded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mvgraph.data.safetensors import read_tensors, write_tensors
from mvgraph.data.tau.layout import Clip
from mvgraph.data.tau.read import TauClips
from mvgraph.errors import UserError
from mvgraph.features.backbone import BackboneFeatures
from mvgraph.features.extract import (
    ClipFiles,
    Extraction,
    Extractor,
    FrameFeatures,
    GammatoneFeatures,
    extract,
)
from mvgraph.features.store import FeatureStore
from mvgraph.features.vgg import VGG16Features, load_vgg16, sha256_of
from mvgraph.reproduce.settings import AvscSettings
from mvgraph.reproduce.stages import Stage, Stages


@dataclass(frozen=True)
class PooledFromFrames:
    """Pooled VGG16 features of frames that lie in a store already: no video is decoded.

    Args:
        frames: folder of the store; state: safetensors of a backbone, under its own names.
        key: names the backbone in the settings of the new store.
    """

    frames: Path
    state: Path
    key: str
    width: int
    pooling: str = "max"
    _cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"features": "vgg16-of-frames", "backbone": self.key, "pooling": self.pooling}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": {}}

    def __call__(self, clip: ClipFiles) -> Mapping[str, np.ndarray]:
        if not self._cache:  # every process loads its own
            network = VGG16Features(self.width, warn=False)
            network.load_state_dict(read_tensors(self.state))
            self._cache.update({"network": network.eval(), "store": FeatureStore(self.frames)})
        pictures = (
            torch.from_numpy(self._cache["store"].load(clip.name, "frames")).permute(0, 3, 1, 2).float()
        )
        with torch.inference_mode():
            parts = [self._cache["network"].pooled(part, self.pooling) for part in pictures.split(10)]
        return {"pooled": torch.cat(parts).numpy()}


@dataclass(frozen=True)
class Features:
    """The stores of the first stages; `frames` only where convolutions are to learn.

    Args:
        clips: the clips that could be read.
        skipped: clips that could not, with the reason.
        backbone: what the pooled features come from, in words.
    """

    clips: TauClips
    sound: FeatureStore
    pooled: FeatureStore
    frames: FeatureStore | None
    skipped: Mapping[str, str]
    backbone: str
    keys: tuple[str, ...]


def extract_features(clips: TauClips, settings: AvscSettings, stages: Stages) -> Features:
    """Run the feature stages.

    Raises:
        UserError: a clip that cannot be read under on_bad="fail", or a weight file that is none.
    """
    files = [ClipFiles(clip.name, clips.audio_path(clip), clips.video_path(clip)) for clip in clips.clips]
    content = _stamps(clips)
    sound = _stage(stages, "gammatone", GammatoneFeatures(settings.seconds), files, settings, content)
    backbone, weights = describe_backbone(settings)
    frames = None
    if settings.fine_tune:
        frames = _stage(
            stages, "frames", FrameFeatures(settings.seconds, settings.side), files, settings, content
        )
    pictures = BackboneFeatures(settings.weights, settings.width, 0, "max", settings.seconds, settings.side)
    if frames is None:
        content = {**content, "weights": weights}
        pooled = _stage(stages, "pooled", pictures, files, settings, content)
    else:
        readable = [f for f in files if f.name not in frames.record["skipped"]]
        state = _state_file(settings, stages)
        again = PooledFromFrames(
            frames.folder / "store", state.folder / "backbone.safetensors", state.key, settings.width
        )
        pooled = _stage(stages, "pooled", again, readable, settings, {"frames": frames.key})
    skipped = {**sound.record["skipped"], **pooled.record["skipped"]}
    if frames is not None:
        skipped |= frames.record["skipped"]
    return Features(
        clips=clips.without(set(skipped)) if skipped else clips,
        sound=FeatureStore(sound.folder / "store"),
        pooled=FeatureStore(pooled.folder / "store"),
        frames=None if frames is None else FeatureStore(frames.folder / "store"),
        skipped=skipped,
        backbone=backbone,
        keys=(sound.key, pooled.key, *([frames.key] if frames is not None else [])),
    )


def pool_again(features: Features, settings: AvscSettings, stages: Stages, encoder: Stage) -> FeatureStore:
    """Pooled features of the backbone that the visual encoder's stage two changed."""
    assert features.frames is not None
    state = encoder.folder / "backbone.safetensors"
    again = PooledFromFrames(features.frames.folder, state, encoder.key, settings.width)
    files = [ClipFiles(clip.name) for clip in features.clips.clips]
    stage = _stage(stages, "pooled-tuned", again, files, settings, {"encoder": encoder.key})
    return FeatureStore(stage.folder / "store")


def describe_backbone(settings: AvscSettings) -> tuple[str, str]:
    """What the convolutions start from, in words, and the hash of their weight file."""
    if settings.weights is not None:
        if not Path(settings.weights).is_file():
            raise UserError(f"There is no weight file {str(settings.weights)!r}.")
        found = sha256_of(settings.weights)
        return f"VGG16 with the weights of {settings.weights.name} (SHA-256 {found[:16]})", found
    size = "a SMALL VGG16 (an eighth of the width)" if settings.small_vgg else "VGG16"
    return f"{size}, RANDOMLY INITIALISED", ""


def _state_file(settings: AvscSettings, stages: Stages) -> Stage:
    """The backbone as it starts, in a file of its own."""

    def work(folder: Path) -> Mapping[str, Any]:
        if settings.weights is not None:
            network = load_vgg16(settings.weights, lambda line: None)
        else:
            network = VGG16Features(settings.width, 0)
        write_tensors(network.state_dict(), folder / "backbone.safetensors")
        return {}

    return stages.run("backbone", {"width": settings.width, "weights": describe_backbone(settings)[1]}, work)


def _stage(
    stages: Stages,
    name: str,
    extractor: Extractor,
    files: list[ClipFiles],
    settings: AvscSettings,
    content: Mapping[str, Any],
) -> Stage:
    def work(folder: Path) -> Mapping[str, Any]:
        def tell(done: int, total: int) -> None:
            if done % 500 == 0 and done:
                stages.say(f"{name}: {done} of {total} clips")

        done: Extraction = extract(
            files, extractor, folder / "store", settings.workers, settings.on_bad, tell
        )
        return {"clips": len(files), "skipped": dict(done.skipped)}

    return stages.run(
        name, {"extractor": dict(extractor.settings), "on_bad": settings.on_bad, **content}, work
    )


def _stamps(clips: TauClips) -> dict[str, Any]:
    """What tells one set of media files from another without reading them: names, sizes and times of change."""

    def stamp(path: Path) -> list[int]:
        found = path.stat() if path.is_file() else None
        return [0, 0] if found is None else [found.st_size, found.st_mtime_ns]

    def line(clip: Clip) -> list[Any]:
        return [clip.name, *stamp(clips.audio_path(clip)), *stamp(clips.video_path(clip))]

    return {"files": [line(clip) for clip in clips.clips]}
