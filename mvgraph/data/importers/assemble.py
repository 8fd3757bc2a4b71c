"""From what was found in a file to `MultiViewData`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mvgraph.data.card import Card
from mvgraph.data.door import text_array
from mvgraph.data.given_graphs import subset_graphs
from mvgraph.data.importers.columns import given_split
from mvgraph.data.importers.given_graphs import given_graphs, loop_notes, with_features
from mvgraph.data.importers.missing import observed_rows
from mvgraph.data.importers.nan_cells import without_nan
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.imputation import Imputation
from mvgraph.data.labels import encode_labels
from mvgraph.data.lazy import LazyViews
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError


def file_card(path: Path, notes: tuple[str, ...] = ()) -> Card:
    """The card of an imported file: its name; everything else is not known."""
    return Card(name=path.stem or path.name, source=f"imported from {path.name}", notes=notes)


def assembled(
    views: Mapping[str, Any],
    n_samples: int,
    path: Path,
    options: ImportOptions,
    *,
    labels: np.ndarray | None,
    ids: np.ndarray | None,
    groups: Mapping[str, np.ndarray],
    split: np.ndarray | None,
    observed: np.ndarray | None = None,
    stored_mask: np.ndarray | None = None,
    notes: tuple[str, ...] = (),
    graphs: Mapping[str, Any] | None = None,
) -> MultiViewData:
    """Data of an imported file; every refusal names the file.

    Shapes: views[v] (N, d_v) or lazy views; labels, ids, groups[g], split (N,); observed (N, V) bool; stored_mask
    (N, V) as the file has it, for views in the order of their sorted names; graphs[v] (N, N).

    Lazy views come with `observed` decided, for their reader has to know.

    Raises:
        UserError: see `MultiViewData`.
    """
    imputation: Imputation | None = None
    try:
        names = sample_names(ids, n_samples)
        given = given_graphs(graphs or {}, names, path, options)
        notes = (*notes, *loop_notes(given))
        if not isinstance(views, LazyViews):
            observed = observed_rows(views, names, path, options, observed, stored_mask)
            whole = without_nan(views, observed, options.nan, names, path)
            views, imputation, notes = whole.views, whole.imputation, (*notes, *whole.notes)
            if whole.keep is not None:
                keep, n_samples = whole.keep, int(whole.keep.sum())
                views = {name: view[keep] for name, view in views.items()}
                names, observed = names[keep], observed[keep]
                groups = {name: np.asarray(values)[keep] for name, values in groups.items()}
                labels = None if labels is None else np.asarray(labels)[keep]
                split = None if split is None else np.asarray(split)[keep]
                given = subset_graphs(given, np.flatnonzero(keep))
        if any(name not in views for name in given):
            mask = np.ones((n_samples, len(views)), dtype=bool) if observed is None else observed
            views, observed, said = with_features(views, given, mask, path)
            notes = (*notes, *said)
        codes, classes = encode_labels(None if labels is None else _cleaned(labels), n_samples, names)
        unlabelled = int((codes < 0).sum())
        if labels is not None and unlabelled:
            notes = (*notes, f"{unlabelled} of {n_samples} rows have no label (empty or -1).")
        return MultiViewData(
            views=views,
            labels=codes,
            classes=classes,
            ids=names,
            groups={name: _texts(values) for name, values in groups.items()},
            observed=np.ones((n_samples, len(views)), dtype=bool) if observed is None else observed,
            official_splits={}
            if split is None
            else given_split(split, options.split_column or "split", path),
            card=file_card(path, notes),
            imputation=imputation,
            graphs=given,
        )
    except UserError as error:
        text = str(error)
        raise UserError(text if text.startswith(str(path)) else f"{path}: {text}") from None


def sample_names(ids: np.ndarray | None, n_samples: int) -> np.ndarray:
    """Ids as text, numbers of rows where a file has none. Shapes: (N,) strings."""
    return text_array("Sample ids", np.arange(n_samples) if ids is None else _texts(ids), n_samples)


def _cleaned(labels: np.ndarray) -> np.ndarray:
    """Labels without the blanks that MATLAB pads strings with; empty strings mean unlabelled."""
    if labels.dtype.kind not in "USO":
        return labels
    result = np.empty(labels.shape, dtype=object)
    for row, value in enumerate(labels.tolist()):
        value = value.decode("utf-8") if isinstance(value, bytes) else value
        result[row] = (value.strip() or None) if isinstance(value, str) else value
    return result


def _texts(values: np.ndarray) -> np.ndarray:
    """Ids and groups as text; whole numbers that a file keeps as floats are written as whole numbers."""
    if values.dtype.kind == "f" and not pd.isna(values).any() and np.array_equal(values, np.rint(values)):
        return np.asarray([str(int(value)) for value in values.tolist()])
    return values
