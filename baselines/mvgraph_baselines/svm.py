"""Support vector machines over a radial kernel, their settings and calibration from inner cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sklearn
from sklearn.svm import SVC

from mvgraph.errors import UserError
from mvgraph_baselines.inner_cv import InnerFolds, fit_temperature, log_loss, tempered
from mvgraph_baselines.radial import RadialKernel

#: Penalties tried, scikit-learn's C.
COSTS = (1.0, 10.0, 100.0)
#: Gammas tried, in units of 1 / mean squared distance between training rows.
GAMMAS = (0.3, 1.0, 3.0)
#: Settings are chosen on so many training rows at most.
CHOOSING = 2000


@dataclass(frozen=True)
class Settings:
    """What a machine is fitted with; None chooses by cross-validation inside the training rows.

    Args:
        cost: penalty of a row on the wrong side, scikit-learn's C.
        gamma: of the kernel, in units of 1 / mean squared distance.
        temperature: divides the scores.
        memory_mib: refuse kernels that take more.
    """

    cost: float | None = None
    gamma: float | None = None
    temperature: float | None = None
    memory_mib: float = 4096

    def check(self, method: str) -> None:
        """Refuse what is not positive.

        Raises:
            UserError: an option that is not.
        """
        for name in ("cost", "gamma", "temperature", "memory_mib"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UserError(f"{method}: {name}={value}; give a positive number, e.g. 1.0.")


@dataclass(frozen=True)
class Machine:
    """A fitted machine.

    Args:
        model: scikit-learn's, every class against every other, over a precomputed kernel.
        kernel: of the training rows.
        folds: the training rows.
        settings: those chosen or given.
        out_of_fold: answers to the training rows from machines fitted without them; NaN where there are none.

    Shapes:
        out_of_fold: (M, C).
    """

    model: SVC
    kernel: RadialKernel
    folds: InnerFolds
    settings: Settings
    out_of_fold: np.ndarray

    def answer(self, views: Sequence[np.ndarray], observed: np.ndarray) -> np.ndarray:
        """Class probabilities. Shapes: views[v] (N, d_v); observed (N, V) -> (N, C)."""
        assert self.settings.gamma is not None
        assert self.settings.temperature is not None
        found = np.empty((len(observed), self.folds.n_classes))
        for part, table in self.kernel.to(views, observed, self.settings.gamma):
            scores = _scores(self.model, table, self.folds.n_classes)
            found[part] = tempered(scores, self.settings.temperature, self.folds.seen)
        return found

    @property
    def parameters(self) -> int:
        """Dual coefficients and intercepts."""
        return int(self.model.dual_coef_.size + self.model.intercept_.size)

    @property
    def chosen(self) -> dict[str, float | None]:
        """Settings, JSON-able."""
        return {name: getattr(self.settings, name) for name in ("cost", "gamma", "temperature")}


def fit_machine(method: str, kernel: RadialKernel, folds: InnerFolds, wanted: Settings) -> Machine:
    """Fit on the training rows.

    A row's score of a class is the sum of the values that the machines of this class against each other one
    give; probabilities are the softmax of the scores over a temperature. Of all costs and gammas those with the
    lowest log-loss of calibrated out-of-fold answers are taken.

    Raises:
        UserError: training rows of one class only, or more of them than memory allows.
    """
    if len(folds.seen) < 2:
        raise UserError(f"{method} needs training rows of at least two classes.")
    kernel.check_memory(method, wanted.memory_mib)
    few = _evenly(folds)
    # The rows were looked at when the data was made; hundreds of small fits need not look again.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        settings, inside = _choose(kernel.among(few), folds.restricted(few), wanted)
    out_of_fold = np.full((len(folds.rows), folds.n_classes), np.nan)
    out_of_fold[few] = inside
    assert settings.cost is not None
    assert settings.gamma is not None
    own = kernel.table(kernel.squared(kernel.views, kernel.observed), kernel.observed, settings.gamma)
    model = _machine(settings.cost).fit(own, folds.labels)
    return Machine(model, kernel, folds, settings, out_of_fold)


def _evenly(folds: InnerFolds) -> np.ndarray:
    """At most CHOOSING rows, as many of each fold and class as there are in proportion. Shapes: (M,) bool."""
    kept = np.zeros(len(folds.rows), dtype=bool)
    order = np.lexsort((folds.labels, folds.number))
    kept[order[:: -(-len(order) // CHOOSING)]] = True
    return kept


def _choose(kernel: RadialKernel, folds: InnerFolds, wanted: Settings) -> tuple[Settings, np.ndarray]:
    costs = COSTS if wanted.cost is None else (wanted.cost,)
    gammas = GAMMAS if wanted.gamma is None else (wanted.gamma,)
    # Without folds nothing can be compared: the middle is neither extreme.
    settings = Settings(costs[len(costs) // 2], gammas[len(gammas) // 2], wanted.temperature or 1.0)
    best, kept = np.inf, np.full((len(folds.rows), folds.n_classes), np.nan)
    squared = kernel.squared(kernel.views, kernel.observed)
    for gamma in gammas:
        table = kernel.table(squared, kernel.observed, gamma)
        for cost, scores in _out_of_fold(table, folds, costs).items():
            heat = wanted.temperature or fit_temperature(scores, folds.labels, folds.seen)
            found = tempered(scores, heat, folds.seen)
            loss = log_loss(found, folds.labels)
            if loss < best:
                best, kept, settings = loss, found, Settings(cost, gamma, heat)
    return settings, kept


def _out_of_fold(kernel: np.ndarray, folds: InnerFolds, costs: tuple[float, ...]) -> dict[float, np.ndarray]:
    """Scores (M, C) of every cost."""
    scores = {cost: np.full((len(folds.rows), folds.n_classes), np.nan) for cost in costs}
    for fitted, judged in folds.parts:
        own, other = kernel[np.ix_(fitted, fitted)], kernel[np.ix_(judged, fitted)]
        for cost in costs:
            model = _machine(cost).fit(own, folds.labels[fitted])
            scores[cost][judged] = _scores(model, other, folds.n_classes)
    return scores


def _machine(cost: float) -> SVC:
    # The state is not used, but without one libsvm's seed is drawn from the global generator.
    return SVC(C=cost, kernel="precomputed", decision_function_shape="ovo", tol=1e-4, random_state=0)


def _scores(model: SVC, kernel: np.ndarray, n_classes: int) -> np.ndarray:
    """Sum of each class's values against the others; 0 for a class without training rows. Shapes: (N, C)."""
    values = model.decision_function(kernel)
    classes = model.classes_
    scores = np.zeros((len(kernel), n_classes))
    if len(classes) == 2:
        scores[:, classes[1]] = values
        return scores
    first, second = np.triu_indices(len(classes), 1)
    for pair, (i, j) in enumerate(zip(classes[first], classes[second], strict=True)):
        scores[:, i] += values[:, pair]
        scores[:, j] -= values[:, pair]
    return scores
