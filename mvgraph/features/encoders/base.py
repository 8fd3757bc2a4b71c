"""What an encoder is: a name, what it takes, how wide its rows are, and `encode`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mvgraph.errors import UserError
from mvgraph.registry import encoders


class Encoder(ABC):
    """A pretrained network that turns segments of sound, or pictures, into rows.

    Subclasses give the class variables and `encode`; making an instance loads (and the first time fetches)
    the weights.

    Shapes: `encode` takes (N, samples) float32 mono sound in -1..1 at `rate`, or (N, side, side, 3) uint8
    pictures, and returns (N, dim) float32.
    """

    name: ClassVar[str]
    #: "audio" or "video".
    modality: ClassVar[str]
    dim: ClassVar[int]
    licence: ClassVar[str]
    #: Archive and version, or address, the weights come from.
    source: ClassVar[str]
    #: Samples per second of sound; audio encoders only.
    rate: ClassVar[int] = 0
    #: Pixels on each side; video encoders only.
    side: ClassVar[int] = 0

    @abstractmethod
    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Rows of a batch; see the class for shapes."""

    def checked(self, batch: NDArray[Any]) -> NDArray[Any]:
        """The batch, if it has the shape this encoder takes.

        Raises:
            UserError: another shape, no sample, or values that are not finite.
        """
        batch = np.asarray(batch)
        wanted = "(N, samples)" if self.modality == "audio" else f"(N, {self.side}, {self.side}, 3)"
        right = batch.ndim == 2 if self.modality == "audio" else batch.shape[1:] == (self.side, self.side, 3)
        if not right or 0 in batch.shape:
            raise UserError(f"Encoder '{self.name}' takes batches of shape {wanted}, not {batch.shape}.")
        if batch.dtype.kind == "f" and not np.isfinite(batch).all():
            raise UserError(f"Encoder '{self.name}' was given values that are not finite.")
        return batch


def find_encoder(name: str, modality: str) -> type[Encoder]:
    """The encoder class called `name` (or `module:Class`) for a modality.

    Raises:
        UserError: unknown name, not an encoder, or one for the other modality.
    """
    found = encoders.get(name)
    if not (isinstance(found, type) and issubclass(found, Encoder)):
        raise UserError(
            f"'{name}' is not an encoder: it is no subclass of mvgraph.features.encoders.Encoder."
        )
    if found.modality != modality:
        raise UserError(f"Encoder '{name}' takes {found.modality}, not {modality}.")
    return found
