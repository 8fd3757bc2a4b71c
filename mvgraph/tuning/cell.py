"""The search inside a cell of a suite: in memory, on the training and validation rows of the cell's split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.tuning.driver import Driver
from mvgraph.tuning.prepare import make_task, resolve
from mvgraph.tuning.progress import Silent
from mvgraph.tuning.reading import best_of, read_trials
from mvgraph.tuning.space import Settings
from mvgraph.tuning.storage import quiet
from mvgraph.tuning.study import open_study
from mvgraph.tuning.workshop import Workshop


def choose(
    method: str, data: MultiViewData, split: Split, base: Mapping[str, Any], tune: Mapping[str, Any]
) -> dict[str, Any]:
    """Search settings for one fit.

    The search depends on the labels of training and validation rows alone, and not on the fit's own seed.

    Args:
        method: its text; data: N samples, unscaled; split: of the cell.
        base: options, training, graph and scaling to start from, every default written out.
        tune: trials, inner, objective, seed, selection, and the `fixed` names that are not searched.

    Returns:
        JSON values: `chosen` settings, `value` of the objective for them and `start` for those it began with,
        counts of trials by state, and the number of the `trial` that was chosen.

    Raises:
        UserError: no trial was complete.
        TimeLimit, MemoryLimit: of the cell.
    """
    given = {name: values for name, values in base.items() if values is not None}
    task = make_task(
        resolve(method, given),
        data,
        split,
        fixed=tune["fixed"],
        inner=tune["inner"],
        objective=tune["objective"],
        selection=tune["selection"],
        seed=tune["seed"],
        base=Settings.from_json(base),
    )
    with quiet():
        study = open_study("cell", optuna.storages.InMemoryStorage(), task)
        driver = Driver(study, task, Workshop(task.data))
        driver.run(tune["trials"], None, Silent())
        trials = read_trials(study)
    best = best_of(trials, [direction for _, direction in task.figures])
    if not best:
        reasons = [trial.reason for trial in trials if trial.reason]
        raise UserError(
            f"No trial of the search was complete; the last one: {reasons[-1] if reasons else 'pruned'}"
        )
    winner = trials[best[0]]
    assert winner.settings is not None
    start = task.space.params_of(task.base)
    return {
        "chosen": winner.settings,
        "trial": winner.number,
        "objective": tune["objective"],
        "value": winner.values[0],
        "start": trials[0].values[0] if start is not None and trials[0].values else None,
        "trials": {
            state: sum(t.state == state for t in trials) for state in ("complete", "pruned", "failed")
        },
        "space": list(task.space.ranges),
    }
