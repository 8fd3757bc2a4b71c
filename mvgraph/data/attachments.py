"""The door for what comes with the views: groups and official splits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mvgraph.data.door import RESERVED_GROUPS, SPLIT_PREFIX, plain_name, text_array
from mvgraph.data.frozen import FrozenMapping
from mvgraph.data.split import Split
from mvgraph.errors import UserError


def checked_groups(groups: Mapping[str, Any], n_samples: int, ids: np.ndarray) -> Mapping[str, np.ndarray]:
    """Groups by name, sorted, each one string a sample.

    Raises:
        UserError: not a mapping, a reserved name, or a column of the wrong length.
    """
    if not isinstance(groups, Mapping):
        raise UserError("Groups must be a mapping from a name such as 'subject' to one value per sample.")
    checked = {}
    for name in sorted(plain_name("group", name) for name in groups):
        if name in RESERVED_GROUPS or name.startswith(SPLIT_PREFIX):
            raise UserError(f"A group cannot be called {name!r}; that name is taken by the file format.")
        checked[name] = text_array(f"Group {name!r}", groups[name], n_samples, ids)
    return FrozenMapping(checked)


def checked_splits(splits: Mapping[str, Split], labels: np.ndarray) -> Mapping[str, Split]:
    """Official splits by name, sorted.

    Raises:
        UserError: a split names a row that is not there or has no label.
    """
    for name, split in splits.items():
        plain_name("official split", name)
        for part in ("train", "validation", "test"):
            rows = getattr(split, part)
            if rows.size and int(rows[-1]) >= labels.shape[0]:
                raise UserError(
                    f"Official split {name!r}: its {part} part names row {int(rows[-1])}, but there are "
                    f"{labels.shape[0]} samples."
                )
            bare = rows[labels[rows] < 0]
            if bare.size:
                raise UserError(
                    f"Official split {name!r}: row {int(bare[0])} of its {part} part has no label."
                )
    return FrozenMapping((name, splits[name]) for name in sorted(splits))
