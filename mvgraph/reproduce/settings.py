"""What can be chosen about the reproduction of the paper; defaults are the paper's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mvgraph.errors import UserError
from mvgraph.features.se_crnn_recipe import Recipe
from mvgraph.features.se_crnn_recipe import Stage as EncoderStage

#: The paper, Sections 2.2 and 3.2.
NEIGHBOURS = 60
GCN_TRAINING = {"lr": 5e-4, "weight_decay": 1e-4, "epochs": 500}
SMALL_WIDTH = 8


@dataclass(frozen=True)
class AvscSettings:
    """Settings of `reproduce_avsc`.

    Args:
        seeds: initialisations of every fusion method and of the fusion part of [15]: 0, 1, ... Encoders are trained
            once, with seed 0.
        audit_seeds: of them, how many the audit scores again without some edges (each costs four more fits of
            DM-GCN); None for all.
        epochs: at most so many epochs in any training; None for the published numbers.
        encoder_epochs: at most so many in trainings on clips (both encoders and [15]), where that is fewer still.
        fine_epochs: at most so many where convolutions learn, by far the longest; likewise.
        small_vgg: VGG16 of an eighth of the width, randomly initialised: for checks on a CPU, named in the report.
        weights: a VGG16 state dict (ImageNet or Places365); None: random weights, named in the report.
        fine_tune: train the convolutions in stage two of the visual and the fusion part (needs the frames on disk).
        validation: share of the training clips, by whole locations, that chooses epochs.
        neighbours: k of the graphs.
        seconds: of each clip that are used; 10 in the data set.
        side: of the square frames, in pixels.
        workers: processes that decode.
        on_bad: "fail" or "skip" clips that cannot be read; skipped ones are listed in the report.
        device: where networks are trained.
        tsne_points: at most so many test segments in Figure 2.

    Raises:
        UserError: a value outside its range.
    """

    seeds: int = 3
    audit_seeds: int | None = None
    epochs: int | None = None
    encoder_epochs: int | None = None
    fine_epochs: int | None = None
    small_vgg: bool = False
    weights: Path | None = None
    fine_tune: bool = True
    validation: float = 0.1
    neighbours: int = NEIGHBOURS
    seconds: float = 10.0
    side: int = 224
    workers: int = 1
    on_bad: str = "fail"
    device: str = "cpu"
    tsne_points: int = 5000

    def __post_init__(self) -> None:
        for name in (
            "seeds",
            "audit_seeds",
            "epochs",
            "encoder_epochs",
            "fine_epochs",
            "neighbours",
            "workers",
            "tsne_points",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name}={value}: give a whole number of at least 1.")
        if self.seconds < 1:
            raise UserError(f"seconds={self.seconds}: a clip needs at least one second.")
        if self.side < 32:
            raise UserError(f"side={self.side}: VGG16 needs frames of at least 32 pixels.")
        if not 0 < self.validation < 1:
            raise UserError(f"validation={self.validation}: give a share between 0 and 1.")
        if self.on_bad not in ("fail", "skip"):
            raise UserError(f"on_bad={self.on_bad!r}: give 'fail' or 'skip'.")
        if self.small_vgg and self.weights is not None:
            raise UserError("The small VGG has no public weights; give either small_vgg or weights.")

    @property
    def width(self) -> int:
        """Channels of VGG16's first block."""
        return SMALL_WIDTH if self.small_vgg else 64

    @property
    def whole_seconds(self) -> int:
        """Test segments of each clip."""
        return int(self.seconds)

    def at_most(self, published: int) -> int:
        """The published number of epochs, or the smaller number asked for."""
        return published if self.epochs is None else min(published, self.epochs)

    def recipe(self) -> Recipe:
        """The recipe of [15] with no stage longer than asked for."""

        def capped(stage: EncoderStage) -> EncoderStage:
            fine = self.fine_epochs if stage.train_backbone and self.fine_tune else None
            caps = [cap for cap in (self.epochs, self.encoder_epochs, fine) if cap is not None]
            return replace(stage, epochs=min([stage.epochs, *caps]))

        published = Recipe()
        return Recipe(
            capped(published.audio),
            (capped(published.visual[0]), capped(published.visual[1])),
            (capped(published.fusion[0]), capped(published.fusion[1])),
        )

    @property
    def all_seeds(self) -> list[int]:
        return list(range(self.seeds))

    @property
    def audited_seeds(self) -> list[int]:
        return self.all_seeds[: self.audit_seeds]
