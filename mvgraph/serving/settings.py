"""From the classifier's parameters to what the rooms before it take."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from mvgraph.data import MultiViewData, Split
from mvgraph.data.frozen import FrozenMapping, read_only
from mvgraph.data.stratify import carve
from mvgraph.errors import UserError
from mvgraph.graph import GraphSettings
from mvgraph.training import TrainingOptions

if TYPE_CHECKING:
    from mvgraph.serving.classifier import MultiViewClassifier


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows(Split):
    """A split without a test part: every labelled row trains or selects.

    Shapes: each part is a read-only, sorted int64 vector.
    """

    def __post_init__(self) -> None:
        for part in ("train", "validation", "test"):
            rows = np.sort(np.asarray(getattr(self, part), dtype=np.int64))
            object.__setattr__(self, part, read_only(rows))
        object.__setattr__(self, "parameters", FrozenMapping(self.parameters))


def labelled_rows(train: np.ndarray, validation: np.ndarray, seed: int) -> LabelledRows:
    """The rows that train and those that select. Shapes: row numbers."""
    return LabelledRows(train, validation, np.zeros(0, dtype=np.int64), "classifier", seed)


def rows_of(classifier: MultiViewClassifier, codes: np.ndarray, seed: int) -> LabelledRows:
    """Which labelled rows train, and which select.

    Raises:
        UserError: `validation` is no share, or something selects without rows to do so.
    """
    if classifier.selection not in ("last", "validation"):
        raise UserError(f"selection={classifier.selection!r}: choose last or validation.")
    if not 0.0 <= classifier.validation < 1.0:
        raise UserError(f"validation={classifier.validation}: give a share of the labelled rows in [0, 1).")
    known = np.flatnonzero(codes >= 0)
    if classifier.validation > 0:
        train, selecting = carve(known, codes, classifier.validation, np.random.default_rng(seed))
        return labelled_rows(train, selecting, seed)
    if classifier.early_stopping is not None:
        raise UserError("early_stopping needs validation rows; give validation=0.2 or so.")
    if classifier.selection == "validation":
        raise UserError("selection='validation' needs validation rows; give validation=0.2 or so.")
    return labelled_rows(known, np.zeros(0, dtype=np.int64), seed)


def training_of(classifier: MultiViewClassifier, rows: LabelledRows) -> TrainingOptions:
    """How a network is trained.

    Raises:
        UserError: an unknown option, or a value outside its range.
    """
    names = ("lr", "weight_decay", "epochs", "early_stopping", "evaluate_every", "device")
    named = {name: _plain(getattr(classifier, name)) for name in names}
    training = _joined("training", named, classifier.training)
    if len(rows.validation) == 0:
        # Nobody looks at evaluations in between.
        training["evaluate_every"] = training["epochs"]
    return TrainingOptions.from_mapping(training)


def graph_settings_of(classifier: MultiViewClassifier, data: MultiViewData) -> GraphSettings:
    """How the graph is built; where a view has too few rows for k neighbours it takes all, with a warning.

    Raises:
        UserError: an unknown setting, or a value that is none.
    """
    named = {name: getattr(classifier, name) for name in ("k", "kernel", "symmetrise", "fused")}
    settings = GraphSettings.from_json(_joined("graph", named, classifier.graph))
    settings.check_views(data.view_names)
    present = dict(zip(data.view_names, data.observed.sum(axis=0).tolist(), strict=True))
    fitting = {view: max(1, min(settings.k_of(view), n - 1)) for view, n in present.items()}
    short = [view for view in fitting if fitting[view] < settings.k_of(view)]
    if not short:
        return settings
    warnings.warn(
        f"View {short[0]!r} has {present[short[0]]} rows, too few for k = {settings.k_of(short[0])} neighbours; "
        f"all {fitting[short[0]]} others are taken.",
        stacklevel=3,
    )
    return replace(settings, k=fitting)


def seed_of(random_state: Any) -> int:
    """A number as it is, anything else as scikit-learn reads a random_state."""
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def labelled_data(
    views: Mapping[str, np.ndarray], codes: np.ndarray, n_classes: int, observed: np.ndarray
) -> MultiViewData:
    """Data whose classes are called by their codes; a class with one member passes, a fold may hold one.

    Shapes:
        views[v]: (N, d_v); codes: (N,); observed: (N, V), views in the order of their names.
    """
    return MultiViewData(
        views={name: views[name] for name in sorted(views)},
        labels=codes,
        classes=tuple(str(code) for code in range(n_classes)),
        ids=np.arange(len(codes)).astype(np.str_),
        groups={},
        observed=observed,
        derived=True,
    )


def _joined(what: str, named: Mapping[str, Any], more: Mapping[str, Any] | None) -> dict[str, Any]:
    for name in more or {}:
        if name in named:
            raise UserError(f"{what}[{name!r}]: '{name}' is a parameter of the classifier; set it there.")
    return {**named, **(more or {})}


def _plain(value: Any) -> Any:
    """A numpy number, as a grid or a distribution gives it, as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
