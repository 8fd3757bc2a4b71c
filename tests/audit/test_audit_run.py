"""Audits: scores on lesser graphs by hand, one sentence, files, and continuing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from mvgraph.audit import Findings, Score, audit, gain, write
from mvgraph.audit.findings import best_gain
from mvgraph.bench.audit import group_means
from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.graph import MultiViewGraph, build_graph
from mvgraph.graph.edits import without_group_edges
from mvgraph.training import fit

N, PER_CLIP = 90, 5
TRAINING = {"epochs": 6, "evaluate_every": 3}


@pytest.fixture(scope="module")
def data() -> MultiViewData:
    """Clips of five rows that lie close together, 18 of them, three classes."""
    rng = np.random.default_rng(0)
    clip = np.arange(N) // PER_CLIP
    labels = clip % 3
    views = {}
    for name, width in (("audio", 4), ("video", 3)):
        centres = rng.standard_normal((N // PER_CLIP, width)) + np.eye(3, width)[np.arange(N // PER_CLIP) % 3]
        views[name] = centres[clip] + 0.5 * rng.standard_normal((N, width))
    groups = {"clip": [f"clip{c}" for c in clip], "city": [f"city{c % 2}" for c in clip]}
    return MultiViewData.from_arrays(views, labels, groups=groups)


@pytest.fixture(scope="module")
def split() -> Split:
    rows = np.arange(N)
    return Split(rows[:40], rows[40:50], rows[50:])


@pytest.fixture(scope="module")
def graph(data: MultiViewData) -> MultiViewGraph:
    return build_graph(data, k=5)


@pytest.fixture(scope="module")
def found(data: MultiViewData, graph: MultiViewGraph, split: Split) -> Findings:
    return audit(
        data, graph, split, methods=["dm-gcn"], baselines=["concat-logreg"], training=TRAINING, seeds=[0, 1]
    )


def test_scores_are_those_of_fits_by_hand(
    data: MultiViewData, graph: MultiViewGraph, split: Split, found: Findings
) -> None:
    assert found.group == "clip"
    assert [(s.method, s.variant) for s in found.scores] == [
        *(("dm-gcn", v) for v in ("whole", "no-siblings", "inductive", "none")),
        ("concat-logreg", ""),
    ]
    by = {(s.method, s.variant): s for s in found.scores}
    lesser = without_group_edges(graph, data.groups["clip"])
    for seed in (0, 1):
        p = fit("dm-gcn", data, split, lesser, training=TRAINING, seed=seed).probabilities()[split.test]
        score = by["dm-gcn", "no-siblings"]
        assert score.accuracy[seed] == np.mean(p.argmax(1) == data.labels[split.test])
        averaged = np.empty_like(p, dtype=np.float64)
        for i, row in enumerate(split.test):
            mine = [j for j, other in enumerate(split.test) if other // PER_CLIP == row // PER_CLIP]
            averaged[i] = np.mean([p[j].astype(np.float64) for j in mine], axis=0)
        assert score.averaged_accuracy[seed] == np.mean(averaged.argmax(1) == data.labels[split.test])
        np.testing.assert_allclose(group_means(p, data.groups["clip"][split.test]), averaged, rtol=1e-12)
    by_control = fit("dm-gcn@inductive", data, split, graph, training=TRAINING, seed=1).probabilities()
    expected = np.mean(by_control[split.test].argmax(1) == data.labels[split.test])
    assert by["dm-gcn", "inductive"].accuracy[1] == expected
    assert len(found.figures["homophily"]["theta"]) == 2


def score(method: str, variant: str, accuracy: float, averaged: float = 0.5) -> Score:
    return Score(method, variant, (accuracy,), (1.0,), (averaged,), (1.0,))


def four(whole: float, siblings: float, none: float) -> tuple[Score, ...]:
    values = {"whole": whole, "no-siblings": siblings, "inductive": 0.6, "none": none}
    return tuple(score("m", variant, value) for variant, value in values.items())


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        (four(0.9, 0.85, 0.8), "; 5.0 of the 10.0 points \\(50 %\\) go with the edges inside each clip; "),
        (four(0.9, 0.95, 0.8), "; 0.0 of the 10.0 points \\(0 %\\) go with"),
        (four(0.9, 0.7, 0.8), "; 10.0 of the 10.0 points \\(100 %\\) go with"),
        (four(0.7, 0.7, 0.8), "m reaches 70.0 % with its whole graph, .* 80.0 % without any edge; of"),
        ((score("b", "", 0.4),), "No method that uses a graph"),
    ],
)
def test_the_sentence(scores: tuple[Score, ...], says: str) -> None:
    text = best_gain((*scores, score("rival", "", 0.1, averaged=0.77)), "clip")
    assert re.search(says, text), text
    assert text.count(". ") == 0
    assert text.endswith(".")
    if len(scores) > 1:
        assert "averaging the probabilities of rival over each clip reaches 77.0 %" in text
        assert "1 split: no verdict from fewer than 5" in text
        assert " gain" not in text


def test_files_are_complete_and_the_same_every_time(found: Findings, tmp_path: Path) -> None:
    path = write(found, tmp_path / "a")
    write(found, tmp_path / "b")
    assert sorted(p.name for p in path.parent.iterdir()) == ["audit.json", "audit.md", "audit.png"]
    for each in path.parent.iterdir():
        assert each.read_bytes() == (tmp_path / "b" / each.name).read_bytes()
    text = path.read_text()
    assert text.rstrip().endswith("**")
    assert text.count("\n## ") == 4
    content = json.loads((path.parent / "audit.json").read_text())
    assert content["sentence"] == found.sentence
    assert (path.parent / "audit.png").read_bytes()[:4] == b"\x89PNG"


def test_an_interrupted_audit_continues(
    data: MultiViewData, graph: MultiViewGraph, split: Split, found: Findings, tmp_path: Path
) -> None:
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        assert total == 10
        if done == 3:
            raise KeyboardInterrupt

    settings = {"methods": ["dm-gcn"], "baselines": ["concat-logreg"], "training": TRAINING, "seeds": [0, 1]}
    with pytest.raises(KeyboardInterrupt):
        audit(data, graph, split, **settings, folder=tmp_path, progress=stop)
    kept = json.loads((tmp_path / "audit-scores.json").read_text())
    assert len(kept) == 3
    for value in kept.values():
        value["plain"]["accuracy"] = 0.125  # so that one sees they are read and not made again
    (tmp_path / "audit-scores.json").write_text(json.dumps(kept))
    again = audit(data, graph, split, **settings, folder=tmp_path, progress=lambda d, t: seen.append(d))
    assert again.scores[0].accuracy == (0.125, 0.125)
    assert again.scores[1].accuracy[0] == 0.125
    assert again.scores[2:] == found.scores[2:]
    assert again.figures == found.figures


def test_gain_is_sentences_and_tables_of_text(data: MultiViewData, split: Split, tmp_path: Path) -> None:
    told = gain(
        data,
        split,
        neighbours=4,
        training=TRAINING,
        seeds=[0],
        folder=tmp_path / "kept",
        methods=["mean-gcn"],
    )
    assert len(told["sentences"]) == 1
    for table in told["tables"]:
        assert set(table) == {"name", "title", "heads", "rows", "caption"}
        assert all(
            len(row) == len(table["heads"]) and all(isinstance(c, str) for c in row) for row in table["rows"]
        )
    assert json.loads(json.dumps(told))["sentences"] == told["sentences"]


def test_mistakes(data: MultiViewData, graph: MultiViewGraph, split: Split) -> None:
    with pytest.raises(UserError, match="has no group 'subject'; it has"):
        audit(data, graph, split, "subject")
    with pytest.raises(UserError, match="'concat-mlp' uses no graph"):
        audit(data, graph, split, methods=["concat-mlp"])
    with pytest.raises(UserError, match="'dm-gcn' uses a graph"):
        audit(data, graph, split, baselines=["dm-gcn"])
    with pytest.raises(UserError, match="has a control already"):
        audit(data, graph, split, methods=["dm-gcn@identity"])
    plain = MultiViewData.from_arrays(data.views, data.labels)
    with pytest.raises(UserError, match="no groups of several rows"):
        audit(plain, graph, split)
