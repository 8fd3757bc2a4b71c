"""An extractor with a network in it: pooled VGG16 features of every frame, so that video is decoded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mvgraph.features.extract import ClipFiles, FrameFeatures
from mvgraph.features.vgg import VGG16Features, load_vgg16
from mvgraph.features.video_io import SIDE


@dataclass(frozen=True)
class BackboneFeatures:
    """Globally pooled VGG16 features of every frame: `pooled` (5 seconds, 8 width) float32.

    With a frozen backbone this is all that the first stage of training needs: video is decoded once.

    Args:
        weights: a state dict (see `vgg.load_vgg16`); None: random weights of `width` and `seed`, with a warning.
    """

    weights: Path | None = None
    width: int = 64
    seed: int = 0
    pooling: str = "max"
    seconds: float = 10.0
    side: int = SIDE
    _cache: dict[str, VGG16Features] = field(default_factory=dict, repr=False, compare=False)

    @property
    def settings(self) -> Mapping[str, Any]:
        source = (
            {"width": self.width, "seed": self.seed}
            if self.weights is None
            else {"weights": str(self.weights)}
        )
        return {
            "features": "vgg16",
            "pooling": self.pooling,
            "seconds": self.seconds,
            "side": self.side,
            **source,
        }

    def network(self) -> VGG16Features:
        """The backbone, made once a process."""
        if "network" not in self._cache:
            made = (
                VGG16Features(self.width, self.seed)
                if self.weights is None
                else load_vgg16(self.weights, lambda line: None)
            )
            self._cache["network"] = made.eval()
        return self._cache["network"]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": {}}  # workers load their own

    def __call__(self, clip: ClipFiles) -> Mapping[str, np.ndarray]:
        frames = FrameFeatures(self.seconds, self.side)(clip)["frames"]
        network = self.network()
        with torch.inference_mode():
            pictures = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
            pooled = torch.cat([network.pooled(part, self.pooling) for part in pictures.split(10)])
        return {"pooled": pooled.numpy()}
