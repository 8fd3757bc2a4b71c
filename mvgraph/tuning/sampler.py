"""TPE that gives the same trials again after a break, although no storage keeps a sampler's state.

Every trial gets a sampler of its own, seeded by (study seed, number of finished trials, number of running trials
before it): all of them facts of the storage. A study that was killed goes on as if it had not been. What a seed is
made of is marked at its trial, and a later trial that finds its own mark at an earlier one takes the next: workers
that ask at the same moment, and read the storage while others write, do not draw the same point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

#: Trials drawn at random before the estimator has something to go by.
STARTUP = 10
#: User attribute of a trial that was broken off and does not count.
ABANDONED = "mvgraph:abandoned"
#: System attribute of a trial: what its seed is made of.
DRAW = "mvgraph:draw"


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial is over and was not merely broken off with its driver."""
    return trial.state.is_finished() and ABANDONED not in trial.user_attrs


def trial_seed(study_seed: int, finished: int, running_before: int) -> int:
    """The seed of one trial's sampler."""
    return int(np.random.SeedSequence([study_seed, finished, running_before]).generate_state(1)[0])


def _draws(trials: Sequence[FrozenTrial], trial: FrozenTrial, earlier_only: bool) -> set[tuple[int, int]]:
    """Marks of the other trials, or of those with lower numbers; a trial that was broken off has none."""
    return {
        tuple(other.system_attrs[DRAW])
        for other in trials
        if DRAW in other.system_attrs
        and ABANDONED not in other.user_attrs
        and other.number != trial.number
        and (other.number < trial.number or not earlier_only)
    }


def _claimed(study: Study, trial: FrozenTrial, finished: int, before: int) -> int:
    """Mark a draw at the trial; of two that marked the same at once, the later trial takes the next."""
    while True:
        study._storage.set_trial_system_attr(trial._trial_id, DRAW, [finished, before])
        if (finished, before) not in _draws(study.get_trials(deepcopy=False), trial, earlier_only=True):
            return before
        before += 1


class SeededTPE(BaseSampler):
    """A fresh, seeded TPE sampler for each trial.

    Args:
        seed: of the study.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made: tuple[int, TPESampler] | None = None

    def _sampler(self, study: Study, trial: FrozenTrial) -> TPESampler:
        if self._made is None or self._made[0] != trial.number:
            trials = study.get_trials(deepcopy=False)
            finished = sum(counts(other) for other in trials)
            before = sum(
                other.state == TrialState.RUNNING and other.number < trial.number for other in trials
            )
            while (finished, before) in _draws(trials, trial, earlier_only=False):
                before += 1
            before = _claimed(study, trial, finished, before)
            seed = trial_seed(self._seed, finished, before)
            self._made = (trial.number, TPESampler(seed=seed, n_startup_trials=STARTUP))
        return self._made[1]

    def reseed_rng(self) -> None:
        """Nothing to do: the seed of a trial is a fact of the storage."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The ranges that are drawn jointly."""
        return self._sampler(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A joint draw."""
        return self._sampler(study, trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A draw of one value."""
        return self._sampler(study, trial).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Called by Optuna when a trial is told."""
        self._sampler(study, trial).after_trial(study, trial, state, values)
