"""Bring the runs of a store in line with what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from mvgraph.tracking.runs import MirrorRun, Store

#: Runs written in one transaction.
BATCH = 100


class Aligned(NamedTuple):
    """Runs of parts that were written, that were right already, and that were removed."""

    written: int
    kept: int
    removed: int


def align(
    store: Store,
    stamps: Mapping[str, str],
    make: Callable[[str], MirrorRun],
    whole: MirrorRun,
    make_whole: Callable[[], MirrorRun],
) -> Aligned:
    """Write what is missing or has another stamp, remove what stands for nothing, close what was left RUNNING.

    Args:
        store: where.
        stamps: of the runs that should be there below one parent, by key.
        make: the run of a key.
        whole: the parent, as far as it is known without effort; make_whole: all of it.
    """
    with store.change():
        parents, children = store.parents(), store.children()
        kept, wanted = 0, []
        gone = [parent.id for parent in parents[1:]]
        for key, stamp in stamps.items():
            held = children.pop(key, [])
            # A part that is still RUNNING was broken off, whatever stamp it carries.
            right = [run for run in held if run.stamp == stamp and run.status != "RUNNING"][:1]
            gone += [run.id for run in held if run not in right]
            kept += len(right)
            if not right:
                wanted.append(key)
        gone += [run.id for runs in children.values() for run in runs]
        store.remove(gone)
        if parents and (parents[0].stamp, parents[0].status) == (whole.stamp, whole.status) and not wanted:
            return Aligned(0, kept, len(gone))
        started = replace(whole, stamp="", status="RUNNING", end=None, points=())
        parent = parents[0].id if parents else store.add([started], None)[0]
    for start in range(0, len(wanted), BATCH):
        made = [make(key) for key in wanted[start : start + BATCH]]
        with store.change():
            store.add(made, parent)
    with store.change():
        store.update(parent, make_whole())
    return Aligned(len(wanted), kept, len(gone))
