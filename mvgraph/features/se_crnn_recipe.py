"""How [15] trained its networks, stage by stage, as a configuration that `training/` carries out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stage:
    """One stage of training with Adam on categorical cross-entropy, at most `epochs` long.

    Args:
        stop_patience, halve_patience: epochs without a better validation loss before stopping, and before the
            learning rate is halved.
        mixup_alpha: 0 for none.
        train_backbone: whether the VGG16 convolutions learn.
        train_subnetworks: for the fusion stages, whether both subnetworks learn.
        backbone_l2, dense_l2: Keras' L2 penalties: coefficient times the sum of squared kernel entries.
    """

    name: str
    learning_rate: float
    batch_size: int
    stop_patience: int
    halve_patience: int
    epochs: int = 200
    mixup_alpha: float = 0.0
    train_backbone: bool = False
    train_subnetworks: bool = False
    backbone_l2: float = 0.0
    dense_l2: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """The five stages; one random second of each clip an epoch, its start on the 0.2 s frame grid.

    Checkpoints are picked on a part of the training clips with locations of its own, unlike [15], which
    picked them on the test fold.
    """

    audio: Stage = field(
        default=Stage("audio", 1e-3, 32, stop_patience=80, halve_patience=15, mixup_alpha=0.4)
    )
    visual: tuple[Stage, Stage] = (
        Stage("visual-1", 1e-4, 16, 40, 20, backbone_l2=2e-4, dense_l2=1e-3),
        Stage("visual-2", 1e-6, 16, 40, 20, train_backbone=True, backbone_l2=2e-4, dense_l2=1e-3),
    )
    fusion: tuple[Stage, Stage] = (
        Stage("fusion-1", 1e-4, 16, 80, 15),
        Stage("fusion-2", 1e-6, 16, 80, 15, train_backbone=True, train_subnetworks=True),
    )


def segment_starts(frames: int, width: int) -> range:
    """Starts of a random second on the frame grid: frame s of the video goes with column 10 s of the sound."""
    return range(max(1, frames - width + 1))
