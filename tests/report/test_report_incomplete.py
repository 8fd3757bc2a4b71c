"""Rows that lack a view: the record tells them apart, the report shows them and the share of each view."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import mvgraph as mv
from mvgraph.bench import run_suite
from mvgraph.data import Card, write_h5mu
from mvgraph.report import markdown
from mvgraph.report.assemble import assemble
from mvgraph.report.page import render
from mvgraph.report.snapshot import Snapshot, read

LACKING = 12


def made(name: str, observed: dict[str, np.ndarray] | None = None) -> mv.MultiViewData:
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    views = {view: random.normal(size=(60, 4)) + labels[:, None] for view in ("sound", "picture")}
    return mv.MultiViewData.from_arrays(views, labels=labels, observed=observed, card=Card(name=name))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    folder = tmp_path_factory.mktemp("lacking")
    observed = {"sound": np.arange(60) >= LACKING, "picture": np.ones(60, dtype=bool)}
    write_h5mu(made("some", observed), folder / "some.h5mu")
    write_h5mu(made("all"), folder / "all.h5mu")
    suite = {
        "name": "lacking",
        "datasets": [str(folder / "some.h5mu"), str(folder / "all.h5mu")],
        "methods": [{"method": "mean-gcn", "training": {"epochs": 3}, "graph": {"k": 3}}],
        "splits": {"scheme": "label-rate", "rate": 0.2, "validation": 0.2, "n": 2, "seed": 0},
    }
    run_suite(suite, folder / "run", mirror=False)
    with read(folder / "run") as snapshot:
        yield snapshot


def test_the_record_counts_both_kinds_of_rows(run: Snapshot) -> None:
    for record in run.records:
        test = record["metrics"]["last"]["test"]
        if "some" not in record["cell"]["dataset"]:
            assert "complete" not in test
            assert "observed" not in record["cell"]["protocol"]
            continue
        assert record["cell"]["protocol"]["observed"] == {"picture": 1.0, "sound": 0.8}
        both = test["complete"], test["incomplete"]
        assert sum(part["rows"] for part in both) == record["cell"]["split"]["sizes"]["test"]
        right = sum(part["rows"] * part["accuracy"] for part in both)
        assert right == pytest.approx(test["accuracy"] * record["cell"]["split"]["sizes"]["test"])
        known = run.predictions(record, "last")
        assert known is not None
        assert 0 < test["incomplete"]["rows"] <= LACKING


def test_the_report_shows_them_where_they_are(run: Snapshot) -> None:
    report = assemble(run)
    parts = {part.setting.dataset: part for part in report.settings}
    assert parts["all"].incomplete is None
    found = parts["some"].incomplete
    assert found is not None
    (line,) = found.lines
    own = [r["metrics"]["last"]["test"] for r in run.records if r["cell"]["dataset"] == "some"]
    for kind in ("complete", "incomplete"):
        expected = np.mean([test[kind]["accuracy"] for test in own])
        assert getattr(line, kind) == pytest.approx(expected)
    assert ("Rows that have the view", "picture 100.0 %, sound 80.0 %") in parts["some"].facts
    assert not any(name == "Rows that have the view" for name, _ in parts["all"].facts)
    for text in (markdown.document(report), render(report)):
        assert "picture 100.0 %, sound 80.0 %" in text
        assert text.count("accuracy, rows that lack a view") == 1
        assert "observed: sound" not in text


def test_metrics_apart_by_hand() -> None:
    from mvgraph.bench.metrics import apart

    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    found = apart(p, np.array([0, 0, 0]), np.array([True, True, False]))
    assert found == {"complete": {"rows": 2, "accuracy": 0.5}, "incomplete": {"rows": 1, "accuracy": 1.0}}
    assert apart(p, np.array([0, 0, 0]), np.ones(3, dtype=bool))["incomplete"] == {
        "rows": 0,
        "accuracy": None,
    }
    empty = apart(np.zeros((0, 2)), np.zeros(0), np.zeros(0, dtype=bool))
    assert empty["complete"] == {"rows": 0, "accuracy": None}
