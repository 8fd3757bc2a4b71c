"""The thirteen convolutions of VGG16 (14,714,688 parameters), and loaders for public weights.

Defined here because torchvision has no build for every torch. Weights are the user's: torchvision's ImageNet
state dict, or one of the public Places365 state dicts, by path.

Source: K. Simonyan and A. Zisserman, "Very deep convolutional networks", ICLR 2015, configuration D.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from mvgraph.data.safetensors import read_tensors
from mvgraph.errors import UserError
from mvgraph.features.media import one_line

#: Convolutions of each of the five blocks, in units of the width (64 in the paper).
_BLOCKS = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))
WIDTH = 64


class RandomBackboneWarning(UserWarning):
    """A backbone is used without pretrained weights, which no published figure can be compared with."""


class VGG16Features(nn.Module):
    """VGG16 up to its last pooling layer; module names are torchvision's (`features.0` ... `features.30`).

    Args:
        width: channels of the first block: 64 is VGG16; 4 or 8 is a small one for checks on a CPU.
        seed: of the random initialisation (He normal).
        warn: say loudly that the weights are random; loaders set it to False.

    Shapes: (N, 3, H, W) -> (N, 8 * width, H // 32, W // 32).
    """

    def __init__(self, width: int = WIDTH, seed: int = 0, warn: bool = True) -> None:
        super().__init__()
        if warn:
            warnings.warn(
                "VGG16 IS RANDOMLY INITIALISED: no pretrained weights were given, so the visual accuracy says "
                "nothing about SE-CRNN; give the path of an ImageNet or Places365 state dict.",
                RandomBackboneWarning,
                stacklevel=2,
            )
        layers: list[nn.Module] = []
        channels = 3
        for block in _BLOCKS:
            for units in block:
                layers += [nn.Conv2d(channels, units * width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = units * width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.width = width
        generator = torch.Generator().manual_seed(seed)
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    @property
    def out_channels(self) -> int:
        return 8 * self.width

    @staticmethod
    def check_pooling(pooling: str) -> None:
        """Raises: UserError: neither "max" nor "average"."""
        if pooling not in ("max", "average"):
            raise UserError(f"Pooling {pooling!r} is unknown; give 'max' or 'average'.")

    def pooled(self, pictures: Tensor, pooling: str = "max") -> Tensor:
        """Global pooling over all places. Shapes: (N, 3, H, W) -> (N, 8 * width)."""
        self.check_pooling(pooling)
        maps = self(pictures)
        return maps.amax(dim=(2, 3)) if pooling == "max" else maps.mean(dim=(2, 3))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.features(pictures)


def load_vgg16(path: str | Path, report: Callable[[str], None] = print) -> VGG16Features:
    """VGG16 convolutions with the weights of a state-dict file.

    Understands torchvision's names (`features.0.weight`), the same behind `module.` or inside `state_dict`
    (CSAIL's Places365 checkpoints), Caffe's (`conv1_1.weight`) and Keras' (`block1_conv1.weight`). Other
    entries (the classifier) are left out. Nothing is unpickled beyond tensors.

    Args:
        report: receives one line with the file's SHA-256.

    Raises:
        UserError: no such file, not a state dict, a convolution missing or of another shape.
    """
    path = Path(path)
    state = read_state_dict(path)
    report(f"VGG16 weights: {path.name}, SHA-256 {sha256_of(path)}")
    network = VGG16Features(warn=False)
    expected = network.state_dict()
    mapped = vgg16_keys(state)
    for name, tensor in expected.items():
        if name not in mapped:
            raise UserError(f"The state dict {str(path)!r} lacks the VGG16 convolution {name!r}.")
        if mapped[name].shape != tensor.shape:
            raise UserError(
                f"The state dict {str(path)!r} holds {name!r} of shape {tuple(mapped[name].shape)}; "
                f"VGG16 has {tuple(tensor.shape)}."
            )
        if not torch.isfinite(mapped[name]).all():
            raise UserError(f"The state dict {str(path)!r} holds values in {name!r} that are not finite.")
    network.load_state_dict({name: mapped[name].float() for name in expected})
    return network


def vgg16_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The convolutions of a state dict under torchvision's names; what is no VGG16 convolution is left out."""
    positions = {}
    index = 0
    for block, units in enumerate(_BLOCKS, start=1):
        for number in range(1, len(units) + 1):
            positions[block, number] = index
            index += 2
        index += 1
    known = set(positions.values())
    found = {}
    for key, tensor in state.items():
        direct = re.search(r"(?:^|\.)features\.(\d+)\.(weight|bias)$", key)
        named = re.search(r"(?:^|[./])(?:conv|block)(\d)_(?:conv)?(\d)[./](weight|bias)$", key)
        if direct and int(direct[1]) in known:
            found[f"features.{direct[1]}.{direct[2]}"] = tensor
        elif named and (int(named[1]), int(named[2])) in positions:
            found[f"features.{positions[int(named[1]), int(named[2])]}.{named[3]}"] = tensor
    return found


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a `.pth`/`.pt`/`.tar` (loaded with `weights_only=True`) or `.safetensors` file.

    Raises:
        UserError: no such file, or it holds something else than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no weight file {str(path)!r}.")
    try:
        loaded: object
        if path.suffix == ".safetensors":
            loaded = read_tensors(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # whatever the unpickler of torch meets in a foreign file
        reason = one_line(error)[:200]
        raise UserError(
            f"The weight file {str(path)!r} is not a state dict of tensors ({reason})."
        ) from error
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping):
        raise UserError(f"The weight file {str(path)!r} holds a {type(loaded).__name__}, not a state dict.")
    return {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)}


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
