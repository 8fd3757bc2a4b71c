"""Two workers never draw one point, even when one of them reads the storage before the other has written."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from mvgraph.tuning.sampler import DRAW, SeededTPE
from mvgraph.tuning.storage import quiet

RANGES = {"x": optuna.distributions.FloatDistribution(0.0, 1.0)}


def test_a_worker_that_read_too_early_takes_the_next_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    with quiet():
        study = optuna.create_study(sampler=SeededTPE(0))
        first = study.ask(RANGES)
        late = optuna.load_study(study_name=study.study_name, storage=study._storage, sampler=SeededTPE(0))
        whole, reads = late.get_trials, []

        def early_at_first(**keys: Any) -> list[optuna.trial.FrozenTrial]:
            reads.append(keys)
            return [] if len(reads) == 1 else whole(**keys)

        monkeypatch.setattr(late, "get_trials", early_at_first)
        second = late.ask(RANGES)
    marks = [trial.system_attrs[DRAW] for trial in study.get_trials()]
    assert marks == [[0, 0], [0, 1]]
    assert first.params != second.params


def test_draws_of_one_worker_are_as_before() -> None:
    with quiet():
        study = optuna.create_study(sampler=SeededTPE(3))
        for value in (1.0, 0.5, 0.7):
            study.tell(study.ask(RANGES), value)
    assert [trial.system_attrs[DRAW] for trial in study.get_trials()] == [[0, 0], [1, 0], [2, 0]]
