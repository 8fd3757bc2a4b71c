"""The networks of SE-CRNN [15]: audio and visual subnetworks, and their early and late fusion.

Every network returns log-probabilities; their softmax is the probabilities, so that a cross-entropy on them
is the one of the paper. `embed` gives the rows that become nodes of the graphs: 128-d and 64-d.

Source: J. Naranjo-Alcazar et al., "Task 1B DCASE 2021: Audio-visual scene classification with
squeeze-excitation convolutional recurrent neural networks"; sizes counted to the unit in the tests.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvgraph.features.vgg import VGG16Features

CLASSES = 10
AUDIO_WIDTHS = (32, 64, 128)
AUDIO_EMBEDDING = AUDIO_WIDTHS[-1]
VISUAL_UNITS = 32
VISUAL_EMBEDDING = 2 * VISUAL_UNITS
FUSION_UNITS = 64
FRAMES = 5


def _batch_norm(filters: int) -> nn.BatchNorm2d:
    """Keras' defaults, in which [15] was trained; its momentum 0.99 is 0.01 here."""
    return nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)


class ChannelSpatialExcitation(nn.Module):
    """cSE(y) + sSE(y): channels weighted by a squeezed summary, places weighted by a 1 x 1 convolution.

    Shapes: (N, F, bands, columns) -> the same.
    """

    def __init__(self, channels: int, ratio: int = 2) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // ratio, bias=False)
        self.excite = nn.Linear(channels // ratio, channels, bias=False)
        self.place = nn.Conv2d(channels, 1, 1, bias=False)

    def forward(self, y: Tensor) -> Tensor:
        channel = torch.sigmoid(self.excite(F.relu(self.squeeze(y.mean(dim=(2, 3))))))
        return y * channel[:, :, None, None] + y * torch.sigmoid(self.place(y))


class AudioBlock(nn.Module):
    """Two 3 x 3 convolutions beside a 1 x 1 shortcut, excitation of their sum, shortcut added again.

    Shapes: (N, C, bands, columns) -> (N, F, bands, columns).
    """

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, padding=1)
        self.norm1 = _batch_norm(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1)
        self.norm2 = _batch_norm(filters)
        self.shortcut = nn.Conv2d(channels, filters, 1)
        self.norm_shortcut = _batch_norm(filters)
        self.excitation = ChannelSpatialExcitation(filters)

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.norm2(self.conv2(F.elu(self.norm1(self.conv1(inputs)))))
        s = self.norm_shortcut(self.shortcut(inputs))
        return self.excitation(F.elu(x + s)) + s


class AudioSubnetwork(nn.Module):
    """Gammatonegram of one second -> scene: 323,274 numbers, 1,344 of them batch-norm statistics.

    Shapes: (N, 3, 64, 50) -> (N, C) log-probabilities.
    """

    def __init__(self, classes: int = CLASSES, seed: int = 0) -> None:
        super().__init__()
        widths = (3, *AUDIO_WIDTHS)
        self.blocks = nn.ModuleList(AudioBlock(c, f) for c, f in pairwise(widths))
        self.classifier = nn.Linear(AUDIO_EMBEDDING, classes)
        initialise(self, seed)

    def feature_maps(self, inputs: Tensor) -> Tensor:
        """The last block's output. Shapes: (N, 3, 64, 50) -> (N, 128, 64, 12)."""
        first, second, third = self.blocks
        x = F.max_pool2d(first(inputs), (1, 2))
        return third(F.max_pool2d(second(x), (1, 2)))

    def embed(self, inputs: Tensor) -> Tensor:
        """The audio view: global average of the last block. Shapes: (N, 3, 64, 50) -> (N, 128)."""
        return self.feature_maps(inputs).mean(dim=(2, 3))

    def forward(self, inputs: Tensor) -> Tensor:
        return F.log_softmax(self.classifier(self.embed(inputs)), dim=-1)


class VisualSubnetwork(nn.Module):
    """Five frames of one second -> scene: VGG16 convolutions, BiGRU 32 + 32, 14,820,170 parameters.

    Frames hold 0..255, without subtraction of a mean, as in [15].

    Args:
        backbone: VGG16 convolutions, with weights or a smaller width; None makes full ones, randomly
            initialised, with a warning.
        pooling: "max" as in the code of [15], or "average" as in its figure.

    Shapes: (N, 5, 3, 224, 224) -> (N, C) log-probabilities.
    """

    def __init__(
        self,
        classes: int = CLASSES,
        backbone: VGG16Features | None = None,
        pooling: str = "max",
        seed: int = 0,
    ) -> None:
        super().__init__()
        made = VGG16Features(seed=seed) if backbone is None else backbone
        self.gru = nn.GRU(made.out_channels, VISUAL_UNITS, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(VISUAL_EMBEDDING, classes)
        initialise(self, seed)
        self.backbone = made  # after `initialise`, which must not touch its weights
        self.pooling = pooling
        made.check_pooling(pooling)

    def pooled(self, frames: Tensor) -> Tensor:
        """What stage one may cache while the backbone is frozen. Shapes: (N, 5, 3, H, W) -> (N, 5, 512)."""
        flat = self.backbone.pooled(frames.flatten(0, 1), self.pooling)
        return flat.unflatten(0, frames.shape[:2])

    def embed_pooled(self, pooled: Tensor) -> Tensor:
        """Shapes: (N, 5, 512) -> (N, 64)."""
        return self.gru(pooled)[0].mean(dim=1)

    def embed(self, frames: Tensor) -> Tensor:
        """The visual view: mean of the BiGRU's output over the frames. Shapes: (N, 5, 3, H, W) -> (N, 64)."""
        return self.embed_pooled(self.pooled(frames))

    def forward_pooled(self, pooled: Tensor) -> Tensor:
        """Scene from cached backbone features. Shapes: (N, 5, 512) -> (N, C) log-probabilities."""
        frame_logits = self.classifier(self.dropout(self.gru(pooled)[0]))
        return torch.softmax(frame_logits, dim=-1).mean(dim=1).clamp_min(1e-12).log()

    def forward(self, frames: Tensor) -> Tensor:
        return self.forward_pooled(self.pooled(frames))


class FusionPart(nn.Module):
    """Early fusion by BiGRU 64 + 64, late fusion by one dense layer: 272,704 parameters ("272k" of Table 3).

    Shapes: audio maps (N, 128, 64, 12) and pooled frames (N, 5, 512) with the log-probabilities (N, C) of both
    subnetworks -> early and late log-probabilities, each (N, C).
    """

    def __init__(self, classes: int = CLASSES, visual_channels: int = 512, seed: int = 0) -> None:
        super().__init__()
        self.gru = nn.GRU(
            AUDIO_EMBEDDING + visual_channels, FUSION_UNITS, batch_first=True, bidirectional=True
        )
        self.early = nn.Linear(2 * FUSION_UNITS, classes)
        self.late = nn.Linear(3 * classes, classes)
        initialise(self, seed)

    def forward(
        self, audio_maps: Tensor, pooled: Tensor, audio_log: Tensor, visual_log: Tensor
    ) -> tuple[Tensor, Tensor]:
        audio = F.avg_pool1d(audio_maps.mean(dim=2), 3, stride=2).transpose(1, 2)
        together = torch.cat([audio, pooled], dim=-1)
        early = F.log_softmax(self.early(self.gru(together)[0].mean(dim=1)), dim=-1)
        votes = torch.cat([early.exp(), audio_log.exp(), visual_log.exp()], dim=-1)
        return early, F.log_softmax(self.late(votes), dim=-1)


class SECRNN(nn.Module):
    """Both subnetworks and the fusion part.

    Args:
        audio, visual: trained subnetworks.
        output: "late" (the 90.0 % system) or "early".

    Shapes: sound (N, 3, 64, 50), frames (N, 5, 3, 224, 224) -> (N, C) log-probabilities.
    """

    def __init__(
        self, audio: AudioSubnetwork, visual: VisualSubnetwork, output: str = "late", seed: int = 0
    ) -> None:
        super().__init__()
        self.audio, self.visual, self.output = audio, visual, output
        classes = audio.classifier.out_features
        self.fusion = FusionPart(classes, visual.backbone.out_channels, seed)

    def forward_pooled(self, sound: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Early and late fusion from cached backbone features (N, 5, 512)."""
        maps = self.audio.feature_maps(sound)
        audio_log = F.log_softmax(self.audio.classifier(maps.mean(dim=(2, 3))), dim=-1)
        return self.fusion(maps, pooled, audio_log, self.visual.forward_pooled(pooled))

    def forward(self, sound: Tensor, frames: Tensor) -> Tensor:
        early, late = self.forward_pooled(sound, self.visual.pooled(frames))
        return early if self.output == "early" else late


def initialise(module: nn.Module, seed: int) -> None:
    """Keras' defaults, in which [15] was trained: Glorot uniform, orthogonal recurrences, zero biases."""
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.GRU):
            for name, parameter in layer.named_parameters():
                if "weight_ih" in name:
                    nn.init.xavier_uniform_(parameter, generator=generator)
                elif "weight_hh" in name:
                    nn.init.orthogonal_(parameter, generator=generator)
                else:
                    nn.init.zeros_(parameter)


def count_numbers(module: nn.Module) -> tuple[int, int]:
    """All numbers of a network as Keras counts them (with batch-norm statistics), and the trainable ones."""
    trainable = sum(p.numel() for p in module.parameters())
    statistics = sum(b.numel() for name, b in module.named_buffers() if "running_" in name)
    return trainable + statistics, trainable
