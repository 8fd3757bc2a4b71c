"""The contract of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mvgraph.contract.result import Check, CheckFailed, CheckResult, require, run_checks
from mvgraph.data import MultiViewData, Split, load, make_splits
from mvgraph.data.dataset import DataSet
from mvgraph.data.resolution import suited
from mvgraph.errors import UserError
from mvgraph.registry import datasets

#: What a card must say.
CARD = ("name", "title", "source", "licence", "citation")
#: Checks that read no data, so that they run anywhere.
WITHOUT_DATA = ("listing",)


@dataclass(frozen=True)
class DataSetCase:
    """One data set under test.

    Args:
        source: registered name, `module:Class`, or a class.

    Raises:
        UserError: there is no such data set, or it is not a class derived from DataSet.
    """

    source: str | type[DataSet]

    def __post_init__(self) -> None:
        if not (isinstance(self.cls, type) and issubclass(self.cls, DataSet)):
            raise UserError(f"{self.source!r} is not a class derived from mvgraph.data.dataset.DataSet.")

    @cached_property
    def cls(self) -> Any:
        return datasets.get(self.source)

    @cached_property
    def data(self) -> MultiViewData:
        """Read once and shared by the checks."""
        return load(self.cls)

    @property
    def at_hand(self) -> bool:
        """Whether reading needs nothing that is not here: no download, and nothing that the user has to bring."""
        own = getattr(self.cls, "at_hand", None)
        if own is not None:
            return bool(own())
        if not self.cls.fetches:
            return True
        converted = getattr(self.cls, "converted_path", None)
        return converted is not None and converted().is_file()


def listing_is_complete(case: DataSetCase) -> None:
    """What lists, plans and reports show is there without the data: card, shape, docstring."""
    declared = case.cls.card()
    for attribute in CARD:
        value = getattr(declared, attribute)
        require(
            isinstance(value, str) and value.strip() and value != "unnamed",
            f"{case.cls.__name__}.card() has no {attribute}; users must know it before they publish.",
        )
    json.dumps(asdict(declared))
    sizes = {"n_samples": case.cls.n_samples, "n_classes": case.cls.n_classes, **case.cls.view_dims}
    for what, size in sizes.items():
        require(
            isinstance(size, int) and size > 0,
            f"{case.cls.__name__} declares {size!r} for {what}; right is a whole number above 0.",
        )
    if isinstance(case.source, str) and case.source in datasets:
        require(
            declared.name == case.source,
            f"{case.cls.__name__} is registered as '{case.source}', but its card says '{declared.name}'.",
        )
    require(
        (case.cls.__doc__ or "").strip(), f"{case.cls.__name__} has no docstring saying what the data is."
    )


def card_travels(case: DataSetCase) -> None:
    """The card of the data is the one that the class declares."""
    declared, travelling = case.cls.card(), case.data.card
    for attribute in CARD:
        require(
            getattr(declared, attribute) == getattr(travelling, attribute),
            f"the {attribute} on the card of the data is not the one that {case.cls.__name__} declares.",
        )


def declaration_holds(case: DataSetCase) -> None:
    """Samples, view widths and classes are what the class says; lists and plans rely on it."""
    data = case.data
    for what, declared, found in (
        ("n_samples", case.cls.n_samples, data.n_samples),
        ("n_classes", case.cls.n_classes, data.n_classes),
        ("view_dims", dict(sorted(case.cls.view_dims.items())), dict(data.view_dims)),
    ):
        require(declared == found, f"{case.cls.__name__}.{what} is {declared}, the data has {found}.")


def labels_fit_classes(case: DataSetCase) -> None:
    """Labels are int64 in 0..C-1 or -1, every class is named once and has two rows or more."""
    data = case.data
    require(
        data.labels.dtype == np.int64 and data.labels.shape == (data.n_samples,),
        f"labels are {data.labels.dtype} of shape {data.labels.shape}; right is int64 ({data.n_samples},).",
    )
    low, high = int(data.labels.min()), int(data.labels.max())
    require(
        low >= -1 and high < data.n_classes,
        f"labels run from {low} to {high}; right is -1 to {data.n_classes - 1}.",
    )
    require(
        len(set(data.classes)) == data.n_classes and all(isinstance(c, str) and c for c in data.classes),
        f"the class names {list(data.classes)} are not {data.n_classes} different texts.",
    )
    smallest = int(data.class_counts.argmin())
    require(
        data.class_counts[smallest] >= 2,
        f"class '{data.classes[smallest]}' has {int(data.class_counts[smallest])} labelled rows; "
        "2 are the least.",
    )


def views_are_sound(case: DataSetCase) -> None:
    """Views are finite, float32 where that holds them, not constant, read-only, and zero in rows not observed."""
    data = case.data
    require(
        len(np.unique(data.ids)) == data.n_samples, "sample ids are not unique, so that rows cannot be named."
    )
    for column, name in enumerate(data.view_names):
        view, observed = data.views[name], data.observed[:, column]
        require(
            view.dtype == suited(view, observed) and view.shape == (data.n_samples, data.view_dims[name]),
            f"view '{name}' is {view.dtype} {view.shape}; right is {np.dtype(suited(view, observed))} "
            f"({data.n_samples}, {data.view_dims[name]}).",
        )
        require(np.isfinite(view).all(), f"view '{name}' holds NaN or Inf.")
        require(
            not view.flags.writeable, f"view '{name}' can be written to, so that a method could alter it."
        )
        require(not view[~observed].any(), f"view '{name}' holds numbers in rows that are not observed.")
        require(
            (view[observed].min(axis=0) < view[observed].max(axis=0)).any(),
            f"every column of view '{name}' is constant, so that it tells nothing.",
        )


def splits_can_be_drawn(case: DataSetCase) -> None:
    """A tenth of the labels, five folds and the published splits all work, with every class to train on."""
    data = case.data
    schemes = ["label-rate", "k-fold"] + (["official"] if data.official_splits else [])
    for scheme in schemes:
        try:
            drawn = make_splits(data, scheme)
        except UserError as error:
            raise CheckFailed(f"the split scheme {scheme} cannot be drawn: {error}") from error
        for split in drawn:
            _check_split(data, scheme, split)


def fingerprint_is_stable(case: DataSetCase) -> None:
    """Loaded twice, and with its views in another order, the data has one fingerprint and equal arrays."""
    data, again = case.data, load(case.cls)
    require(
        data.fingerprint.digest == again.fingerprint.digest,
        "two loads have different fingerprints; reading must not depend on chance or on the day.",
    )
    for name in data.view_names:
        require(
            np.array_equal(data.views[name], again.views[name]), f"view '{name}' differs between two loads."
        )
    for what in ("labels", "ids", "observed"):
        require(
            np.array_equal(getattr(data, what), getattr(again, what)), f"{what} differ between two loads."
        )
    names = list(reversed(data.view_names))
    turned = MultiViewData.from_arrays(
        {name: data.views[name] for name in names},
        data.labels,
        ids=data.ids,
        classes=data.classes,
        observed={name: data.observed[:, data.view_names.index(name)] for name in names},
    )
    require(
        turned.fingerprint.digest == data.fingerprint.digest,
        "the fingerprint changes with the order of the views.",
    )


def _check_split(data: MultiViewData, scheme: str, split: Split) -> None:
    for part in ("train", "validation", "test"):
        rows = getattr(split, part)
        require(len(rows) > 0, f"the {part} part of the split scheme {scheme} is empty.")
        require((data.labels[rows] >= 0).all(), f"the {part} part of scheme {scheme} holds unlabelled rows.")
    missing = set(range(data.n_classes)) - set(data.labels[split.train].tolist())
    require(
        not missing,
        f"the training part of scheme {scheme} lacks class "
        f"'{data.classes[min(missing)] if missing else ''}'.",
    )


DATASET_CHECKS: tuple[Check[DataSetCase], ...] = (
    Check("listing", listing_is_complete),
    Check("card", card_travels),
    Check("declaration", declaration_holds),
    Check("labels", labels_fit_classes),
    Check("views", views_are_sound),
    Check("splits", splits_can_be_drawn),
    Check("fingerprint", fingerprint_is_stable),
)


def check_dataset(
    source: str | type[DataSet] | DataSetCase, only: Iterable[str] | None = None
) -> list[CheckResult]:
    """Hold a data set against the contract; fetches the data if the data set does.

    Args:
        source: registered name, `module:Class`, or a class.
        only: names of the checks to run; None runs all.

    Raises:
        UserError: there is no such data set or no such check.
    """
    case = source if isinstance(source, DataSetCase) else DataSetCase(source)
    return run_checks(case, DATASET_CHECKS, only)
