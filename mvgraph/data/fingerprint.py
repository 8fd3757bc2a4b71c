"""The fingerprint of a data set: equal when two runs saw the same numbers, whatever the views were called."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mvgraph.data.multiview import MultiViewData

#: Values hashed in one go: few enough to stay in the processor's cache between the copy and the hash.
BLOCK_VALUES = 1 << 18


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """N, classes, class counts, and width and content hash of each view, sorted.

    The order of views and the names of views, classes and samples are not part of it; the missing rows are,
    through the hash of each view.
    """

    n_samples: int
    n_classes: int
    class_counts: tuple[int, ...]
    views: tuple[tuple[int, str], ...]
    labels_hash: str

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, as hexadecimal digits."""
        return hashlib.sha256(self.to_json().encode("utf-8")).hexdigest()

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no blanks."""
        content: dict[str, Any] = {
            "n_samples": self.n_samples,
            "n_classes": self.n_classes,
            "class_counts": list(self.class_counts),
            "views": [list(view) for view in self.views],
            "labels_hash": self.labels_hash,
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Fingerprint:
        content = json.loads(text)
        return cls(
            n_samples=int(content["n_samples"]),
            n_classes=int(content["n_classes"]),
            class_counts=tuple(int(count) for count in content["class_counts"]),
            views=tuple((int(width), str(digest)) for width, digest in content["views"]),
            labels_hash=str(content["labels_hash"]),
        )


def view_hash(array: np.ndarray, present: np.ndarray) -> str:
    """SHA-256 of one view: its shape, its values in row order, and which rows are observed.

    A view held in float64 is marked as such: float32 would lose something of it.

    -0.0 counts as 0.0 and bytes are little-endian: the hash depends neither on the machine nor on the type
    the values were stored in.

    Shapes: array (N, d_v), present (N,) bool.
    """
    kind = np.float64 if array.dtype == np.float64 else np.float32
    mark = "float64 " if kind is np.float64 else ""
    digest = hashlib.sha256(f"mvgraph-view {mark}{array.shape[0]}x{array.shape[1]}\n".encode())
    stored = np.dtype(kind).newbyteorder("<")
    digest.update(np.packbits(present).tobytes())
    block = max(1, BLOCK_VALUES // array.shape[1])
    for start in range(0, array.shape[0], block):
        rows = array[start : start + block]
        digest.update(np.add(rows, kind(0.0), dtype=kind).astype(stored, order="C", copy=False).data)
    return digest.hexdigest()


def fingerprint_of(data: MultiViewData) -> Fingerprint:
    """Compute the fingerprint; reads every view once."""
    views = sorted(
        (width, view_hash(data.views[name], data.observed[:, column]))
        for column, (name, width) in enumerate(data.view_dims.items())
    )
    return Fingerprint(
        n_samples=data.n_samples,
        n_classes=data.n_classes,
        class_counts=tuple(int(count) for count in data.class_counts),
        views=tuple(views),
        labels_hash=hashlib.sha256(data.labels.astype("<i8").tobytes()).hexdigest(),
    )
