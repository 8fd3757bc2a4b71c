"""The protocol card: under which rules a number was made. It stands beside every number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mvgraph.bench.plan import Cell
    from mvgraph.data import MultiViewData, Split
    from mvgraph.fusion.base import Tags


def protocol_card(
    cell: Cell, data: MultiViewData, split: Split, tags: Tags, selection: str
) -> dict[str, Any]:
    """The card of one cell, as JSON values.

    Args:
        cell: the cell (its own `protocol` is not read).
        data, split: what it runs on.
        tags: capabilities of its method.
        selection: which figures rank: last | validation.
    """
    # Only where there is one: most suites search nothing.
    search = {} if cell.tune is None else {"search": {**cell.tune, "rows": "training and validation"}}
    # Only where some row lacks a view.
    present = {} if data.observed.all() else {"observed": _observed(data)}
    return {
        **search,
        **present,
        "code": {
            "numerics": cell.numerics,
            **{what: identity["identity"] for what, identity in cell.code.items()},
        },
        "split": {
            "scheme": cell.split["scheme"],
            "parameters": cell.split["parameters"],
            "seed": cell.split["seed"],
            "index": cell.split["index"],
        },
        "seed": cell.seed,
        "scaling": dict(cell.scaling),
        "setting": "transductive" if tags.transductive else "inductive",
        "labels_in_graph": False,
        "graph_control": cell.control,
        "selection": selection,
        "test_labels_read_for_selection": False,
        "labelled": {
            "train": len(split.train),
            "validation": len(split.validation),
            "test": len(split.test),
            "rows": data.n_samples,
            "train_per_class": np.bincount(data.labels[split.train], minlength=data.n_classes).tolist(),
        },
    }


def _observed(data: MultiViewData) -> dict[str, float]:
    """View -> share of the rows that have it."""
    shares = np.asarray(data.observed, dtype=np.float64).mean(axis=0)
    return {name: float(share) for name, share in zip(data.view_names, shares, strict=True)}
