"""One trial: averages over inner splits, the curve the pruner sees, and what trials share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tuning_data import SHORT

from mvgraph.data import MultiViewData, Split, scale_views
from mvgraph.errors import UserError
from mvgraph.graph import build_graph
from mvgraph.training import fit
from mvgraph.tuning.objective import RUNGS, Progressed, Pruned, Task, evaluate
from mvgraph.tuning.prepare import make_task, resolve
from mvgraph.tuning.workshop import Workshop


def task_of(data: MultiViewData, split: Split, method: str = "dm-gcn", **more: Any) -> Task:
    settings = SHORT if method == "dm-gcn" else {}
    given = {"inner": 2, "objective": "log-loss", "selection": "last", "seed": 0, **more}
    return make_task(resolve(method, settings), data, split, **given)


@pytest.mark.parametrize("selection", ["last", "validation"])
def test_a_trial_is_the_mean_over_fits_made_by_hand(
    data: MultiViewData, split: Split, selection: str
) -> None:
    task = task_of(data, split, selection=selection)
    found = Progressed()
    means = evaluate(task, Workshop(task.data), task.base, found)
    losses, rights = [], []
    for inner in task.inner:
        scaled = scale_views(task.data, "zscore")
        result = fit(
            "dm-gcn",
            scaled,
            inner,
            build_graph(scaled, k=10),
            options=task.base.options,
            training=task.base.training,
        )
        p = result.selections[selection].probabilities[inner.validation].astype(np.float64)
        p /= p.sum(1, keepdims=True)
        truth = data.labels[inner.validation]
        losses.append(-np.log(p[np.arange(len(truth)), truth]).mean())
        rights.append((p.argmax(1) == truth).mean())
    assert means["log_loss"] == pytest.approx(np.mean(losses), rel=1e-6)
    assert means["accuracy"] == pytest.approx(np.mean(rights))
    assert found.parameters > 0
    assert [s["epoch"] for s in found.splits] == (
        [6, 6] if selection == "last" else [s["epoch"] for s in found.splits]
    )


def test_the_curve_has_ever_higher_steps_and_ends_in_the_means(data: MultiViewData, split: Split) -> None:
    task = task_of(data, split)
    seen: list[tuple[int, dict[str, float]]] = []

    def report(step: int, figures: dict[str, float]) -> bool:
        seen.append((step, figures))
        return False

    found = Progressed()
    means = evaluate(task, Workshop(task.data), task.base, found, report)
    steps = [step for step, _ in seen]
    assert steps == sorted(set(steps))
    assert steps[-1] == 2 * RUNGS
    assert RUNGS in steps
    assert seen[-1][1] == means
    assert [point[0] for point in found.curve] == steps
    assert len(steps) <= 2 * RUNGS


def test_an_estimator_reports_once_an_inner_split(data: MultiViewData, split: Split) -> None:
    task = task_of(data, split, "concat-logreg")
    steps: list[int] = []
    evaluate(task, Workshop(task.data), task.base, Progressed(), lambda step, _: bool(steps.append(step)))
    assert steps == [RUNGS, 2 * RUNGS]


def test_giving_up_ends_the_fit_and_keeps_what_was_found(data: MultiViewData, split: Split) -> None:
    task = task_of(data, split)
    found = Progressed()
    with pytest.raises(Pruned):
        evaluate(task, Workshop(task.data), task.base, found, lambda step, _: step > RUNGS)
    assert len(found.splits) == 1
    assert found.curve[-1][0] > RUNGS
    assert found.fit_seconds > 0


def test_a_graph_is_built_once_per_setting(data: MultiViewData, split: Split) -> None:
    task = task_of(data, split)
    workshop = Workshop(task.data)
    for k in (4, 5, 4, 5, 4):
        for dropout in (0.1, 0.2):
            graph = {**(task.base.graph or {}), "k": k}
            options = {**task.base.options, "dropout": dropout}
            evaluate(task, workshop, replace(task.base, graph=graph, options=options), Progressed())
    assert sorted(workshop.built.values()) == [1, 1]


def test_the_workshop_stays_within_its_bound(data: MultiViewData, split: Split) -> None:
    task = task_of(data, split)
    small = Workshop(task.data, keep_mib=0.1)
    scaling, graph = task.base.scaling, task.base.graph or {}
    for k in (3, 4, 5, 6, 7, 3):
        small.graph(scaling, task.inner[0], {**graph, "k": k})
        assert small.held_mib <= 0.1 or len(small._held) == 1
    assert max(small.built.values()) == 2, "k = 3 had to go, and was built anew"


def test_scaling_by_training_rows_is_per_inner_split(data: MultiViewData, split: Split) -> None:
    task = task_of(data, split)
    workshop = Workshop(task.data)
    first, second = (workshop.scaled({"kind": "zscore", "scope": "train"}, inner) for inner in task.inner)
    assert (first.views["near"] != second.views["near"]).any()
    one, other = (workshop.scaled({"kind": "zscore", "scope": "all"}, inner) for inner in task.inner)
    assert one is other
    assert workshop.scaled({"kind": "none", "scope": "all"}, task.inner[0]) is task.data


@pytest.mark.parametrize("wrong", [{"objective": "f1"}, {"selection": "oracle"}])
def test_wrong_words_are_refused(data: MultiViewData, split: Split, wrong: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"give (one of )?l"):
        task_of(data, split, **wrong)
