"""The concatenation baseline of DCASE 2021 Task 1B [13], on per-frame embeddings of any encoder.

Source: S. Wang, A. Mesaros, T. Heittola, T. Virtanen, "A curated dataset of urban scenes for audio-visual scene
analysis", ICASSP 2021, and its public code. There the frames are OpenL3 embeddings (512-d, 96 a clip).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mvgraph.bench.metrics import part_metrics
from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Choice, Distribution, EstimatorMethod, Float, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph.training.network_samples import ArraySamples
from mvgraph.training.networks import NetworkFit, NetworkOptions, fit_network, predict_network

#: Frames of each clip that stand for its ten seconds in the 1 s protocol (of 96 or 97 frames).
SECOND_FRAMES = (0, 9, 19, 28, 38, 48, 57, 67, 76, 86)
FUSIONS = ("proposed", "early")

Floats = NDArray[np.float32]


class FrameNetwork(nn.Module):
    """One frame's embedding -> scene: 338,634 parameters at width 512, 600,778 at 1024.

    Linear d-512, batch norm, ReLU, dropout 0.2, 512-128, the same, 128-64, the same, 64-C.

    Shapes: (N, d) -> logits (N, C).
    """

    def __init__(self, width: int, classes: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.first = nn.Linear(width, 512)
        self.second = nn.Linear(512, 128)
        self.third = nn.Linear(128, 64)
        self.norm1, self.norm2, self.norm3 = nn.BatchNorm1d(512), nn.BatchNorm1d(128), nn.BatchNorm1d(64)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(64, classes)

    def embed(self, frames: Tensor) -> Tensor:
        """The second layer's output before its batch norm, which the fusion reads. Shapes: (N, d) -> (N, 128)."""
        return self.second(self._after(self.norm1, self.first(frames)))

    def forward(self, frames: Tensor) -> Tensor:
        hidden = self._after(self.norm2, self.embed(frames))
        return self.classifier(self._after(self.norm3, self.third(hidden)))

    def _after(self, norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
        return self.dropout(torch.relu(norm(x)))


class ConcatNetwork(nn.Module):
    """The 77.0 % system: both frame networks frozen, their 128-d outputs concatenated, two linear layers.

    34,186 parameters for two views and ten classes; there is no non-linearity between the two layers.

    Shapes: one (N, d_v) a view -> logits (N, C).
    """

    def __init__(self, networks: Sequence[FrameNetwork], classes: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        for parameter in self.networks.parameters():
            parameter.requires_grad_(False)
        self.joint = nn.Linear(128 * len(networks), 128)
        self.classifier = nn.Linear(128, classes)

    def forward(self, *frames: Tensor) -> Tensor:
        parts = [
            cast(FrameNetwork, network).embed(x) for network, x in zip(self.networks, frames, strict=True)
        ]
        return self.classifier(self.joint(torch.cat(parts, dim=1)))


def second_frames(frames: int) -> NDArray[np.int64]:
    """The ten frames of a clip that the 1 s protocol predicts: nine or ten frames of 0.1 s apart.

    Raises:
        UserError: fewer frames than the protocol names.
    """
    if frames <= SECOND_FRAMES[-1]:
        raise UserError(
            f"The 1 s protocol reads frame {SECOND_FRAMES[-1]}; the clips have only {frames} frames."
        )
    return np.array(SECOND_FRAMES, dtype=np.int64)


def clip_probabilities(frame_probabilities: Floats) -> Floats:
    """The 10 s protocol: the mean over all frames of a clip. Shapes: (clips, frames, C) -> (clips, C)."""
    return np.asarray(frame_probabilities.mean(axis=1), dtype=np.float32)


def protocols(frame_probabilities: Floats, labels: NDArray[np.int64]) -> dict[str, dict[str, float | None]]:
    """Both protocols, accuracy and log-loss micro and macro: "1 s" on ten frames of each clip, "10 s" on clips.

    Official figures are very probably macro averages, those of AVSC-MGCN micro.

    Shapes: (clips, frames, C) of the test clips, labels (clips,).

    Raises:
        UserError: clips of fewer frames than the 1 s protocol reads.
    """
    chosen = second_frames(frame_probabilities.shape[1])
    seconds = frame_probabilities[:, chosen].reshape(-1, frame_probabilities.shape[2])
    return {
        "1 s": part_metrics(seconds, np.repeat(labels, len(chosen))),
        "10 s": part_metrics(clip_probabilities(frame_probabilities), labels),
    }


class FrameBaseline:
    """Trains the networks of [13] on frames and answers frames.

    Args:
        fusion: "proposed" (frozen frame networks, 77.0 %) or "early" (one network on concatenated frames). With
            one view both are the unimodal network.
        epochs, fusion_epochs: 199 and 99 as published; of each the epoch of lowest validation loss is kept.
        learning_rate, decay, batch_size, dropout: as published.
        folder: keeps finished epochs, so that a killed training goes on.

    Raises:
        UserError: an unknown fusion.
    """

    def __init__(
        self,
        fusion: str = "proposed",
        epochs: int = 199,
        fusion_epochs: int = 99,
        learning_rate: float = 1e-4,
        decay: float = 1e-4,
        batch_size: int = 64,
        dropout: float = 0.2,
        folder: str | Path | None = None,
    ) -> None:
        if fusion not in FUSIONS:
            raise UserError(f"fusion='{fusion}': choose one of {', '.join(FUSIONS)}.")
        self.fusion, self.dropout, self.epochs, self.fusion_epochs = fusion, dropout, epochs, fusion_epochs
        self.options = NetworkOptions(
            lr=learning_rate, weight_decay=decay, batch_size=batch_size, epochs=epochs
        )
        self.joint_options = NetworkOptions(
            lr=learning_rate, weight_decay=decay, batch_size=batch_size, epochs=fusion_epochs
        )
        self.folder = None if folder is None else Path(folder)
        self.fits: dict[str, NetworkFit] = {}

    def fit(
        self,
        frames: Mapping[str, Floats],
        labels: NDArray[np.int64],
        validation: tuple[Mapping[str, Floats], NDArray[np.int64]] | None,
        classes: int,
        seed: int,
    ) -> FrameBaseline:
        """Train on frames; the mean and deviation of every feature are those of the training frames.

        Shapes: frames[view] (N, d_v), labels (N,); validation the same with M rows.
        """
        self.views = sorted(frames)
        self.scale = {view: _moments(frames[view]) for view in self.views}
        train = ArraySamples(self._standard(frames), labels)
        held = None if validation is None else ArraySamples(self._standard(validation[0]), validation[1])
        widths = [frames[view].shape[1] for view in self.views]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            if self.fusion == "early" or len(self.views) == 1:
                self.network: nn.Module = _Concatenated(FrameNetwork(sum(widths), classes, self.dropout))
                self._train("early", self.network, train, held, self.options, seed)
                return self
            networks = [FrameNetwork(width, classes, self.dropout) for width in widths]
            for number, (view, network) in enumerate(zip(self.views, networks, strict=True)):
                self._train(
                    view, network, _only(train, number), held and _only(held, number), self.options, seed
                )
            joint = ConcatNetwork(networks, classes)
            self.unimodal = dict(zip(self.views, networks, strict=True))
            self.network = joint
            self._train("joint", joint, train, held, self.joint_options, seed)
        return self

    def predict(self, frames: Mapping[str, Floats]) -> Floats:
        """Class probabilities of every frame. Shapes: frames[view] (N, d_v) -> (N, C)."""
        return self._predict(self.network, self._standard(frames))

    def predict_view(self, view: str, frames: Floats) -> Floats:
        """What the frame network of one view says alone ("proposed" only). Shapes: (N, d_v) -> (N, C)."""
        return self._predict(self.unimodal[view], self._standard({view: frames}))

    @staticmethod
    def _predict(network: nn.Module, inputs: tuple[Tensor, ...]) -> Floats:
        rows = np.zeros(len(inputs[0]), dtype=np.int64)
        return predict_network(network, ArraySamples(inputs, rows), batch_size=4096)

    def _train(
        self,
        name: str,
        network: nn.Module,
        train: ArraySamples,
        validation: ArraySamples | None,
        options: NetworkOptions,
        seed: int,
    ) -> None:
        folder = None if self.folder is None else self.folder / name
        self.fits[name] = fit_network(network, train, validation, options, seed=seed, folder=folder)

    def _standard(self, frames: Mapping[str, Floats]) -> tuple[Tensor, ...]:
        return tuple(
            torch.from_numpy(((frames[v] - self.scale[v][0]) / self.scale[v][1]).astype(np.float32))
            for v in self.views
            if v in frames
        )


class OpenL3Concat(EstimatorMethod):
    """[13] where every row is one frame: frame networks, frozen, concatenated into two linear layers.

    A view that a row lacks enters as its training mean.

    Args:
        fusion, epochs, fusion_epochs, learning_rate, decay, batch_size, dropout: see `FrameBaseline`.

    Shapes:
        predict_proba: (N, C).
    """

    name = "openl3-concat"
    title = "concatenation baseline [13]"
    paper = "Wang, Mesaros, Heittola & Virtanen, ICASSP 2021, the official baseline of DCASE 2021 Task 1B"
    tags = Tags(uses_graph=False, transductive=False, inductive=True, permutation_equivariant=False)

    def __init__(
        self,
        *,
        fusion: str = "proposed",
        epochs: int = 199,
        fusion_epochs: int = 99,
        learning_rate: float = 1e-4,
        decay: float = 1e-4,
        batch_size: int = 64,
        dropout: float = 0.2,
    ) -> None:
        self.fusion, self.epochs, self.fusion_epochs = fusion, epochs, fusion_epochs
        self.learning_rate, self.decay = learning_rate, decay
        self.batch_size, self.dropout = batch_size, dropout
        self._baseline()

    def _baseline(self) -> FrameBaseline:
        return FrameBaseline(**self.get_options())

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> OpenL3Concat:
        observed = {view: data.observed[:, v] for v, view in enumerate(data.view_names)}
        # Features are scaled in the type of their view, and are float32 from then on.
        rows = {view: data.views[view] for view in data.view_names}
        self._means = {}
        for view in data.view_names:
            known = split.train[observed[view][split.train]]
            if len(known) == 0:
                raise UserError(f"openl3-concat: no training row has view '{view}'; leave that view out.")
            self._means[view] = rows[view][known].mean(axis=0)
        if len(split.train) < 2:
            raise UserError("openl3-concat: batch norm needs at least two training rows.")
        filled = self._filled(rows, data.observed)
        chosen = split.validation
        validation = ({v: x[chosen] for v, x in filled.items()}, data.labels[chosen]) if len(chosen) else None
        self._model = self._baseline().fit(
            {v: x[split.train] for v, x in filled.items()},
            data.labels[split.train],
            validation,
            data.n_classes,
            seed,
        )
        self._probabilities = self._model.predict(filled)
        return self

    def _filled(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> dict[str, Floats]:
        return {
            view: np.where(observed[:, [v]], views[view], mean).astype(mean.dtype)
            for v, (view, mean) in enumerate(sorted(self._means.items()))
        }

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return self._model.predict(self._filled(rows.views, rows.observed))

    def predict_proba(self) -> np.ndarray:
        return self._probabilities

    def parameter_count(self) -> int:
        return sum(p.numel() for p in self._model.network.parameters())

    def diagnostics(self) -> dict[str, object]:
        return {"best_epochs": {name: fit.best_epoch for name, fit in self._model.fits.items()}}

    @classmethod
    def contract_options(cls, view_names: tuple[str, ...]) -> dict[str, object]:
        return {"epochs": 20, "fusion_epochs": 10}  # checks look at manners, and have no hours

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {
            "learning_rate": Float(1e-5, 1e-2, log=True),
            "decay": Float(1e-6, 1e-2, log=True),
            "dropout": Float(0.0, 0.5),
            "fusion": Choice(FUSIONS),
        }


class _Concatenated(nn.Module):
    """A frame network on all views' frames side by side."""

    def __init__(self, network: FrameNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, *frames: Tensor) -> Tensor:
        return self.network(torch.cat(frames, dim=1))


def _moments(rows: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation of each feature; a constant feature is left unscaled."""
    spread = rows.std(axis=0)
    return rows.mean(axis=0), np.where(spread > 0, spread, 1.0).astype(rows.dtype)


def _only(samples: ArraySamples, number: int) -> ArraySamples:
    return ArraySamples((samples.arrays[number],), samples.labels)
