"""The majority class of a setting, computed from stored labels whether or not the suite ran it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mvgraph.evaluation import LEAST_SPLITS, majority_metrics
from mvgraph.report.differences import paired, sizes_of
from mvgraph.report.ranking import Measure
from mvgraph.report.scores import over_splits, split_key
from mvgraph.report.snapshot import Predictions, Record, Snapshot

#: Split -> metrics of the majority class on it.
Majority = Mapping[str, Mapping[str, float]]
#: A baseline of that name makes the computed line needless.
METHOD = "majority-class"
LABEL = "majority class"
MARK = "no better than majority"
LEGEND = (
    f"“{LABEL}” is computed from the labels: it gives every test row the class frequencies of the training rows, and "
    f"is not ranked. “{MARK}” marks a method that is not clearly better in the figure that ranks: with "
    f"{LEAST_SPLITS} splits or more by the test that verdicts use, else by its mean."
)


def majority_of(snapshot: Snapshot, records: Iterable[Record]) -> Majority:
    """Metrics of the majority class on every split whose training classes and test labels are stored."""
    found: dict[str, Mapping[str, float]] = {}
    for record in records:
        cell = record["cell"]
        split = split_key(cell)
        train = ((cell.get("protocol") or {}).get("labelled") or {}).get("train_per_class")
        if split in found or not train:
            continue
        known = snapshot.predictions(record, snapshot.selection)
        if known is not None and len(known.truth):
            found[split] = majority_metrics(train, _counts(known, len(train)))
    return found


def _counts(known: Predictions, n_classes: int) -> list[int]:
    return [int(n) for n in np.bincount(known.truth, minlength=n_classes)]


def is_above(records: Sequence[Record], majority: Majority, selection: str, measure: Measure) -> bool | None:
    """Whether a method is above the majority class; None where they share no split.

    With enough splits the paired test decides; where it cannot, the mean does.
    """
    gap = paired(
        over_splits(records, selection, measure.key),
        majority_by_split(majority, measure.key),
        sizes_of(records),
        measure,
    )
    if gap is None:
        return None
    # Rounded: a majority classifier that ran is not above itself by the last bit.
    return gap.verdict == "ahead" or (gap.verdict == "none" and measure.better(round(gap.mean, 9), 0.0))


def majority_by_split(majority: Majority, key: str) -> dict[str, float]:
    """One metric of the majority class by split."""
    return {split: round(metrics[key], 12) for split, metrics in majority.items()}
