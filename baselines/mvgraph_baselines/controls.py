"""Controls: the same method on a graph that should not help, or helps less.

`<method>@identity` takes every edge away, `<method>@shuffled` lays every view's graph over the wrong nodes.
What a method gains over them is what its graph is worth. `<method>@no-siblings` takes away the edges inside a
group (segments of one clip), `<method>@inductive` those that would not be there if the test rows came after
training: what a method loses by them was smoothing over the clip, or test rows helping each other.
"""

from __future__ import annotations

from mvgraph.data import MultiViewData, Split
from mvgraph.graph import MultiViewGraph, edits


def identity(graph: MultiViewGraph, seed: int) -> MultiViewGraph:
    """Every node alone with its self loop.

    Args:
        graph: any graph.
        seed: not used; controls share one form.
    """
    return graph.identity()


def shuffled(graph: MultiViewGraph, seed: int) -> MultiViewGraph:
    """Every view's graph over its nodes in a random order of its own: same degrees and weights, wrong rows.

    Args:
        graph: any graph.
        seed: of the order.
    """
    return graph.shuffled(seed)


def no_siblings(graph: MultiViewGraph, seed: int, *, data: MultiViewData) -> MultiViewGraph:
    """The graph without edges inside a group, of the finest kind of group that the data has.

    Args:
        graph: any graph.
        seed: not used.
        data: names the groups.

    Raises:
        UserError: the data has no groups of several rows.
    """
    return edits.without_group_edges(graph, data.groups[edits.finest_group(data.groups)])


def inductive(graph: MultiViewGraph, seed: int, *, split: Split) -> MultiViewGraph:
    """The graph in which test rows hang on the other rows, and no row on a test row.

    Args:
        graph: any graph.
        seed: not used.
        split: says which rows are tested.
    """
    return edits.inductive(graph, split)
