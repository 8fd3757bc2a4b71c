"""How splits are drawn: stratified label rate, k-fold, by whole groups, or as published."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from mvgraph.data import stratify
from mvgraph.data.split import Split
from mvgraph.errors import UserError

if TYPE_CHECKING:
    from mvgraph.data.multiview import MultiViewData


def label_rate_splits(
    data: MultiViewData,
    rate: float = 0.1,
    validation: float = 0.2,
    n: int = 1,
    seed: int = 0,
    min_per_class: int = 2,
) -> list[Split]:
    """Few labels: a share of each class is labelled, the rest of the labelled rows is the test part.

    Of n_c rows of class c, max(min_per_class, round(rate n_c)) are labelled; a share `validation` of these,
    stratified, selects, and at least one row per class is left to train on. Split i depends on `seed` and i
    only, and the labelled part at a small rate is contained in that at a larger one.

    Raises:
        UserError: a share outside (0, 1), or a class too small to be labelled and tested.
    """
    _share("rate", rate)
    _share("validation", validation)
    _count("n", n)
    _count("min_per_class", min_per_class)
    rows, labels = _labelled(data, "label-rate")
    for code, size in enumerate(data.class_counts):
        if 0 < size <= min_per_class:
            raise UserError(
                f"Class {data.classes[code]!r} has {int(size)} labelled rows, but the label-rate scheme "
                "needs at least "
                f"{min_per_class + 1}: {min_per_class} to label and one to test (see min_per_class)."
            )
    splits = []
    for index in range(n):
        rng = np.random.default_rng([seed, index])
        labelled, test = [], []
        for code in np.unique(labels):
            members = rng.permutation(rows[labels == code])
            size = max(min_per_class, int(np.floor(rate * members.size + 0.5)))
            size = min(size, members.size - 1)
            labelled.append(members[:size])
            test.append(members[size:])
        train, selected = stratify.carve(np.concatenate(labelled), data.labels, validation, rng)
        splits.append(
            Split(
                train,
                selected,
                np.concatenate(test),
                scheme="label-rate",
                seed=seed,
                parameters={
                    "rate": rate,
                    "validation": validation,
                    "min_per_class": min_per_class,
                    "index": index,
                },
            )
        )
    return splits


def kfold_splits(
    data: MultiViewData, folds: int = 5, validation: float = 0.2, seed: int = 0, group: str | None = None
) -> list[Split]:
    """Each labelled row is tested once; the validation part is a stratified share of the other folds.

    With `group`, no group crosses the parts.

    Raises:
        UserError: fewer members of a class, or fewer groups, than folds.
    """
    _share("validation", validation)
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise UserError(f"folds must be an integer of at least 2, not {folds!r}.")
    rows, labels = _labelled(data, "k-fold")
    rng = np.random.default_rng(seed)
    if group is None:
        for code, size in enumerate(data.class_counts):
            if 0 < size < folds:
                raise UserError(
                    f"Class {data.classes[code]!r} has {int(size)} labelled rows, fewer than the {folds} "
                    "folds; "
                    "use fewer folds."
                )
        fold = stratify.folds(labels, folds, rng)
    else:
        members = _group(data, group)[rows]
        fold = stratify.group_folds(labels, members, folds, rng, f"group {group!r}")
    splits = []
    for index in range(folds):
        rest, test = rows[fold != index], rows[fold == index]
        train, selected = _carve(data, rest, validation, np.random.default_rng([seed, index]), group)
        splits.append(
            Split(
                train,
                selected,
                test,
                scheme="k-fold",
                seed=seed,
                parameters={"folds": folds, "validation": validation, "group": group, "index": index},
            )
        )
    return splits


def group_splits(
    data: MultiViewData,
    group: str,
    test: float = 0.3,
    validation: float = 0.2,
    n: int = 1,
    seed: int = 0,
) -> list[Split]:
    """No group (clip, location, subject) crosses the parts; `validation` is a share of what is not tested.

    Whole groups are moved, so that the shares are met as closely as the groups allow.

    Raises:
        UserError: an unknown group column, or too few groups to keep every class in the training part.
    """
    _share("test", test)
    _share("validation", validation)
    _count("n", n)
    rows, _ = _labelled(data, "group")
    members = _group(data, group)
    splits = []
    for index in range(n):
        rng = np.random.default_rng([seed, index])
        rest, tested = stratify.carve_groups(rows, data.labels, members, test, rng, f"group {group!r}")
        train, selected = _carve(data, rest, validation, rng, group)
        splits.append(
            Split(
                train,
                selected,
                tested,
                scheme="group",
                seed=seed,
                parameters={"group": group, "test": test, "validation": validation, "index": index},
            )
        )
    return splits


def official_splits(
    data: MultiViewData, validation: float = 0.1, seed: int = 0, group: str | None = None
) -> list[Split]:
    """The published splits in the order of their names.

    Where the authors published no validation part, a share of their training part becomes it, by whole groups
    with `group`; test parts are never touched.

    Raises:
        UserError: data without official splits.
    """
    _share("validation", validation)
    if not data.official_splits:
        raise UserError(
            f"Data set {data.name!r} has no official split; use one of label-rate, k-fold or group."
        )
    splits = []
    for index, (name, split) in enumerate(data.official_splits.items()):
        train, selected = split.train, split.validation
        if selected.size == 0:
            train, selected = _carve(data, train, validation, np.random.default_rng([seed, index]), group)
        parameters = {"name": name, "validation": validation, "group": group}
        splits.append(Split(train, selected, split.test, scheme="official", seed=seed, parameters=parameters))
    return splits


#: The schemes that a suite file may name.
SCHEMES: dict[str, Callable[..., list[Split]]] = {
    "label-rate": label_rate_splits,
    "k-fold": kfold_splits,
    "group": group_splits,
    "official": official_splits,
}


def make_splits(data: MultiViewData, scheme: str, **parameters: Any) -> list[Split]:
    """Splits by the name of their scheme: label-rate, k-fold, group or official.

    Raises:
        UserError: an unknown scheme or parameter, or a parameter that is needed and missing.
    """
    if scheme not in SCHEMES:
        raise UserError(
            f"There is no split scheme {scheme!r}{_hint(scheme, SCHEMES)}; there are {', '.join(SCHEMES)}."
        )
    function = SCHEMES[scheme]
    signature = inspect.signature(function).parameters
    known = [name for name in signature if name != "data"]
    for name in parameters:
        if name not in known:
            raise UserError(
                f"The split scheme {scheme!r} has no parameter {name!r}{_hint(name, known)}; it has "
                f"{', '.join(known)}."
            )
    for name in known:
        if signature[name].default is inspect.Parameter.empty and name not in parameters:
            raise UserError(f"The split scheme {scheme!r} needs the parameter {name!r}.")
    return function(data, **parameters)


def _hint(name: str, known: Any) -> str:
    near = get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _labelled(data: MultiViewData, scheme: str) -> tuple[np.ndarray, np.ndarray]:
    rows = np.flatnonzero(data.labels >= 0)
    if rows.size == 0:
        raise UserError(f"Data set {data.name!r} has no labels, but the split scheme {scheme!r} needs them.")
    return rows, data.labels[rows]


def _group(data: MultiViewData, group: str) -> np.ndarray:
    if group not in data.groups:
        known = ", ".join(data.groups) or "none"
        raise UserError(
            f"Data set {data.name!r} has no group {group!r}{_hint(group, data.groups)}; it has {known}."
        )
    return data.groups[group]


def _carve(
    data: MultiViewData, rows: np.ndarray, share: float, rng: np.random.Generator, group: str | None
) -> tuple[np.ndarray, np.ndarray]:
    if group is None:
        return stratify.carve(rows, data.labels, share, rng)
    return stratify.carve_groups(rows, data.labels, _group(data, group), share, rng, f"group {group!r}")


def _share(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < 1.0:
        raise UserError(f"{name} must be a share between 0 and 1, not {value!r}.")


def _count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{name} must be an integer of at least 1, not {value!r}.")
