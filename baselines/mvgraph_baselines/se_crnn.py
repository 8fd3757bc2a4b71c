"""SE-CRNN [15] whole: both subnetworks, early fusion by a BiGRU, late fusion by one dense layer.

Source: J. Naranjo-Alcazar et al., "Task 1B DCASE 2021: Audio-visual scene classification with squeeze-excitation
convolutional recurrent neural networks". The networks stand in `mvgraph.features.se_crnn`; here they are trained.

Unlike the original, epochs are chosen on training clips of held-out locations and not on the test fold. Both outputs
learn at once: the loss is the sum of the cross-entropies of early and late fusion, and late fusion chooses.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.features.se_crnn import SECRNN, AudioSubnetwork, VisualSubnetwork, count_numbers
from mvgraph.features.se_crnn_recipe import Recipe
from mvgraph.reproduce.encoders import Judged, fit_audio, fit_visual, learn, options_of
from mvgraph.training.network_samples import Rows, Samples
from mvgraph.training.networks import NetworkFit, fit_network, predict_outputs

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Fused:
    """What training the fusion left behind.

    Args:
        network: SE-CRNN with the weights of the chosen epoch.
        probabilities: "early" and "late" class probabilities of the test samples, (n, C).
        fits: by stage.
        parameters: of the fusion part alone, as Table 3 counts them (272,704 with full VGG16 and ten classes).
    """

    network: SECRNN
    probabilities: Mapping[str, Floats]
    fits: Mapping[str, NetworkFit]
    parameters: int


def fit_fusion(
    audio: AudioSubnetwork,
    visual: VisualSubnetwork,
    pooled: Judged,
    frames: Judged | None,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    epochs: int | None = None,
    device: str = "cpu",
    folder: Path | None = None,
) -> Fused:
    """Train the fusion of two trained subnetworks: first with both frozen, then everything at a small rate.

    Args:
        audio, visual: trained; they are copied, and left as they are.
        pooled: samples (sound, pooled features of the visual backbone); its test samples are answered.
        frames: samples (sound, frames) for stage two; None lets stage two train all but the convolutions.

    Raises:
        UserError: no test samples to answer.
    """
    if pooled.test is None:
        raise UserError("The fusion of SE-CRNN needs test samples to answer.")
    recipe = recipe or Recipe()
    network = SECRNN(copy.deepcopy(audio), copy.deepcopy(visual), "late", seed)
    learn(network.audio, False)
    learn(network.visual, False)
    fits = {}

    def from_frames(sound: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
        return network.forward_pooled(sound, network.visual.pooled(pictures))

    for stage in recipe.fusion:
        fine = stage.train_backbone and frames is not None
        if stage.train_subnetworks:
            learn(network.audio, True)
            learn(network.visual, True)
            learn(network.visual.backbone, fine)
        judged = frames if fine and frames is not None else pooled
        fits[stage.name] = fit_network(
            network,
            judged.train,
            judged.validation,
            options_of(stage, device, epochs),
            seed=seed,
            forward=from_frames if fine else network.forward_pooled,
            oracle=judged.test,
            folder=None if folder is None else folder / stage.name,
        )
        answered = judged
    assert answered.test is not None
    early, late = predict_outputs(
        network,
        answered.test,
        from_frames if answered is frames else network.forward_pooled,
        device=device,
    )
    return Fused(network, {"early": early, "late": late}, fits, count_numbers(network.fusion)[0])


def fit_se_crnn(
    audio: AudioSubnetwork,
    visual: VisualSubnetwork,
    sound: Judged,
    pooled: Judged,
    both: Judged,
    *,
    frames: Judged | None = None,
    both_frames: Judged | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    epochs: int | None = None,
    device: str = "cpu",
    folder: Path | None = None,
) -> Fused:
    """The whole of [15] on samples of any origin: audio, visual 1 and 2, fusion 1 and 2.

    Args:
        sound: (rows, 3, 64, 50); pooled: (rows, 5, d); both: (sound, pooled) together.
        frames: pictures (rows, 5, 3, H, W), and both_frames (sound, pictures): with them the convolutions learn in
            the second stages, and the fusion reads `both_frames` instead of `both`, whose features are then old.

    Raises:
        UserError: see `fit_network`; frames for one of the second stages alone.
    """
    if (frames is None) != (both_frames is None):
        raise UserError("Give frames for both second stages of SE-CRNN, or for neither.")
    common = {"recipe": recipe, "seed": seed, "epochs": epochs, "device": device, "folder": folder}
    fit_audio(audio, sound, **common)  # type: ignore[arg-type]
    fit_visual(visual, pooled, frames, **common)  # type: ignore[arg-type]
    if both_frames is None:
        return fit_fusion(audio, visual, both, None, **common)  # type: ignore[arg-type]
    tuned = Judged(
        _Pooled(visual, both_frames.train),
        _Pooled(visual, both_frames.validation),
        None if both_frames.test is None else _Pooled(visual, both_frames.test),
    )
    return fit_fusion(audio, visual, tuned, both_frames, **common)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Pooled:
    """(sound, pictures) as (sound, pooled features) of a backbone that no longer learns, computed when asked for."""

    visual: VisualSubnetwork
    samples: Samples

    @property
    def labels(self) -> Rows:
        return self.samples.labels

    def inputs(self, rows: Rows, rng: np.random.Generator) -> tuple[Tensor, ...]:
        sound, pictures = self.samples.inputs(rows, rng)
        device = next(self.visual.parameters()).device
        with torch.no_grad():
            return sound, self.visual.pooled(pictures.to(device)).cpu()
