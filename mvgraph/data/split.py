"""Splits as values: who is trained on, who selects, who is tested, with a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from mvgraph.data.frozen import FrozenMapping, read_only
from mvgraph.display import html_card, html_table
from mvgraph.errors import UserError

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Row numbers of the training, validation and test parts, sorted and disjoint.

    Rows in no part (unlabelled ones above all) stay nodes of the graph. `validation` may be empty only in a
    split that the authors of a data set published; `official_splits` then fills it from the training part.

    Shapes: each part is a read-only, sorted int64 vector.

    Raises:
        UserError: a part that is not made of row numbers, repeats a row, shares one with another part, or an
            empty training or test part.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    scheme: str = "given"
    seed: int | None = None
    #: Parts that may hold no row; a split inside a training part has nothing to test.
    may_be_empty: ClassVar[tuple[str, ...]] = ("validation",)
    parameters: Mapping[str, Any] = field(default_factory=FrozenMapping)

    def __post_init__(self) -> None:
        for part in PARTS:
            rows = np.asarray(getattr(self, part))
            if rows.size == 0:
                rows = np.zeros(0, dtype=np.int64)
            if rows.ndim != 1 or rows.dtype.kind not in "iu" or (rows.size and int(rows.min()) < 0):
                raise UserError(f"The {part} part of a split must be a list of row numbers >= 0.")
            rows = np.sort(rows).astype(np.int64)
            twice = np.flatnonzero(np.diff(rows) == 0)
            if twice.size:
                raise UserError(f"The {part} part of a split names row {int(rows[twice[0]])} twice.")
            if rows.size == 0 and part not in self.may_be_empty:
                raise UserError(f"The {part} part of a split is empty.")
            object.__setattr__(self, part, read_only(rows))
        for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
            shared = np.intersect1d(getattr(self, first), getattr(self, second))
            if shared.size:
                raise UserError(
                    f"Row {int(shared[0])} stands in the {first} and in the {second} part of a split."
                )
        object.__setattr__(self, "parameters", FrozenMapping(sorted(self.parameters.items())))

    @property
    def hash(self) -> str:
        """SHA-256 of the rows of the three parts, not of how they were drawn: same rows, same experiment."""
        digest = hashlib.sha256(b"mvgraph-split\n")
        for part in PARTS:
            rows = getattr(self, part)
            digest.update(f"{part} {rows.size}\n".encode())
            digest.update(rows.astype("<i8").tobytes())
        return digest.hexdigest()

    def assignment(self, n_samples: int) -> np.ndarray:
        """The part of each row as a position in `PARTS`, -1 for rows in no part. Shapes: (N,) int64."""
        part_of = np.full(n_samples, -1, dtype=np.int64)
        for code, part in enumerate(PARTS):
            part_of[getattr(self, part)] = code
        return part_of

    def to_json(self) -> str:
        """Canonical JSON, which `from_json` reads back."""
        content: dict[str, Any] = {part: getattr(self, part).tolist() for part in PARTS}
        content |= {"scheme": self.scheme, "seed": self.seed, "parameters": dict(self.parameters)}
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Split:
        """Read a split back.

        Raises:
            UserError: text that is not the JSON of a split.
        """
        try:
            content = json.loads(text)
            parts = {part: np.asarray(content[part]) for part in PARTS}
            return cls(
                **parts,
                scheme=str(content["scheme"]),
                seed=None if content["seed"] is None else int(content["seed"]),
                parameters=content["parameters"],
            )
        except UserError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UserError(f"This text is not a split as written by Split.to_json: {error}.") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Split) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.hash)

    def __repr__(self) -> str:
        sizes = " / ".join(str(getattr(self, part).size) for part in PARTS)
        return f"Split({self.scheme}, seed={self.seed}, {sizes}, {self.hash[:8]})"

    def _repr_html_(self) -> str:
        sizes = ((part, getattr(self, part).size) for part in PARTS)
        seed = "" if self.seed is None else f", seed {self.seed}"
        return html_card(f"Split {self.scheme}{seed}", html_table(("part", "rows"), sizes))
