"""Greedy ensemble selection over models of each view and of all views together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import Distribution, EstimatorMethod, Int, NewRows, Tags
from mvgraph.graph import MultiViewGraph
from mvgraph_baselines.columns import side_by_side, with_gaps
from mvgraph_baselines.inner_cv import (
    FLOOR,
    InnerFolds,
    calibrate,
    check_temperature,
    inner_folds,
    logits_of,
    tempered,
)
from mvgraph_baselines.logistic import fit_logistic
from mvgraph_baselines.radial import RadialKernel
from mvgraph_baselines.svm import Settings, fit_machine
from mvgraph_baselines.trees import fit_forest

Views = Mapping[str, np.ndarray]
Answer = Callable[[Views, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Member:
    """One fitted model of the library.

    Args:
        inside: answers to the training rows from models fitted without them.
        answer: views and what is observed -> class probabilities.
        parameters: fitted numbers.
    """

    inside: np.ndarray
    answer: Answer
    parameters: int


class Stacking(EstimatorMethod):
    r"""A weighted mean of many models, the weights chosen so that out-of-fold answers have the lowest log-loss.

    The library has a logistic regression and a support vector machine of every view, and of all views together
    a logistic regression, support vector machines on all columns and on the sum of the views' kernels, and
    extremely randomised trees; each chooses its own settings by cross-validation inside the training rows. The
    class frequencies are a model too. An ensemble begins empty; in each step the model that lowers the log-loss of
    the mean most is added, and may be added again; the steps up to the lowest log-loss count. That is done for
    many random halves of the library, so that no model is taken for its luck alone, and the weights are averaged.
    A temperature is fitted to the mean.

    Args:
        steps: models added to an ensemble at most, with repetition.
        bags: random halves of the library; 1 takes the whole library once.
        trees: of the forest.
        temperature: of the mean; None fits it to out-of-fold answers.

    Raises:
        UserError: an option outside its range, or training rows of one class only.

    Shapes:
        predict_proba: (N, C).
    """

    name = "stacking"
    title = "greedy ensemble of per-view and concatenated models"
    paper = (
        "Caruana, Niculescu-Mizil, Crew & Ksikes 2004, Ensemble Selection from Libraries of Models; Wolpert 1992; "
        "temperature after Guo et al. 2017"
    )
    tags = Tags(uses_graph=False, transductive=False, inductive=True, quadratic=True)

    def __init__(
        self, *, steps: int = 30, bags: int = 20, trees: int = 100, temperature: float | None = None
    ) -> None:
        for name, value in (("steps", steps), ("bags", bags), ("trees", trees)):
            if value < 1:
                raise UserError(f"stacking: {name}={value}; give a whole number of at least 1.")
        check_temperature(self.name, temperature)
        self.steps, self.bags, self.trees, self.temperature = steps, bags, trees, temperature

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> Stacking:
        folds = inner_folds(data, split)
        if len(folds.seen) < 2:
            raise UserError("stacking needs training rows of at least two classes.")
        library = _library(data, folds, seed, self.trees)
        inside = np.stack([member.inside for member in library.values()])
        weights = bagged_weights(inside, folds.labels, self.steps, self.bags, seed)
        self.seen_ = folds.seen
        self.temperature_ = calibrate(np.tensordot(weights, inside, axes=1), folds, self.temperature)
        chosen = zip(library.items(), weights, strict=True)
        self.members_ = {name: (member, float(w)) for (name, member), w in chosen if w > 0}
        self._probabilities = self._answer(data.views, data.observed)
        return self

    def _answer(self, views: Views, observed: np.ndarray) -> np.ndarray:
        mean = sum(weight * member.answer(views, observed) for member, weight in self.members_.values())
        return tempered(logits_of(np.asarray(mean)), self.temperature_, self.seen_)

    def predict_proba(self) -> np.ndarray:
        return self._probabilities.astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return self._answer(rows.views, rows.observed)

    def parameter_count(self) -> int:
        """Of the models that have a weight, and these weights."""
        return sum(member.parameters for member, _ in self.members_.values()) + len(self.members_)

    def diagnostics(self) -> dict[str, Any]:
        weights = {name: weight for name, (_, weight) in self.members_.items()}
        return {"weights": weights, "temperature": self.temperature_}

    @classmethod
    def contract_options(cls, view_names: tuple[str, ...]) -> dict[str, Any]:
        return {"trees": 5, "bags": 4}

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"steps": Int(5, 100, log=True)}


def greedy_weights(inside: np.ndarray, labels: np.ndarray, steps: int) -> np.ndarray:
    """Shares of each model in the ensemble that greedy selection finds; equal ones where no row was judged.

    Args:
        inside: out-of-fold answers; rows with NaN are left out.
        labels: of the rows.
        steps: models added at most.

    Returns:
        (models,), not negative, sum 1. Of equally good models the first is added.

    Shapes:
        inside: (models, M, C); labels: (M,).
    """
    judged = ~np.isnan(inside).any(axis=(0, 2))
    if not judged.any():
        return np.full(len(inside), 1.0 / len(inside))
    rows = np.flatnonzero(judged)
    own = inside[:, rows, labels[rows]]
    counts = np.zeros(len(inside))
    best, kept = np.inf, counts
    total = np.zeros(len(rows))
    for step in range(1, steps + 1):
        losses = -np.log(np.clip((total + own) / step, FLOOR, 1.0)).mean(axis=1)
        added = int(np.argmin(losses))
        counts = counts.copy()
        counts[added] += 1
        total += own[added]
        if losses[added] < best:
            best, kept = losses[added], counts
    return kept / kept.sum()


def bagged_weights(inside: np.ndarray, labels: np.ndarray, steps: int, bags: int, seed: int) -> np.ndarray:
    """Mean of the shares that greedy selection finds in random halves of the library. Shapes: as `greedy_weights`."""
    models = len(inside)
    if bags == 1:
        return greedy_weights(inside, labels, steps)
    rng = np.random.default_rng(seed)
    total = np.zeros(models)
    for _ in range(bags):
        half = np.sort(rng.permutation(models)[: -(-models // 2)])
        total[half] += greedy_weights(inside[half], labels, steps)
    return total / bags


def _library(data: MultiViewData, folds: InnerFolds, seed: int, trees: int) -> dict[str, Member]:
    prior = folds.frequencies
    constant = np.tile(prior, (len(folds.rows), 1))
    found = {"frequencies": Member(constant, lambda _, seen: np.tile(prior, (len(seen), 1)), prior.size)}
    observed = data.observed[folds.rows]
    train = {view: data.views[view][folds.rows] for view in data.view_names}
    settings = Settings()

    def logistic(name: str, x: np.ndarray, part: InnerFolds, columns: Callable[[Views], np.ndarray]) -> None:
        model = fit_logistic(x, part)
        found[name] = Member(
            model.out_of_fold, lambda views, _: model.answer(columns(views)), model.parameters
        )

    def machine(
        name: str,
        kernel: RadialKernel,
        part: InnerFolds,
        inputs: Callable[[Views, np.ndarray], tuple[list[np.ndarray], np.ndarray]],
    ) -> None:
        model = fit_machine("stacking", kernel, part, settings)
        found[name] = Member(
            model.out_of_fold, lambda views, seen: model.answer(*inputs(views, seen)), model.parameters
        )

    for v, view in enumerate(data.view_names):
        kept = observed[:, v]
        part = folds.restricted(kept)
        if len(part.seen) < 2:
            continue
        x, one = train[view][kept], np.ones((int(kept.sum()), 1), dtype=bool)
        logistic(f"{view}: logistic", x, part, itemgetter(view))
        machine(f"{view}: svm", RadialKernel([x], one), part, partial(_one_view, itemgetter(view)))
        for name in (f"{view}: logistic", f"{view}: svm"):
            found[name] = _where_observed(found[name], v, kept, folds)
    whole = side_by_side(train)
    logistic("logistic on all columns", whole, folds, side_by_side)
    ones = np.ones((len(whole), 1), dtype=bool)
    machine(
        "svm on all columns",
        RadialKernel([whole], ones),
        folds,
        partial(_one_view, side_by_side),
    )
    kernel = RadialKernel(list(train.values()), observed)
    machine(
        "svm on the sum of kernels",
        kernel,
        folds,
        lambda views, seen: ([views[n] for n in sorted(views)], seen),
    )
    forest = fit_forest(
        "stacking", with_gaps(train, observed), folds, seed, trees=trees, fold_trees=max(1, trees // 3)
    )
    found["trees on all columns"] = Member(
        forest.out_of_fold, lambda views, seen: forest.answer(with_gaps(views, seen)), forest.parameters
    )
    return found


def _one_view(
    columns: Callable[[Views], np.ndarray], views: Views, seen: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Columns as a single view that every row has; who lacks it is dealt with by `_where_observed`."""
    return [columns(views)], np.ones((len(seen), 1), dtype=bool)


def _where_observed(member: Member, v: int, kept: np.ndarray, folds: InnerFolds) -> Member:
    """Rows without the view are answered from the class frequencies. Shapes: kept (M,) bool."""
    frequencies = folds.frequencies
    inside = np.tile(frequencies, (len(kept), 1))
    # A row that this view's models judge in no fold says nothing for or against them.
    inside[kept] = np.where(np.isnan(member.inside), frequencies, member.inside)
    return Member(
        inside,
        lambda views, seen: np.where(seen[:, [v]], member.answer(views, seen), frequencies),
        member.parameters,
    )
