"""What a cell's record tells about groups."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mvgraph.bench import run_suite
from mvgraph.bench.audit import cell_audit, group_means
from mvgraph.bench.ledger import Ledger
from mvgraph.bench.metrics import part_metrics
from mvgraph.data import MultiViewData, Split, load, scale_views, write_h5mu
from mvgraph.graph import build_graph
from mvgraph.graph.audit import own_group_shares

N = 60


def made(groups: dict[str, list[str]]) -> MultiViewData:
    rng = np.random.default_rng(0)
    labels = np.arange(N) // 4 % 3
    views = {name: rng.standard_normal((N, 4)) + labels[:, None] for name in ("a", "b")}
    return MultiViewData.from_arrays(views, labels, groups=groups)


def test_means_over_groups() -> None:
    p = np.array([[0.2, 0.8], [0.6, 0.4], [1.0, 0.0]])
    np.testing.assert_allclose(
        group_means(p, np.array(["x", "y", "x"])), [[0.6, 0.4], [0.6, 0.4], [0.6, 0.4]]
    )
    np.testing.assert_allclose(group_means(p, np.arange(3)), p)


def test_records_of_grouped_data_hold_an_audit(tmp_path: Path) -> None:
    data = made({"clip": [f"c{i // 4}" for i in range(N)], "row": [str(i) for i in range(N)]})
    write_h5mu(data, tmp_path / "d.h5mu")
    methods = ["concat-logreg", "dm-gcn", "dm-gcn@no-siblings"]
    suite = {
        "name": "grouped",
        "datasets": [str(tmp_path / "d.h5mu")],
        "methods": methods,
        "splits": {"scheme": "label-rate", "rate": 0.3},
        "training": {"epochs": 3},
        "graph": {"k": 4},
    }
    folder = run_suite(suite, tmp_path / "run", mirror=False, progress="none").folder
    with Ledger(folder / "ledger.sqlite") as ledger:
        records = {r["cell"]["label"]: r for r in ledger.records()}
        assert set(records) == set(methods)
        for record in records.values():
            stored = ledger.probabilities(record["cell"]["id"], "last")
            rows, p = stored["test_rows"], stored["test"]
            expected = part_metrics(group_means(p, data.groups["clip"][rows]), data.labels[rows])
            assert record["audit"]["group"] == "clip"
            assert record["audit"]["averaged"]["last"] == pytest.approx(expected)
            json.dumps(record["audit"], allow_nan=False)
    assert [label for label in methods if "graph" in records[label]["audit"]] == ["dm-gcn"]
    graph = build_graph(scale_views(load(tmp_path / "d.h5mu"), "zscore", "all"), k=4)
    shares = own_group_shares(graph, data.groups["clip"], rows)
    told = records["dm-gcn"]["audit"]["graph"]["neighbours"]["clip"]
    for view in ("a", "b"):
        assert told[view]["own"] == pytest.approx(shares[view].mean())


def test_data_without_shared_groups_has_no_audit() -> None:
    split = Split(np.arange(20), np.arange(20, 30), np.arange(30, N))
    p = {"last": np.full((30, 3), 1 / 3, dtype=np.float32)}
    assert cell_audit(made({}), split, p, None) is None
    assert cell_audit(made({"row": [str(i) for i in range(N)]}), split, p, None) is None
