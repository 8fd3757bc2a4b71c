"""From Optuna's storage to plain values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from mvgraph.bench.environment import environment, versions
from mvgraph.tuning.driver import REASON, RESULT, SETTINGS, TRACEBACK
from mvgraph.tuning.record import StudyRecord, TrialRecord
from mvgraph.tuning.sampler import ABANDONED

_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
#: Complete trials from which on importances mean anything.
ENOUGH = 8
#: Trees of the forest behind importances; the usual 64 take seconds and say the same.
TREES = 24


def read_study(study: Study, spec: Mapping[str, Any], storage: str) -> StudyRecord:
    """The study and its trials that ended.

    Args:
        study: as Optuna holds it; spec: what identifies it; storage: its address, without a password.
    """
    figures = [name for name, _ in spec["figures"]]
    trials = read_trials(study)
    return StudyRecord(
        name=study.study_name,
        spec=dict(spec),
        trials=trials,
        best=best_of(trials, [direction for _, direction in spec["figures"]]),
        importances=_importances(study, figures, int(spec["seed"])),
        storage=storage,
        environment=environment(),
        versions={**versions(), "optuna": optuna.__version__},
    )


def read_trials(study: Study) -> list[TrialRecord]:
    """The trials that ended, by number."""
    return [_trial(trial) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def best_of(trials: list[TrialRecord], directions: list[str]) -> list[int]:
    """The best complete trial, or the Pareto front by the first figure; of equals the earliest.

    Args:
        trials: of the study; directions: minimize | maximize, one for each figure.
    """
    signs = [1.0 if direction == "minimize" else -1.0 for direction in directions]
    points = sorted(
        (tuple(sign * value for sign, value in zip(signs, t.values, strict=True)), t.number)
        for t in trials
        if t.state == "complete"
    )
    if len(signs) == 1:
        return [number for _, number in points[:1]]
    front: list[int] = []
    lowest = float("inf")
    for point, number in points:
        # In the order of the first figure, a point is on the front if no earlier one is as good in the second.
        if point[1] < lowest:
            front.append(number)
            lowest = point[1]
    return front


def _trial(trial: FrozenTrial) -> TrialRecord:
    notes = trial.user_attrs
    result = notes.get(RESULT) or {}
    splits = list(result.get("splits", ()))
    means = {name: float(np.mean([s[name] for s in splits])) for name in ("log_loss", "accuracy") if splits}
    return TrialRecord(
        number=trial.number,
        state="abandoned" if ABANDONED in notes else _STATES[trial.state],
        params=dict(sorted(trial.params.items())),
        settings=notes.get(SETTINGS),
        values=list(trial.values) if trial.state == TrialState.COMPLETE else [],
        means=means,
        splits=splits,
        curve=[list(point) for point in result.get("curve", ())],
        parameters=int(result.get("parameters", 0)),
        seconds=float(result.get("seconds", 0.0)),
        fit_seconds=float(result.get("fit_seconds", 0.0)),
        started=trial.datetime_start.isoformat() if trial.datetime_start else None,
        finished=trial.datetime_complete.isoformat() if trial.datetime_complete else None,
        reason=notes.get(REASON),
        traceback=notes.get(TRACEBACK),
    )


def _importances(study: Study, figures: list[str], seed: int) -> dict[str, dict[str, float]]:
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    found = {}
    for index, name in enumerate(figures):
        values = [trial.values[index] for trial in complete]
        if len(values) < ENOUGH or max(values) == min(values):
            continue
        shares = optuna.importance.get_param_importances(
            study,
            evaluator=optuna.importance.FanovaImportanceEvaluator(seed=seed, n_trees=TREES),
            target=partial(_value, index),
        )
        found[name] = {key: float(value) for key, value in shares.items()}
    return found


def _value(index: int, trial: FrozenTrial) -> float:
    return float(trial.values[index])
