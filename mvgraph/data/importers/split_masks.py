"""Masks and lists of rows named like the parts of a split: `train_mask`, `test`, `idx_val`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mvgraph.data.importers.columns import usual
from mvgraph.data.importers.tree import Leaf, Node
from mvgraph.data.split import PARTS

_ABOUT = ("", "mask", "idx", "index", "indices", "ind", "inds", "rows", "ids", "set")
_WORDS = {
    "train": ("train", "training", "tr"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "te"),
}


def part_of_name(name: str) -> str | None:
    """Which part of a split a name speaks of: `train_mask`, `idx_test`, `isTrain`; None for other names."""
    bare = usual(name).removeprefix("is")
    for part, words in _WORDS.items():
        for word in words:
            if any(bare in (word + about, about + word) for about in _ABOUT):
                return part
    return None


def masks_as_split(
    tree: Mapping[str, Node], taken: set[str], n_samples: int | None, from_one: bool
) -> tuple[np.ndarray | None, set[str], str | None]:
    """The split that masks (N booleans) or lists of rows say, if it is plain: train and test, and no row in two parts.

    Parameters:
        taken: names that are something else.
        from_one: whether rows are counted from 1 where their numbers leave that open, as MATLAB does.

    Returns:
        One word per sample (None where there is no such split), the names used, and a note.

    Shapes: (N,) strings.
    """
    if n_samples is None:
        return None, set(), None
    found: dict[str, str] = {}
    for name, node in tree.items():
        part = part_of_name(name)
        if part is None or name in taken or not isinstance(node, Leaf) or node.is_text or not node.is_column:
            continue
        if part in found:
            return None, set(), None
        found[part] = name
    if not {"train", "test"} <= set(found):
        return None, set(), None
    values = {part: np.asarray(tree[name].column()) for part, name in found.items()}  # type: ignore[union-attr]
    rows = _as_rows(values, n_samples, from_one)
    if rows is None:
        return None, set(), None
    words = np.full(n_samples, "", dtype="<U10")
    for part, numbers in rows.items():
        if (words[numbers] != "").any() or numbers.size == 0:
            return None, set(), None
        words[numbers] = part
    named = ", ".join(f"{part} from {found[part]}" for part in PARTS if part in found)
    return words, set(found.values()), f"The official split 'given' is {named}."


def _as_rows(
    values: Mapping[str, np.ndarray], n_samples: int, from_one: bool
) -> dict[str, np.ndarray] | None:
    """Row numbers of each part; None where the values are neither masks nor rows."""
    if all(v.size == n_samples and np.isin(v, (0, 1)).all() for v in values.values()):
        return {part: np.flatnonzero(v) for part, v in values.items()}
    numbers = {}
    for part, v in values.items():
        if v.dtype.kind not in "iuf" or not np.array_equal(v, np.rint(v)) or np.unique(v).size != v.size:
            return None
        numbers[part] = v.astype(np.int64)
    low = min(int(v.min(initial=n_samples)) for v in numbers.values())
    high = max(int(v.max(initial=0)) for v in numbers.values())
    offset = 1 if low >= 1 and (high == n_samples or from_one) else 0
    if low - offset < 0 or high - offset >= n_samples:
        return None
    return {part: np.sort(v - offset) for part, v in numbers.items()}
