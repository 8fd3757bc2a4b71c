"""The leaderboard against a slow reference: plain loops over the records, no helper of the room."""

from __future__ import annotations

import math

import pytest
import report_runs
from report_runs import record

from mvgraph.report.compare import controls, verdicts
from mvgraph.report.differences import difference
from mvgraph.report.ranking import MEASURES
from mvgraph.report.scores import spread
from mvgraph.report.snapshot import Snapshot
from mvgraph.report.tables import leaderboard, settings


def slow_mean(values: list[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


def slow_deviation(values: list[float]) -> float:
    centre = slow_mean(values)
    return math.sqrt(sum((v - centre) ** 2 for v in values) / (len(values) - 1))


def slow_figures(
    snapshot: Snapshot, label: str, metric: str, selection: str = "last"
) -> tuple[float, float, float]:
    per_split: dict[int, list[float]] = {}
    for done in snapshot.records:
        if done["cell"]["label"] == label:
            value = done["metrics"][selection]["test"][metric]
            per_split.setdefault(done["cell"]["split"]["index"], []).append(value)
    means = [slow_mean(v) for v in per_split.values()]
    within = [slow_deviation(v) for v in per_split.values() if len(v) > 1]
    return slow_mean(means), slow_deviation(means), slow_mean(within)


@pytest.mark.parametrize("selection", ["last", "validation"])
def test_the_leaderboard_equals_the_slow_reference(snapshot: Snapshot, selection: str) -> None:
    (setting,) = settings(snapshot)
    rows = leaderboard(setting, selection)
    assert len(rows) == len(report_runs.STRENGTH)
    for row in rows:
        mean, split, init = slow_figures(snapshot, row.label, "accuracy", selection)
        assert row.accuracy.mean == pytest.approx(mean, abs=1e-12)
        assert row.accuracy.split == pytest.approx(split, abs=1e-12)
        assert row.accuracy.init == pytest.approx(init, abs=1e-12)
        for metric in ("macro_f1", "log_loss", "brier", "ece"):
            expected = slow_figures(snapshot, row.label, metric, selection)[0]
            assert row.metrics[metric] == pytest.approx(expected, abs=1e-12)
        for rule in ("last", "validation"):
            expected = slow_figures(snapshot, row.label, "accuracy", rule)[0]
            assert row.selections[rule] == pytest.approx(expected, abs=1e-12)
        own = [r for r in snapshot.records if r["cell"]["label"] == row.label]
        assert row.selections["oracle"] == pytest.approx(
            slow_mean([r["metrics"]["oracle"]["test"]["accuracy"] for r in own]), abs=1e-12
        )
        assert row.seconds["training"] == pytest.approx(slow_mean([r["seconds"]["training"] for r in own]))
        assert row.parameters == own[0]["parameters"]
        assert row.memory == {"host": 310.5, "device": None}
        assert (row.done, row.planned, row.failed) == (6, 6, 0)


@pytest.mark.parametrize("name", list(MEASURES))
def test_every_figure_that_can_rank_ranks_by_its_own_sense(snapshot: Snapshot, name: str) -> None:
    (setting,) = settings(snapshot)
    measure = MEASURES[name]
    rows = leaderboard(setting, "last", measure)
    means = {row.label: slow_figures(snapshot, row.label, measure.key) for row in rows}
    reference = means["concat-logreg"][0]
    for row in rows:
        mean, split, init = means[row.label]
        assert (row.score.mean, row.score.split, row.score.init) == (
            pytest.approx(mean, abs=1e-12),
            pytest.approx(split, abs=1e-12),
            pytest.approx(init, abs=1e-12),
        )
        better = [
            m for m, _, _ in means.values() if (m < mean - 1e-11 if name == "log-loss" else m > mean + 1e-11)
        ]
        assert row.rank == 1 + len(better)
        if row.label != "concat-logreg":
            assert row.gap is not None
            assert row.gap.mean == pytest.approx(mean - reference, abs=1e-12)
    assert [row.rank for row in rows] == sorted(row.rank for row in rows if row.rank is not None)


def test_a_lower_log_loss_is_ahead() -> None:
    losses = {"dm-gcn": 0.1, "concat-logreg": 0.3}
    records = [
        record(label, i, 0.9, sizes=(90, 10), log_loss=loss + SPREAD[i] * (label == "dm-gcn"))
        for label, loss in losses.items()
        for i in range(5)
    ]
    (setting,) = settings(Snapshot(suite={}, records=records))
    (found,) = verdicts(setting, leaderboard(setting, "last", MEASURES["log-loss"]))
    assert found.difference.verdict == "ahead"
    assert found.difference.wins == 5
    assert found.sentence.startswith(
        "dm-gcn beats concat-logreg on mfeat, by log-loss: −0.200 nat, 95 % interval −0.2"
    )


def test_a_figure_that_records_lack_ranks_nobody() -> None:
    records = [record("a", 0, 0.9), record("b", 0, 0.8, macro_f1=0.7)]
    (setting,) = settings(Snapshot(suite={}, records=records))
    rows = leaderboard(setting, "last", MEASURES["macro-f1"])
    assert [(r.label, r.rank) for r in rows] == [("b", 1), ("a", None)]


def test_ranks_follow_the_mean_and_never_the_oracle(snapshot: Snapshot) -> None:
    (setting,) = settings(snapshot)
    rows = leaderboard(setting, "last")
    assert [r.rank for r in rows] == sorted(r.rank for r in rows if r.rank is not None)
    for row in rows:
        assert row.rank == 1 + sum(other.accuracy.mean > row.accuracy.mean for other in rows)
        assert not row.provisional


def test_equal_means_share_a_rank() -> None:
    records = [record("a", 0, 0.9), record("b", 0, 0.9), record("c", 0, 0.8)]
    (setting,) = settings(Snapshot(suite={}, records=records))
    assert [(r.label, r.rank) for r in leaderboard(setting, "last")] == [("a", 1), ("b", 1), ("c", 3)]


def test_unequal_numbers_of_seeds_do_not_weigh_a_split_more() -> None:
    records = [
        record("a", 0, 1.0),
        record("a", 0, 0.8, seed=1),
        record("a", 0, 0.9, seed=2),
        record("a", 1, 0.5),
    ]
    found = spread(records, "last")
    assert found.mean == pytest.approx(0.7)
    assert found.split == pytest.approx(math.sqrt(0.08))
    assert found.init == pytest.approx(0.1)


def test_one_split_and_one_seed_have_no_deviation() -> None:
    found = spread([record("a", 0, 0.9)], "last")
    assert (found.split, found.init) == (None, None)


def test_differences_are_paired_by_the_content_of_the_split() -> None:
    a = [record("a", 0, 0.9), record("a", 1, 0.8), record("a", 2, 0.7)]
    b = [record("b", 1, 0.9), record("b", 0, 0.8), record("b", 5, 0.1)]
    gap = difference(a, b, "last")
    assert gap is not None
    assert (gap.wins, gap.ties, gap.losses) == (1, 0, 1)
    assert gap.mean == pytest.approx(0.0)
    assert gap.verdict == "none"
    assert difference(a, [record("b", 9, 0.5)], "last") is None


SPREAD = (-0.01, -0.005, 0.0, 0.005, 0.01)


def against_baseline(
    mean: float, splits: int = 5, sizes: tuple[int, int] | None = (90, 10)
) -> list[dict[str, object]]:
    """dm-gcn around `mean`, logistic regression at 0.9."""
    return [
        *(record("dm-gcn", i, mean + SPREAD[i], sizes=sizes) for i in range(splits)),
        *(record("concat-logreg", i, 0.9, sizes=sizes) for i in range(splits)),
    ]


@pytest.mark.parametrize(
    ("mean", "verdict", "words", "interval"),
    [
        (0.95, "ahead", "beats", "+3.8 to +6.2"),
        (0.85, "behind", "does not beat", "−6.2 to −3.8"),
        (0.905, "level", "does not clearly beat", "−0.7 to +1.7"),
    ],
)
def test_the_verdict_says_in_words_who_does_not_beat_the_baseline(
    mean: float, verdict: str, words: str, interval: str
) -> None:
    (setting,) = settings(Snapshot(suite={}, records=against_baseline(mean)))
    (found,) = verdicts(setting, leaderboard(setting, "last"))
    # By hand: deviation of SPREAD, 1/5 + 10/90, Student's t of 4 degrees of freedom.
    half = 2.7764451 * slow_deviation(list(SPREAD)) * math.sqrt(1 / 5 + 10 / 90)
    assert found.difference.test.high == pytest.approx(mean - 0.9 + half, abs=1e-8)
    assert found.difference.verdict == verdict
    assert found.sentence.startswith(f"dm-gcn {words} concat-logreg on mfeat: ")
    assert f"95 % interval {interval} (" in found.sentence
    assert "5 splits, p" in found.sentence


@pytest.mark.parametrize(
    ("splits", "sizes", "reason"),
    [
        (1, (90, 10), "1 split: no verdict from fewer than 5"),
        (4, (90, 10), "4 splits: no verdict from fewer than 5"),
        (5, None, "no verdict: the sizes of the splits were not recorded"),
    ],
)
def test_without_a_test_there_is_no_verdict_however_large_the_difference(
    splits: int, sizes: tuple[int, int] | None, reason: str
) -> None:
    controlled = [
        {**r, "cell": {**r["cell"], "label": "dm-gcn@identity", "method": "dm-gcn", "control": "identity"}}
        for r in against_baseline(0.5, splits, sizes)
        if r["cell"]["label"] == "dm-gcn"  # type: ignore[index]
    ]
    records = [*against_baseline(0.99, splits, sizes), *controlled]
    (setting,) = settings(Snapshot(suite={}, records=records))
    (found,) = verdicts(setting, leaderboard(setting, "last"))
    (control,) = controls(setting, "last")
    for each in (found, control):
        assert each.difference.verdict == "none"
        assert each.difference.interval == "–"
        assert each.sentence.endswith(f"; {reason}.")
        assert not any(word in each.sentence for word in ("beat", "help", "hurt", "better", "worse"))


def test_controls_are_paired_with_their_method(snapshot: Snapshot) -> None:
    (setting,) = settings(snapshot)
    found = {c.kind: c for c in controls(setting, "last")}
    assert set(found) == {"identity", "shuffled"}
    for kind, control in found.items():
        with_graph = slow_figures(snapshot, "dm-gcn", "accuracy")[0]
        without = slow_figures(snapshot, f"dm-gcn@{kind}", "accuracy")[0]
        assert control.difference.mean == pytest.approx(with_graph - without, abs=1e-12)
        assert control.difference.splits == 3


def test_a_half_finished_run_ranks_provisionally_and_a_failure_not_at_all(partial: Snapshot) -> None:
    (setting,) = settings(partial)
    rows = {r.label: r for r in leaderboard(setting, "last")}
    assert all(r.provisional for r in rows.values())
    assert rows["at-gcn"].rank is None
    assert (rows["at-gcn"].done, rows["at-gcn"].planned, rows["at-gcn"].failed) == (5, 6, 1)
    assert rows["label-spreading"].rank is not None
    assert (rows["label-spreading"].done, rows["label-spreading"].planned) == (4, 6)
    # The unranked method stands last and takes no rank from the others.
    assert list(rows)[-1] == "at-gcn"
    means = {label: slow_figures(partial, label, "accuracy")[0] for label in rows if label != "at-gcn"}
    for label, own in means.items():
        assert rows[label].rank == 1 + sum(other > own + 1e-12 for other in means.values())
    mean, _, _ = slow_figures(partial, "at-gcn", "accuracy")
    assert rows["at-gcn"].accuracy.mean == pytest.approx(mean)


def test_label_rates_are_settings_of_their_own() -> None:
    records = [
        record("a", 0, 0.9, rate=0.1),
        record("a", 0, 0.8, rate=0.05),
        record("a", 0, 0.7, dataset="htad"),
    ]
    found = settings(Snapshot(suite={"datasets": ["mfeat", "htad"]}, records=records))
    assert [s.title for s in found] == ["mfeat, 5 % labelled", "mfeat, 10 % labelled", "htad, 10 % labelled"]
    assert len({s.slug for s in found}) == 3


def test_one_name_with_two_contents_is_never_averaged() -> None:
    records = [
        record("a", 0, 0.9),
        {**record("a", 0, 0.1), "cell": {**record("a", 0, 0.1)["cell"], "fingerprint": "x"}},
    ]
    found = settings(Snapshot(suite={}, records=records))
    assert len(found) == 2
    assert len({s.title for s in found}) == len({s.slug for s in found}) == 2
