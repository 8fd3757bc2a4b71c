"""A search from its first trial to its suite file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odd_methods import Interrupted
from tuning_data import SHORT, make_data

from mvgraph.bench import Ledger, run_suite
from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.tuning import StudyRecord, read_record, tune
from mvgraph.tuning.reading import best_of
from mvgraph.tuning.record import TrialRecord

NEAREST = "odd_methods:Nearest"


def points(record: StudyRecord) -> list[tuple[str, dict[str, Any], list[float]]]:
    """What trials were and gave, those broken off left out."""
    return [(t.state, t.params, t.values) for t in record.trials if t.state != "abandoned"]


def test_a_search_finds_better_settings_and_says_how(path: Path, still: dict[str, Any]) -> None:
    summary = tune(NEAREST, path, trials=25, rate=0.4, out="study", **still)
    record = summary.record
    assert read_record("study") == record
    assert len(record.trials) == summary.ran == 25
    assert record.trials[0].params == {"options.temperature": 1.0, "scaling.kind": "zscore"}
    best = record.trial(record.best[0])
    complete = record.of_state("complete")
    assert best.values[0] == min(t.values[0] for t in complete) < 0.9 * record.trials[0].values[0]
    assert best.values[0] == pytest.approx(np.mean([s["log_loss"] for s in best.splits]))
    assert len(best.splits) == 3
    assert (
        record.importances["log_loss"]["options.temperature"] > record.importances["log_loss"]["scaling.kind"]
    )
    assert "25 run in" in summary.sentence()
    assert 0 <= summary.overhead <= 1


def test_the_best_configuration_is_a_suite_that_runs(path: Path, still: dict[str, Any]) -> None:
    summary = tune("dm-gcn", path, trials=4, rate=0.4, settings=SHORT, **still)
    assert summary.folder == Path("runs/tune-dm-gcn-tiny")
    assert summary.suite is not None
    done = run_suite(summary.suite, "run", mirror=False, progress="none")
    assert done.failed == 0
    with Ledger("run/ledger.sqlite") as ledger:
        cells = [record["cell"] for record in ledger.records()]
    assert {cell["label"] for cell in cells} == {"dm-gcn", "dm-gcn-tuned"}
    settings = summary.record.trial(summary.record.best[0]).settings
    assert settings is not None
    tuned = next(cell for cell in cells if cell["label"] == "dm-gcn-tuned")
    for group in ("training", "graph", "scaling", "options"):
        assert tuned[group] == settings[group]
    assert {cell["split"]["hash"] for cell in cells} == {summary.record.spec["split"]["hash"]}
    assert tuned["training"]["epochs"] == 6, "what was given is kept"


def test_poisoned_test_labels_change_no_trial(
    data: MultiViewData, split: Split, still: dict[str, Any]
) -> None:
    labels = np.array(data.labels)
    labels[split.test] = (labels[split.test] + 1) % 3
    views = {name: data.views[name] for name in data.view_names}
    poisoned = MultiViewData.from_arrays(views, labels, ids=data.ids, groups=data.groups, card=data.card)
    found = []
    for name, each in (("clean", data), ("poisoned", poisoned)):
        summary = tune(
            "dm-gcn",
            each,
            split=split,
            trials=8,
            inner=2,
            settings=SHORT,
            objective="both",
            out=name,
            **still,
        )
        found.append(summary.record)
    clean, other = found
    assert points(clean) == points(other)
    assert [t.curve for t in clean.trials] == [t.curve for t in other.trials]
    assert clean.best == other.best
    assert clean.spec == other.spec, "the study cannot even tell the two apart"


def test_unseen_rows_are_not_even_there(
    data: MultiViewData, split: Split, still: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fit of a search sees data without a label, and a split without a row, to test on."""
    from mvgraph.tuning import objective

    seen = []
    real = objective.fit

    def spy(method: Any, given: MultiViewData, inner: Any, *rest: Any, **more: Any) -> Any:
        seen.append((np.array(given.labels), inner.test.size))
        return real(method, given, inner, *rest, **more)

    monkeypatch.setattr(objective, "fit", spy)
    tune(NEAREST, data, split=split, trials=3, out="study", **still)
    assert len(seen) == 9
    for labels, size in seen:
        assert size == 0
        assert (labels[split.test] == -1).all()


def test_going_on_is_the_same_as_never_having_stopped(path: Path, still: dict[str, Any]) -> None:
    whole = tune(NEAREST, path, trials=16, rate=0.4, out="whole", **still).record
    for trials in (3, 11, 16):
        parts = tune(NEAREST, path, trials=trials, rate=0.4, out="parts", **still)
    assert parts.ran == 5
    assert points(parts.record) == points(whole)
    again = tune(NEAREST, path, trials=16, rate=0.4, out="parts", **still)
    assert again.ran == 0
    assert points(again.record) == points(whole)
    other = tune(NEAREST, path, trials=16, rate=0.4, seed=1, out="other", **still).record
    assert points(other)[1:] != points(whole)[1:]


def test_ctrl_c_gives_the_trial_in_hand_back(path: Path, still: dict[str, Any]) -> None:
    Interrupted.calls = 0
    with pytest.raises(KeyboardInterrupt):
        tune("odd_methods:Interrupted", path, trials=5, inner=1, rate=0.4, out="study", **still)
    assert [t.state for t in read_record("study").trials] == ["complete"] * 3 + ["abandoned"]
    record = tune("odd_methods:Interrupted", path, trials=5, inner=1, rate=0.4, out="study", **still).record
    assert [t.state for t in record.trials] == ["complete"] * 3 + ["abandoned"] + ["complete"] * 2
    assert record.trials[4].params == record.trials[3].params
    whole = tune(NEAREST, path, trials=5, inner=1, rate=0.4, out="whole", **still).record
    assert points(record) == points(whole)


def test_failed_trials_are_recorded_and_the_study_goes_on(path: Path, still: dict[str, Any]) -> None:
    record = tune("odd_methods:Moody", path, trials=14, rate=0.4, out="study", **still).record
    failed = record.of_state("failed")
    assert len(record.trials) == 14
    assert failed
    assert record.of_state("complete")
    assert {t.params["options.temperature"] > 3 for t in failed} == {True}
    assert failed[0].reason is not None
    assert failed[0].reason.startswith("ArithmeticError: too hot")
    assert "odd_methods.py" in (failed[0].traceback or "")
    assert record.best


def test_a_study_without_a_complete_trial_has_no_best(path: Path, still: dict[str, Any]) -> None:
    summary = tune("odd_methods:Hopeless", path, trials=3, rate=0.4, out="study", **{**still, "report": True})
    assert [t.state for t in summary.record.trials] == ["failed"] * 3
    assert summary.suite is None
    assert summary.report is not None
    assert any("No trial is complete" in note for note in summary.notes)


def test_both_objectives_give_a_pareto_front(path: Path, still: dict[str, Any]) -> None:
    record = tune(NEAREST, path, trials=15, rate=0.4, objective="both", out="study", **still).record
    assert not record.of_state("pruned")
    values = {t.number: t.values for t in record.of_state("complete")}
    for number in record.best:
        loss, accuracy = values[number]
        assert not any(
            other[0] <= loss and other[1] >= accuracy and other != [loss, accuracy]
            for other in values.values()
        )
    assert len({tuple(values[n]) for n in record.best}) == len(record.best)


def test_bad_trials_are_pruned_on_their_curve(path: Path, still: dict[str, Any]) -> None:
    settings = {"training": {"epochs": 20, "evaluate_every": 1}, "options": {"hidden": [16, 8]}}
    record = tune("dm-gcn", path, trials=20, rate=0.4, settings=settings, out="study", **still).record
    pruned = record.of_state("pruned")
    assert pruned
    assert min(t.number for t in pruned) >= 5
    assert all(len(t.splits) < 3 and t.curve for t in pruned)


def test_nodes_numbered_for_locality_change_no_figure(
    data: MultiViewData, split: Split, still: dict[str, Any]
) -> None:
    found = []
    for reorder in (False, True):
        settings = {**SHORT, "training": {**SHORT["training"], "reorder": reorder}}
        options = {"split": split, "trials": 1, "inner": 2, "settings": settings, "out": f"study{reorder}"}
        found.append(tune("dm-gcn", data, **options, **still).record.trials[0])
    assert found[1].state == "complete", found[1].reason
    assert found[1].values == pytest.approx(found[0].values, abs=0.05)


def trial(number: int, *values: float, state: str = "complete") -> TrialRecord:
    return TrialRecord(number, state, {}, values=list(values))


def test_the_best_is_the_lowest_or_highest_and_the_earliest() -> None:
    trials = [trial(0, 2.0), trial(1, 1.0), trial(2, 1.0), trial(3, state="failed")]
    assert best_of(trials, ["minimize"]) == [1]
    assert best_of(trials, ["maximize"]) == [0]
    assert best_of(trials[3:], ["minimize"]) == []
    both = [
        trial(0, 1.0, 0.5),
        trial(1, 2.0, 0.9),
        trial(2, 3.0, 0.8),
        trial(3, 1.0, 0.6),
        trial(4, 0.5, 0.1),
    ]
    assert best_of(both, ["minimize", "maximize"]) == [4, 3, 1]


def test_a_folder_keeps_to_its_search(path: Path, still: dict[str, Any]) -> None:
    tune(NEAREST, path, trials=1, rate=0.4, out="study", **still)
    with pytest.raises(UserError, match=r"study holds a search with another seed \(0 there, 1 here\)"):
        tune(NEAREST, path, trials=2, rate=0.4, seed=1, out="study", **still)
    with pytest.raises(UserError, match="another objective"):
        tune(NEAREST, path, trials=2, rate=0.4, objective="accuracy", out="study", **still)
    with pytest.raises(UserError, match="another data"):
        tune(NEAREST, make_data(seed=1), trials=2, rate=0.4, out="study", **still)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"trials": 0}, "trials is 0"),
        ({"timeout": 0.0}, "timeout is 0"),
        ({"inner": 0}, "at least 1 inner split"),
        ({"objective": "f1"}, "objective is 'f1'"),
        ({"settings": {"graphs": {"k": 3}}}, "no settings 'graphs'"),
        ({"settings": {"options": {"temprature": 3}}}, "did you mean 'temperature'"),
        ({"rate": 0.1, "splits": {"rate": 0.2}}, "rate or splits"),
        ({"storage": "mongodb://here/there"}, "give postgresql://"),
        ({"storage": "nonsense"}, "give postgresql://"),
        ({"views": ["nowhere"]}, "no view 'nowhere'"),
    ],
)
def test_mistakes_are_told_in_one_sentence(
    path: Path, still: dict[str, Any], wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        tune(NEAREST, path, **{**still, "out": "study", **wrong})


def test_after_the_timeout_no_trial_begins(path: Path, still: dict[str, Any]) -> None:
    summary = tune(NEAREST, path, trials=10_000, rate=0.4, timeout=1.0, out="study", **still)
    assert 0 < summary.ran < 10_000
    assert summary.seconds < 10


def test_plain_progress_counts_what_was_done_before(
    path: Path, still: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    tune(NEAREST, path, trials=2, rate=0.4, out="study", **{**still, "progress": "plain"})
    tune(NEAREST, path, trials=3, rate=0.4, out="study", **{**still, "progress": "plain"})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("[1/3]".replace("3", "2") + " trial 0: complete in")
    assert lines[2] == "2 of 3 trials are done already."
    assert lines[3].startswith("[3/3] trial 2: complete in")
