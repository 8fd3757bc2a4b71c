"""What a cell tells about groups: neighbours of its graph, and its score when averaged over a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mvgraph.bench.metrics import part_metrics
from mvgraph.errors import UserError
from mvgraph.graph.audit import graph_figures
from mvgraph.graph.edits import finest_group

if TYPE_CHECKING:
    from mvgraph.data import MultiViewData, Split
    from mvgraph.graph import MultiViewGraph

#: Near duplicates that a record names: a report needs no more than to show what they are.
NAMED = 3


def group_means(probabilities: NDArray[Any], group: NDArray[Any]) -> NDArray[np.float64]:
    """Every row's probabilities replaced by the mean over the rows of its group.

    Shapes:
        probabilities: (n, C); group: (n,) -> (n, C) float64
    """
    _, code, sizes = np.unique(group, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), probabilities.shape[1]))
    np.add.at(sums, code, np.asarray(probabilities, dtype=np.float64))
    return np.asarray((sums / sizes[:, None])[code])


def shared_group(data: MultiViewData) -> str | None:
    """The finest kind of group that puts rows together, or None."""
    try:
        return finest_group(data.groups)
    except UserError:
        return None


def figures_of(data: MultiViewData, graph: MultiViewGraph, split: Split) -> dict[str, Any]:
    """The figures of a graph as a record keeps them; near duplicates are counted, and a few named."""
    figures = graph_figures(graph, data.views, data.labels, data.groups, split, ids=data.ids)
    for view in figures["near_duplicates"]["views"].values():
        view["nearest"] = view["nearest"][:NAMED]
    return figures


def cell_audit(
    data: MultiViewData,
    split: Split,
    probabilities: Mapping[str, NDArray[np.float32]],
    figures: Mapping[str, Any] | None,
) -> dict[str, Any] | None:
    """The `audit` part of a record, or None where no group puts two rows together.

    Args:
        probabilities: of the test rows, by selection.
        figures: of the graph, None for a method without one.

    Returns:
        `group` (its kind), `averaged` (selection -> metrics of the test rows, averaged over their groups), and
        `graph` where there is one.
    """
    kind = shared_group(data)
    if kind is None:
        return None
    group, labels = data.groups[kind][split.test], data.labels[split.test]
    averaged = {
        selection: part_metrics(group_means(found, group), labels)
        for selection, found in probabilities.items()
    }
    return {"group": kind, "averaged": averaged, **({} if figures is None else {"graph": dict(figures)})}
