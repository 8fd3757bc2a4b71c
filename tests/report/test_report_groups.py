"""The section on groups: numbers of the records, one sentence, in Markdown and on the page."""

from __future__ import annotations

from typing import Any

import pytest

from mvgraph.evaluation import PairedTest
from mvgraph.report import markdown
from mvgraph.report.assemble import assemble
from mvgraph.report.compare import controls
from mvgraph.report.groups import gain_sentence, section
from mvgraph.report.snapshot import Snapshot
from mvgraph.report.tables import leaderboard, settings

FIGURES = {
    "test_rows": 30,
    "edges": {"a": 100},
    "neighbours": {"clip": {"a": {"own": 0.75, "chance": 0.0123}, "b": {"own": None, "chance": 0.0123}}},
    "crossing": {"clip": {"a": 7, "b": 0}},
    "near_duplicates": {
        "fraction": 0.05,
        "views": {
            "a": {
                "below": 0.1,
                "pairs": 2,
                "rows": 3,
                "train_test_pairs": 1,
                "nearest": [{"rows": ["x<1>", "y"], "distance": 0.0123456, "train_test": True}],
            },
            "b": {"below": 0.1, "pairs": 0, "rows": 0, "train_test_pairs": 0, "nearest": []},
        },
    },
    "homophily": {
        "views": {"a": {"edges": 0.5, "weight": 0.625}},
        "mean": {"edges": 0.7, "weight": None},
        "theta": [],
    },
}


def record(label: str, accuracy: float, averaged: float | None, split: int = 0) -> dict[str, Any]:
    method, _, control = label.partition("@")
    graph = {"k": 5} if "gcn" in method else None
    audit = {"group": "clip", "averaged": {"last": {"accuracy": averaged, "log_loss": 0.5}}}
    if graph and not control:
        audit["graph"] = FIGURES
    return {
        "cell": {
            "id": f"{label}{split}",
            "dataset": "d",
            "label": label,
            "method": method,
            "control": control or None,
            "graph": graph,
            "split": {"scheme": "official", "index": split, "hash": f"h{split}", "parameters": {}},
            "seed": 0,
            "protocol": {},
        },
        "status": "done",
        "metrics": {"last": {"test": {"accuracy": accuracy, "log_loss": 1.0}}},
        **({} if averaged is None else {"audit": audit}),
    }


RECORDS = [
    record("dm-gcn", 0.9, 0.95),
    record("dm-gcn", 0.8, 0.85, split=1),
    *(record("dm-gcn@no-siblings", 0.8, 0.9, split) for split in (0, 1)),
    *(record("dm-gcn@identity", 0.65, 0.7, split) for split in (0, 1)),
    *(record("concat-logreg", 0.6, 0.75, split) for split in (0, 1)),
]


def test_numbers_and_sentence() -> None:
    (setting,) = settings(Snapshot({}, RECORDS))
    found = section(setting, leaderboard(setting, "last"), "last")
    assert found is not None
    assert found.group == "clip"
    assert found.sentence == (
        "dm-gcn reaches 85.0 % with its whole graph, 80.0 % without the edges inside each clip and 65.0 % without any "
        "edge; 5.0 of the 20.0 points (25 %) go with the edges inside each clip; of whole graph against none: "
        "2 splits: no verdict from fewer than 5; averaging the probabilities of concat-logreg over each clip reaches "
        "75.0 %."
    )
    averaged, neighbours, homophily, duplicates = found.sheets
    assert ("dm-gcn", "85.0", "90.0", "1.000", "0.500") in averaged.rows
    assert neighbours.rows == (("clip", "a", "75.0", "1.23", "7"), ("clip", "b", "–", "1.23", "0"))
    assert homophily.rows == (("a", "50.0", "62.5"), ("mean of the views", "70.0", "–"))
    assert duplicates.rows[0] == ("a", "3", "2", "1", "x<1> and y, distance 0.0123")


def test_the_section_stands_in_the_report_and_only_where_groups_exist() -> None:
    text = markdown.document(assemble(Snapshot({}, RECORDS)))
    assert "### Groups: what a row's clip is worth" in text
    assert "x&lt;1&gt; and y" in text
    plain = [record("dm-gcn", 0.9, None), record("concat-logreg", 0.6, None)]
    assert "Groups" not in markdown.document(assemble(Snapshot({}, plain)))
    (setting,) = settings(Snapshot({}, RECORDS[:2]))
    found = section(setting, leaderboard(setting, "last"), "last")
    assert found is not None
    assert found.sentence == ""


def test_inductive_is_told_where_it_was_run() -> None:
    more = [record("dm-gcn@inductive", 0.7, 0.7, split) for split in (0, 1)]
    (setting,) = settings(Snapshot({}, [*RECORDS, *more]))
    found = section(setting, leaderboard(setting, "last"), "last")
    assert found is not None
    assert "with test rows hanging on the other rows alone it reaches 70.0 %; averaging" in found.sentence
    words = {control.kind: control.sentence for control in controls(setting, "last")}
    assert all(sentence.endswith("2 splits: no verdict from fewer than 5.") for sentence in words.values())
    assert "against no edges:" in words["identity"]


def test_a_tested_difference_is_named() -> None:
    records = [
        {**r, "cell": {**r["cell"], "split": {**r["cell"]["split"], "sizes": {"train": 90, "test": 10}}}}
        for split in range(5)
        for r in (
            record("dm-gcn", 0.9 + 0.001 * split, 0.95, split),
            record("dm-gcn@no-siblings", 0.9 + 0.0012 * split, 0.9, split),
            record("dm-gcn@inductive", 0.7, 0.9, split),
        )
    ]
    (setting,) = settings(Snapshot({}, records))
    words = {control.kind: control.sentence for control in controls(setting, "last")}
    assert words["no-siblings"].endswith("; seeing siblings makes no clear difference.")
    assert words["inductive"].endswith("; transduction helps.")


@pytest.mark.parametrize(
    ("none", "verdict", "says"),
    [
        (
            0.5,
            "higher",
            "Of the 30.0 points that the graph gains for m (50.0 % without edges, 80.0 % with them), 10.0",
        ),
        (0.5, "level", "no clear difference"),
        (0.9, "lower", "of whole graph against none: the graph hurts"),
        (0.9, "none", "of whole graph against none: too few"),
    ],
)
def test_only_a_test_speaks_of_a_gain(none: float, verdict: str, says: str) -> None:
    test = PairedTest(5, 0.8 - none, None, None, None, verdict, "too few" if verdict == "none" else "")
    text = gain_sentence("clip", "m", 0.8, 0.7, none, None, ("rival", 0.5), test)
    assert says in text
    assert (" gains " in text) == (verdict == "higher")
    assert text.count(". ") == 0
