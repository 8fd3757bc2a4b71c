"""The recipe of [15] for its two subnetworks, on samples of any origin; the fusion part is a baseline of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mvgraph.features.mixup import mixup
from mvgraph.features.se_crnn import AudioSubnetwork, VisualSubnetwork
from mvgraph.features.se_crnn_recipe import Recipe, Stage
from mvgraph.training.network_samples import Samples
from mvgraph.training.networks import Augment, Forward, NetworkFit, NetworkOptions, fit_network

#: There are five times as many test seconds as training clips, so the oracle looks seldom: every so many epochs, and
#: more seldom still where all convolutions are computed.
ORACLE_EVERY, ORACLE_EVERY_FINE = 5, 10


@dataclass(frozen=True)
class Judged:
    """Samples to train on, to choose epochs by, and to look at for the oracle figure."""

    train: Samples
    validation: Samples
    test: Samples | None = None


def options_of(stage: Stage, device: str = "cpu", epochs: int | None = None) -> NetworkOptions:
    """The options of one stage of the recipe; `epochs` caps its number."""
    return NetworkOptions(
        lr=stage.learning_rate,
        batch_size=stage.batch_size,
        epochs=stage.epochs if epochs is None else min(epochs, stage.epochs),
        stop_patience=stage.stop_patience,
        halve_patience=stage.halve_patience,
        oracle_every=ORACLE_EVERY_FINE if stage.train_backbone else ORACLE_EVERY,
        device=device,
    )


def mixing(stage: Stage, classes: int) -> Augment | None:
    """mixup with the stage's alpha, one lambda for each sample; None where it mixes nothing."""
    if stage.mixup_alpha <= 0:
        return None

    def mix(
        inputs: tuple[Tensor, ...], labels: Tensor, rng: np.random.Generator
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        mixed, soft = mixup(inputs[0], labels, classes, rng, stage.mixup_alpha)
        return (mixed,), soft

    return mix


def fit_audio(
    network: AudioSubnetwork,
    samples: Judged,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    epochs: int | None = None,
    device: str = "cpu",
    folder: Path | None = None,
) -> NetworkFit:
    """Train the audio subnetwork on gammatonegrams of one second, with mixup.

    Raises:
        UserError: see `fit_network`.
    """
    stage = (recipe or Recipe()).audio
    classes = network.classifier.out_features
    return _fit(network, samples, stage, seed, epochs, device, folder, None, mixing(stage, classes), None)


def fit_visual(
    network: VisualSubnetwork,
    pooled: Judged,
    frames: Judged | None,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    epochs: int | None = None,
    device: str = "cpu",
    folder: Path | None = None,
) -> list[NetworkFit]:
    """Train the visual subnetwork: stage one on cached backbone features, stage two on frames with all convolutions.

    Args:
        pooled: samples of pooled features (rows, 5, d) of this network's backbone.
        frames: samples of frames (rows, 5, 3, H, W); None leaves stage two out.

    Returns:
        What each stage left behind.

    Raises:
        UserError: see `fit_network`.
    """
    first, second = (recipe or Recipe()).visual
    fits = []
    learn(network.backbone, False)
    penalty = l2_penalty(network, first)
    fits.append(
        _fit(network, pooled, first, seed, epochs, device, folder, network.forward_pooled, None, penalty)
    )
    if frames is not None:
        learn(network.backbone, True)
        penalty = l2_penalty(network, second)
        fits.append(_fit(network, frames, second, seed, epochs, device, folder, None, None, penalty))
    return fits


def learn(module: nn.Module, whether: bool) -> None:
    """Let all parameters of a module learn, or freeze them."""
    for parameter in module.parameters():
        parameter.requires_grad_(whether)


def l2_penalty(network: VisualSubnetwork, stage: Stage) -> Callable[[], Tensor] | None:
    """Keras' L2 penalty: coefficient times the sum of squared kernel entries, of what learns; biases are left out."""
    weighted = [(stage.dense_l2, network.classifier.weight)]
    weighted += [
        (stage.backbone_l2, layer.weight)
        for layer in network.backbone.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    learning = [(factor, weight) for factor, weight in weighted if factor > 0 and weight.requires_grad]
    if not learning:
        return None
    return lambda: torch.stack([factor * weight.square().sum() for factor, weight in learning]).sum()


def _fit(
    network: nn.Module,
    samples: Judged,
    stage: Stage,
    seed: int,
    epochs: int | None,
    device: str,
    folder: Path | None,
    forward: Forward | None,
    augment: Augment | None,
    penalty: Callable[[], Tensor] | None,
) -> NetworkFit:
    return fit_network(
        network,
        samples.train,
        samples.validation,
        options_of(stage, device, epochs),
        seed=seed,
        forward=forward,
        augment=augment,
        penalty=penalty,
        oracle=samples.test,
        folder=None if folder is None else folder / stage.name,
    )
