"""Predictions out of a run and into it, by the commands; several runs in one report."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mvgraph.bench import Ledger, export_predictions, run_suite
from mvgraph.data import Card, MultiViewData, write_h5mu
from mvgraph.errors import UserError
from mvgraph.report import output
from mvgraph.report.snapshot import read
from mvgraph.report.tables import leaderboard, settings

SPLITS = {"scheme": "label-rate", "rate": 0.4, "validation": 0.3, "n": 2, "seed": 0}
CLASSES = ("bus", "park", "tram")


def make_data(folder: Path, name: str = "small") -> Path:
    random = np.random.default_rng(len(name))
    labels = np.arange(48) % 3
    data = MultiViewData.from_arrays(
        {view: random.normal(size=(48, 4)) + labels[:, None] for view in ("sight", "sound")},
        [CLASSES[label] for label in labels],
        ids=[f"clip{row:03d}" for row in range(48)],
        card=Card(name=name),
    )
    write_h5mu(data, folder / f"{name}.h5mu")
    return folder / f"{name}.h5mu"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `run` (two methods, two splits), its suite, and all its predictions as `all.csv`."""
    place = tmp_path_factory.mktemp("predictions")
    make_data(place)
    suite(place, place / "run")
    export_predictions(place / "run", place / "all.csv", selection="all")
    return place


def suite(place: Path, out: Path, **changes: Any) -> Any:
    content = {
        "name": "small",
        "datasets": [str(place / "small.h5mu")],
        "methods": ["concat-logreg", {"method": "dm-gcn", "training": {"epochs": 4, "evaluate_every": 2}}],
        "splits": SPLITS,
        "graph": {"k": 4},
    }
    return run_suite({**content, **changes}, out, progress="none", mirror=False)


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a copy of all that."""
    shutil.copytree(made, tmp_path / "made")
    monkeypatch.chdir(tmp_path / "made")
    return tmp_path / "made"


def theirs(here: Path, label: str = "dm-gcn", selection: str = "last") -> pd.DataFrame:
    """Predictions of one method as another tool would hand them in: test rows, shuffled, plain names of classes."""
    frame = pd.read_csv(here / "all.csv", dtype={"id": str})
    frame = frame[(frame.method == label) & (frame.selection == selection) & (frame.part == "test")]
    frame = frame.rename(columns=lambda name: name.removeprefix("probability:"))
    return frame[["id", "tram", "bus", "park", "split"]].sample(frac=1, random_state=0)


def records(folder: Path, label: str) -> list[dict[str, Any]]:
    with Ledger(folder / "ledger.sqlite") as ledger:
        return [record for record in ledger.records() if record["cell"]["label"] == label]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.tsv"])
def test_what_is_exported_comes_back_with_the_same_metrics(ask: Any, here: Path, name: str) -> None:
    words = ("--method", "dm-gcn", "--selection", "all")
    assert ask("export-predictions", "run", name, *words).code == 0
    answer = ask("import-predictions", "run", name, "--method", "copy")
    assert answer.code == 0, answer.err
    assert "copy: predictions for 2 of 2 splits of small imported as 2 cells." in answer.out
    assert "copy" in answer.out.partition("Rank")[2]
    ours, copies = records(here / "run", "dm-gcn"), records(here / "run", "copy")
    assert len(copies) == 2
    for one, other in zip(ours, copies, strict=True):
        assert one["cell"]["split"] == other["cell"]["split"]
        for selection in ("last", "validation"):
            assert one["metrics"][selection] == other["metrics"][selection]
        assert other["metrics"]["oracle"]["test"]["accuracy"] is None
        assert (other["parameters"], other["seconds"]) == (None, {})
        with Ledger(here / "run" / "ledger.sqlite") as ledger:
            mine, copied = (ledger.probabilities(record["cell"]["id"]) for record in (one, other))
        assert set(mine) == set(copied)
        assert all(np.array_equal(mine[part], copied[part]) for part in mine)


def test_an_export_says_who_is_who(here: Path) -> None:
    frame = pd.read_csv(here / "all.csv", dtype={"id": str})
    with Ledger(here / "run" / "ledger.sqlite") as ledger:
        cells = [record["cell"] for record in ledger.records()]
        sizes = {part: cells[0]["split"]["sizes"][part] for part in ("validation", "test")}
        stored = ledger.probabilities(cells[0]["id"], "validation")["test"]
    assert len(frame) == len(cells) * 2 * sum(sizes.values())
    rows = frame.id.str.removeprefix("clip").astype(int)
    assert (frame.true == np.array(CLASSES)[rows % 3]).all()
    values = frame[[f"probability:{name}" for name in CLASSES]].to_numpy()
    assert (frame.predicted == np.array(CLASSES)[values.argmax(axis=1)]).all()
    first = frame[
        (frame.method == cells[0]["label"])
        & (frame.split == cells[0]["split"]["index"])
        & (frame.part == "test")
        & (frame.selection == "validation")
    ]
    assert np.array_equal(first[[f"probability:{name}" for name in CLASSES]].to_numpy(np.float32), stored)


def test_predictions_of_others_join_and_stay(ask: Any, here: Path) -> None:
    theirs(here).to_csv("theirs.csv", index=False)
    words = ("import-predictions", "run", "theirs.csv", "--method", "their-net")
    assert ask(*words).code == 0
    with read(here / "run") as snapshot:
        (setting,) = settings(snapshot)
        rows = {row.label: row for row in leaderboard(setting, "last")}
    row, same = rows["their-net"], rows["dm-gcn"]
    assert row.accuracy == same.accuracy
    assert row.rank == same.rank
    assert (row.parameters, row.seconds["training"], row.memory["host"]) == (None, None, None)
    assert row.selections["oracle"] is None
    with Ledger(here / "run" / "ledger.sqlite") as ledger:
        flat = ledger.frame().set_index("label").loc["their-net"]
    assert set(flat["method"]) == {"imported:their-net"}
    # Again: nothing new. The suite again, with a method more: they stay, and count as no cell of it.
    assert "imported before; nothing changed" in ask(*words).out
    summary = suite(here, here / "run", methods=["concat-logreg", "late-fusion"])
    assert (summary.cells, summary.cached, summary.missing) == (4, 2, 0)
    assert len(records(here / "run", "their-net")) == 2
    # Other splits: they are no part of that plan, and come back with it.
    suite(here, here / "run", splits={**SPLITS, "seed": 5})
    assert records(here / "run", "their-net") == []
    suite(here, here / "run")
    assert len(records(here / "run", "their-net")) == 2
    assert ask("report", "run").code == 0
    for page in ("report.md", "index.html"):
        text = (here / "run" / "report" / page).read_text()
        assert "training, tuning and selection are not known: their-net" in text
    assert "imported:their-net" in (here / "run" / "report" / "report.md").read_text()
    assert "unknown: their-net" in (here / "run" / "report" / "report.md").read_text()


def test_other_predictions_of_a_name_need_replace(ask: Any, sentence: Any, here: Path) -> None:
    theirs(here).to_csv("theirs.csv", index=False)
    theirs(here, "concat-logreg").to_csv("other.csv", index=False)
    assert ask("import-predictions", "run", "theirs.csv", "--method", "x").code == 0
    words = ("import-predictions", "run", "other.csv", "--method", "x")
    assert "holds other predictions of 'x' for split" in sentence(*words)
    before = records(here / "run", "x")
    answer = ask(*words, "--replace")
    assert "as 2 cells in place of 2" in answer.out
    after = records(here / "run", "x")
    assert [r["metrics"] for r in before] != [r["metrics"] for r in after]
    ours = records(here / "run", "concat-logreg")
    assert [r["metrics"]["last"]["test"] for r in after] == [r["metrics"]["last"]["test"] for r in ours]
    assert "a method of the suite" in sentence("import-predictions", "run", "other.csv", "--method", "dm-gcn")
    with pytest.raises(UserError, match="give the suite's method another label"):
        suite(here, here / "run", methods=[{"method": "late-fusion", "label": "x"}])


def test_one_split_of_two_is_shown_and_not_ranked(ask: Any, here: Path) -> None:
    frame = theirs(here)
    # As pandas writes a column that once held a missing value.
    frame[frame.split == 1].assign(split="1.0").to_csv("one.csv", index=False)
    answer = ask("import-predictions", "run", "one.csv", "--method", "half")
    assert "1 of 2 splits of small" in answer.out
    with read(here / "run") as snapshot:
        (setting,) = settings(snapshot)
        rows = {row.label: row for row in leaderboard(setting, "last")}
    assert (rows["half"].rank, rows["half"].done, rows["half"].planned) == (None, 1, 2)
    assert rows["dm-gcn"].rank is not None
    frame[frame.split == 0].to_csv("rest.csv", index=False)
    assert "2 of 2 splits" in ask("import-predictions", "run", "rest.csv", "--method", "half").out


Change = Callable[[pd.DataFrame], pd.DataFrame]


def changed(column: str, value: Any, row: int = 3) -> Change:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        frame[column] = frame[column].astype(object)
        frame.iloc[row, frame.columns.get_loc(column)] = value
        return frame

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (changed("id", "clip999"), r"row 4: 'small' has no sample with id 'clip999'"),
        (changed("bus", 1.5), r"row 4 \(id 'clip\d+'\), column 'bus': '1.5' is no probability"),
        (changed("bus", -0.1), r"'-0.1' is no probability"),
        (changed("bus", "high"), r"'high' is no probability"),
        (changed("bus", None), r"column 'bus': '' is no probability"),
        (changed("bus", np.inf), r"'inf' is no probability"),
        (lambda f: f.assign(bus=f.bus / 2), r"probabilities of the 3 classes sum to"),
        (lambda f: f.drop(columns="tram"), r"no column for class 'tram' of 'small'"),
        (lambda f: f.assign(trem=0.0), r"Column 'trem' of .* is no class; the classes are bus, park, tram"),
        (lambda f: f.drop(columns="id"), r"no column 'id'"),
        (lambda f: f.iloc[:-1], r"lacks 1 of the \d+ test rows of split \d of 'small', such as id 'clip\d+'"),
        (lambda f: pd.concat([f, f.iloc[:1]]), r"id 'clip\d+' was there before, in row 1"),
        (lambda f: f.drop(columns="split"), r"'small' has 2 splits; say which in a column 'split'"),
        (changed("split", 7), r"'small' has no split '7'; it has 0, 1"),
        (lambda f: f.assign(data="large"), r"the run has no data set 'large'; it has small"),
        (lambda f: f.assign(seed="first"), r"seed is 'first'"),
        (lambda f: f.assign(method=["a", "b"] * (len(f) // 2) + ["a"] * (len(f) % 2)), r"several methods \(a, b\)"),
        (lambda f: f.iloc[:0], r"has no rows"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused(sentence: Any, here: Path, change: Change, says: str) -> None:
    change(theirs(here)).to_csv("theirs.csv", index=False)
    text = sentence("import-predictions", "run", "theirs.csv", "--method", "x")
    assert re.search(says, text), text
    assert records(here / "run", "x") == []


def test_training_rows_are_not_mistaken_for_test_rows(sentence: Any, here: Path) -> None:
    with Ledger(here / "run" / "ledger.sqlite") as ledger:
        cell = ledger.records()[0]["cell"]
        row = int(ledger.labels(cell["id"])["train_rows"][0])
    frame = theirs(here)
    more = pd.DataFrame([{"id": f"clip{row:03d}", "tram": 1.0, "bus": 0.0, "park": 0.0, "split": 0}])
    pd.concat([frame, more]).to_csv("theirs.csv", index=False)
    text = sentence("import-predictions", "run", "theirs.csv", "--method", "x")
    assert f"id 'clip{row:03d}' is a training row of split 0 of 'small'" in text


def test_other_mistakes(ask: Any, sentence: Any, here: Path) -> None:
    (here / "double.csv").write_text("id,bus,bus\n1,0,1\n")
    (here / "plain.txt").write_bytes(b"id\n\xff\n")
    for words, says in (
        (("double.csv",), "two columns called 'bus'"),
        (("plain.txt",), "cannot be read as a table"),
        (("none.csv",), "There is no file none.csv"),
        (("run",), "predictions are kept as .csv"),
        (("all.csv",), "several methods"),
    ):
        assert says in sentence("import-predictions", "run", *words, "--method", "x")
    assert "no ledger" in sentence("import-predictions", "nowhere", "all.csv", "--method", "x")
    assert "no done cell of method 'nobody'" in sentence(
        "export-predictions", "run", "x.csv", "--method", "nobody"
    )
    assert "selection is 'best'" in sentence("export-predictions", "run", "x.csv", "--selection", "best")
    assert ".parquet" in sentence("export-predictions", "run", "x.xlsx")
    assert "is there already" in sentence("export-predictions", "run", "all.csv")
    assert ask("export-predictions", "run", "all.csv", "--force").code == 0


def test_a_ledger_from_before_ids_were_kept(ask: Any, sentence: Any, here: Path) -> None:
    def forget() -> None:
        with sqlite3.connect(here / "run" / "ledger.sqlite") as database:
            database.executescript(
                "DROP TABLE samples; DROP TABLE imports; DELETE FROM labels WHERE part = 'train';"
            )
        database.close()

    forget()
    output.write_predictions([here / "run"], here / "predictions.csv")
    assert not (here / "predictions.csv").exists()
    # The suite names where the data lay, which is not here any more; the copy is.
    theirs(here).to_csv("theirs.csv", index=False)
    data = Path(records(here / "run", "dm-gcn")[0]["cell"]["dataset"] + ".h5mu")
    with Ledger(here / "run" / "ledger.sqlite") as ledger:
        source = Path(ledger.suite()["datasets"][0])
    assert source.is_file()
    assert ask("import-predictions", "run", "theirs.csv", "--method", "x").code == 0
    forget()
    moved = source.rename(source.with_name("elsewhere.h5mu"))
    try:
        text = sentence("export-predictions", "run", "x.csv")
        assert "from before sample ids were kept, and data set 'small' is not at hand" in text
    finally:
        moved.rename(source)
    # Running the suite again, which computes nothing, keeps them.
    assert suite(here, here / "run").ran == 0
    assert ask("export-predictions", "run", "x.csv").code == 0
    assert data.is_file()


def test_few_predictions_lie_beside_the_report(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output.write_predictions([here / "run"], here / "predictions.csv")
    frame = pd.read_csv(here / "predictions.csv")
    assert set(frame.selection) == {"last"}
    assert set(frame.method) == {"concat-logreg", "dm-gcn"}
    (here / "mine.csv").write_text("id,mine\n")
    output.write_predictions([here / "run"], here / "mine.csv")
    assert (here / "mine.csv").read_text() == "id,mine\n"
    monkeypatch.setattr(output, "PREDICTION_ROWS", 5)
    output.write_predictions([here / "run"], here / "predictions.csv")
    assert not (here / "predictions.csv").exists()


def test_several_runs_need_a_place(ask: Any, sentence: Any, here: Path) -> None:
    suite(here, here / "second", methods=["late-fusion"])
    assert "--out" in sentence("report", "run", "second")
    assert "given twice" in sentence("report", "run", "run", "--out", "both")
    assert ask("report", "run", "second", "--out", "both").code == 0
    board = (here / "both" / "leaderboard.md").read_text()
    assert board.count("###") == 1
    assert all(name in board for name in ("concat-logreg", "dm-gcn", "late-fusion"))
    assert "joins 2 runs: run, second" in (here / "both" / "report.md").read_text()
