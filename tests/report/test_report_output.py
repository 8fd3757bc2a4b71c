"""What is written: complete, pure, and safe whatever a label holds."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import plotly.graph_objects
import pytest
import report_runs

from mvgraph.errors import UserError
from mvgraph.report import write
from mvgraph.report.assemble import assemble
from mvgraph.report.figures.cost import pareto
from mvgraph.report.markdown import document
from mvgraph.report.page import render
from mvgraph.report.snapshot import Snapshot, read
from mvgraph.report.tables import leaderboard, settings

TEXTS = {"index.html", "report.md", "leaderboard.md", "leaderboard.csv", "cells.csv"}
PICTURES = {
    f"{name}.png"
    for name in (
        "leaderboard",
        "learning-curves",
        "theta",
        "attention",
        "confusion",
        "calibration",
        "cost-accuracy",
        "controls",
    )
}
HOSTILE = '"><script>alert(1)</script>|$\\frac{$`*_{label}\u202e'


def hashes(folder: Path) -> dict[str, str]:
    return {p.name: sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_every_file_is_there_and_nothing_else(finished: Path) -> None:
    assert {p.name for p in (finished / "report").iterdir()} == TEXTS | PICTURES
    assert (finished / "report" / "index.html").stat().st_size < 3_000_000


def test_writing_again_in_another_process_gives_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    ledger = sha256((finished / "ledger.sqlite").read_bytes()).hexdigest()
    script = "import sys; from mvgraph.report import write; write(sys.argv[1], sys.argv[2])"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", script, finished, tmp_path], check=True, env=environment)
    assert hashes(tmp_path) == hashes(finished / "report")
    assert sha256((finished / "ledger.sqlite").read_bytes()).hexdigest() == ledger


def test_the_order_in_which_cells_ran_leaves_no_trace(finished: Path, snapshot: Snapshot) -> None:
    turned = Snapshot(snapshot.suite, snapshot.records[::-1], predictions=snapshot.predictions)
    (a,), (b,) = settings(snapshot), settings(turned)
    for x, y in zip(leaderboard(a, "last"), leaderboard(b, "last"), strict=True):
        assert (x.label, x.rank) == (y.label, y.rank)
        assert x.accuracy.mean == pytest.approx(y.accuracy.mean, abs=1e-15)


def test_pictures_carry_no_date_and_no_version(finished: Path) -> None:
    for path in (finished / "report").glob("*.png"):
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert not re.search(rb"tIME|tEXt|iTXt|zTXt", content[:400])


def test_csv_holds_the_numbers_of_the_leaderboard(finished: Path, snapshot: Snapshot) -> None:
    with open(finished / "report" / "leaderboard.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    (setting,) = settings(snapshot)
    rows = leaderboard(setting, "last")
    assert [line["label"] for line in lines] == [row.label for row in rows]
    for line, row in zip(lines, rows, strict=True):
        assert float(line["accuracy_mean"]) == row.accuracy.mean
        assert float(line["accuracy_split_deviation"]) == row.accuracy.split
        assert int(line["rank"]) == row.rank
        assert line["peak_device_mib"] == ""
    with open(finished / "report" / "cells.csv", newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == len(snapshot.records)
    assert {c["status"] for c in cells} == {"done"}


def test_markdown_has_the_leaderboard_and_a_sentence_for_each_method_of_the_paper(finished: Path) -> None:
    text = (finished / "report" / "report.md").read_text(encoding="utf-8")
    for label in ("mean-gcn", "dm-gcn", "at-gcn"):
        line = rf"^- {label} against concat-logreg on mfeat: .* 3 splits: no verdict from fewer than 5\.$"
        assert re.search(line, text, re.M)
    board = (finished / "report" / "leaderboard.md").read_text(encoding="utf-8")
    assert all(f"| {label} |" in board for label in report_runs.STRENGTH)
    for picture in re.findall(r"\]\(([^)]+\.png)\)", text):
        assert (finished / "report" / picture).is_file()


def test_a_half_finished_run_lists_what_failed_and_what_is_missing(
    unfinished: Path, partial: Snapshot
) -> None:
    for name in ("index.html", "report.md"):
        text = (unfinished / "report" / name).read_text(encoding="utf-8")
        assert "TimeLimit: more than 600 s" in text
        for record in (*partial.failures, *partial.missing):
            assert record["cell"]["id"][:12] in text
        assert "39 of 42 planned cells are done" in text
        assert "provisional" in text
    with open(unfinished / "report" / "cells.csv", newline="", encoding="utf-8") as file:
        statuses = [line["status"] for line in csv.DictReader(file)]
    assert sorted(set(statuses)) == ["done", "planned", "timeout"]


def test_nothing_done_yet_is_a_report_too(tmp_path: Path) -> None:
    cells = report_runs.make_cells(["dm-gcn"], ["mfeat"], 2, [0])
    report_runs.write_run(tmp_path, cells, lambda cell: None)
    page = write(tmp_path).read_text(encoding="utf-8")
    assert "No cell of this data set is done yet." in page
    assert "0 of 2 planned cells are done" in page
    assert not list((tmp_path / "report").glob("*.png"))


def test_everything_failed_is_a_report_too(tmp_path: Path) -> None:
    cells = report_runs.make_cells(["dm-gcn", "concat-logreg"], ["mfeat", "htad"], 1, [0])
    report_runs.write_run(tmp_path, cells, lambda cell: ("oom", "MemoryError: 8192 MiB passed"))
    assert write(tmp_path).read_text(encoding="utf-8").count("MemoryError: 8192 MiB passed") == 4


def test_no_ledger_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape("ledger.sqlite")):
        write(tmp_path)


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.images: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.scripts += tag == "script"
        if tag == "img":
            self.images.append(given)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.targets += [str(v) for k, v in attrs if k == "href"]
        self.sources += [str(v) for k, v in attrs if k == "src"]


def parse(path: Path) -> Elements:
    found = Elements()
    found.feed(path.read_text(encoding="utf-8"))
    return found


def test_hostile_labels_stay_text_everywhere(tmp_path: Path) -> None:
    cells = report_runs.make_cells([HOSTILE, "dm-gcn"], ["mfeat"], 2, [0])
    cells = [c if c.label == "dm-gcn" else report_runs.relabelled(c, "dm-gcn") for c in cells]

    def ending(cell: report_runs.Cell) -> tuple[str, str] | bool:
        return ("failed", f"Traceback\n{HOSTILE}") if cell.label == HOSTILE and cell.split["index"] else True

    report_runs.write_run(tmp_path, cells, ending, title="<img src=x onerror=alert(2)>")
    page = write(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "<script>alert(1)" not in text
    assert "<img src=x" not in text
    assert parse(page).scripts == 4
    markdown = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "<script>" not in markdown
    assert (
        len(re.findall(r"(?<!\\)\|", next(x for x in markdown.splitlines() if "alert" in x and x[0] == "|")))
        == 15
    )
    with open(tmp_path / "report" / "leaderboard.csv", newline="", encoding="utf-8") as file:
        assert HOSTILE in {line["label"] for line in csv.DictReader(file)}
    with read(tmp_path) as snapshot:
        names = [
            str(t.get("name", "")) for p in assemble(snapshot).pictures for t in (p.plotly or {})["data"]
        ]
    assert any("alert" in name for name in names)
    assert not any("<script>" in name for name in names)


def test_the_page_stands_alone_and_can_be_read_by_all(finished: Path) -> None:
    found = parse(finished / "report" / "index.html")
    assert all(source.startswith("data:image/png;base64,") for source in found.sources)
    assert all(target.startswith(("#", "data:,")) for target in found.targets)
    assert {t[1:] for t in found.targets if t.startswith("#")} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert len(found.images) == len(PICTURES)
    assert all(len(image["alt"] or "") > 20 for image in found.images)
    text = (finished / "report" / "index.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert text.count("<caption>") == text.count("<table")


def test_every_interactive_figure_is_one_plotly_accepts(finished: Path, snapshot: Snapshot) -> None:
    for picture in assemble(snapshot).pictures:
        assert picture.plotly is not None
        assert plotly.graph_objects.Figure(picture.plotly).data


def several(labels: tuple[str, ...]) -> Snapshot:
    names = ["mfeat", "htad", "brca", "segment", "flavia"]
    found = [report_runs.record(m, 0, 0.9 - 0.1 * i, dataset=d) for d in names for i, m in enumerate(labels)]
    return Snapshot(suite={"name": "several", "datasets": names}, records=found)


def test_several_data_sets_are_compared() -> None:
    report = assemble(several(("a", HOSTILE, "c")))
    assert [p.name for p in report.comparisons[0].pictures] == ["critical-difference", "pairwise"]
    assert {p.name for p in report.pictures} >= {"leaderboard-mfeat", "leaderboard-flavia"}
    page = render(report)
    assert "Friedman" in page
    assert "Average rank" in page
    assert "<script>alert" not in page
    assert "Friedman" in document(report)


def test_pictures_of_an_earlier_report_go_and_files_of_the_user_stay(tmp_path: Path) -> None:
    report_runs.write_run(tmp_path, report_runs.make_cells(["label-spreading"], ["mfeat"], 1, [0]))
    (tmp_path / "report").mkdir()
    for name in ("leaderboard-old-set.png", "theta.png", "my-photo.png", "notes.txt"):
        (tmp_path / "report" / name).write_bytes(b"x")
    write(tmp_path)
    left = {p.name for p in (tmp_path / "report").iterdir()}
    assert left == TEXTS | {
        "leaderboard.png",
        "confusion.png",
        "calibration.png",
        "my-photo.png",
        "notes.txt",
    }


def test_the_pareto_front_holds_what_nothing_beats() -> None:
    points = [
        ("slow", 10.0, 0.9),
        ("good", 2.0, 0.9),
        ("cheap", 1.0, 0.5),
        ("bad", 5.0, 0.6),
        ("tied", 1.0, 0.4),
    ]
    assert [p[0] for p in pareto(points)] == ["cheap", "good"]


def test_tables_and_figures_need_no_torch() -> None:
    script = (
        "import sys\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'torch', 'mlflow', 'optuna', 'torch_geometric'}: raise ImportError(name)\n"
        "sys.meta_path.insert(0, Wall())\n"
        "import mvgraph.report.assemble, mvgraph.report.page, mvgraph.report.markdown, mvgraph.report.sheets\n"
        "from mvgraph.report.snapshot import Snapshot\n"
        "from mvgraph.report.page import render\n"
        "record = {'cell': {'id': 'x', 'dataset': 'd', 'label': 'a', 'method': 'a', 'split': {'scheme': 'official'}},\n"
        "          'metrics': {'last': {'test': {'accuracy': 0.5}}}}\n"
        "assert 'official' in render(mvgraph.report.assemble.assemble(Snapshot({}, [record])))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
