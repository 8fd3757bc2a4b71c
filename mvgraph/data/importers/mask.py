"""The array of a file that says which sample has which view."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mvgraph.data.importers.columns import usual
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.importers.tree import Leaf, Node


def mask_address(nodes: Mapping[str, Node], tree: Mapping[str, Node], options: ImportOptions) -> str | None:
    """Where the mask stands: as said, else a matrix called `observed` that no view claims.

    A name that is no array of the file may be a file, which is looked for later.
    """
    if options.observed is not None:
        return options.observed if isinstance(nodes.get(options.observed), Leaf) else None
    claimed = {part for view in options.views for part in options.selectors(view)}
    found = [name for name, node in tree.items() if usual(name) == "observed" and isinstance(node, Leaf)]
    return found[0] if len(found) == 1 and found[0] not in claimed else None


def mask_values(node: Node) -> np.ndarray:
    """The mask as the file has it. Shapes: (N, V) or (V, N)."""
    assert isinstance(node, Leaf)
    values = np.asarray(node.read())
    return values if values.ndim == 2 else values.reshape(-1, 1)
