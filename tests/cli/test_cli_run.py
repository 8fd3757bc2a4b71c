"""`mvgraph run` and `mvgraph report` on a small suite."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mvgraph.report.folder import check_report_folder

pytest.importorskip("mlflow")
pytest.importorskip("matplotlib")


def test_a_dry_run_writes_nothing(ask, workplace: Path) -> None:
    answer = ask("run", "small.yaml", "--dry-run")
    assert answer.code == 0
    assert "4 cells" in answer.out
    assert not (workplace / "runs").exists()


def test_a_run_ends_with_leaderboard_and_places(
    ask, sentence, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask("run", "small.yaml", "--limit", "3")
    assert answer.code == 0, answer.err
    assert "1 still without a result" in answer.out
    assert answer.err.count("test accuracy") == 3, "not a terminal: one plain line a cell, and no bar"
    assert "\x1b" not in answer.out + answer.err

    answer = ask("run", "small.yaml")
    assert answer.code == 0, answer.err
    assert "4 cells, 3 cached, 1 run" in answer.out
    rows = re.findall(r"^\d +(\S+) +\d+\.\d .* 2/2$", answer.out, re.MULTILINE)
    assert sorted(rows) == ["concat-logreg", "dm-gcn"]
    places = dict(re.findall(r"^(Report|Ledger|MLflow) +(\S+)$", answer.out, re.MULTILINE))
    assert places == {
        "Report": "runs/small/report/index.html",
        "Ledger": "runs/small/ledger.sqlite",
        "MLflow": "runs/small/mlflow.db",
    }
    assert all((workplace / place).is_file() for place in places.values())
    line = re.search(r"mlflow ui --backend-store-uri (\S+)", answer.out)
    assert line is not None
    assert shlex.split(line[1]) == ["sqlite:///runs/small/mlflow.db"]

    again = ask("report", "runs/small", "--out", "elsewhere")
    assert again.code == 0
    assert again.out == "elsewhere/index.html\n"
    assert (workplace / "elsewhere" / "leaderboard.md").is_file()
    board = ask("leaderboard", "runs/small", "--rank-by", "macro-f1")
    assert board.code == 0, board.err
    assert "Macro-F1 (%)" in board.out
    assert re.search(r"^– +majority class +.* computed$", board.out, re.MULTILINE)
    for command in ("leaderboard", "report"):
        said = sentence(command, "runs/small", "--rank-by", "luck")
        assert "Nothing ranks by 'luck'; take one of accuracy, macro-accuracy, macro-f1, log-loss." in said
    # A report may be written anew, somebody else's page may not.
    check_report_folder(workplace / "elsewhere")
    (workplace / "site").mkdir()
    page = workplace / "site" / "index.html"
    page.write_text("<title>My page</title>")
    said = sentence("report", "runs/small", "--out", "site")
    assert "site/index.html is there already" in said
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html"]
    assert page.read_text() == "<title>My page</title>"
    assert "it is a file" in sentence("report", "runs/small", "--out", "site/index.html")
    monkeypatch.setattr("mvgraph.report.write", lambda run, out, rank_by: out / "written")
    assert ask("report", "runs/small", "--out", "site", "--force").out == "site/written\n"


def test_a_run_in_a_folder_with_a_report_of_somebody_else(sentence, workplace: Path) -> None:
    (workplace / "report").mkdir()
    (workplace / "report" / "report.md").write_text("mine")
    said = sentence("run", "small.yaml", "--out", ".")
    assert "report/report.md is there already" in said
    assert "--no-report" in said
    assert not (workplace / "ledger.sqlite").exists()


def test_mirror_and_report_can_be_left_out(ask, workplace: Path) -> None:
    answer = ask("run", "small.yaml", "--out", "here", "--no-mirror", "--no-report", "--limit", "1")
    assert answer.code == 0
    assert "Report" not in answer.out
    assert "mlflow" not in answer.out
    assert sorted(path.name for path in (workplace / "here").iterdir() if path.suffix != "") == [
        "ledger.sqlite"
    ]


def test_failed_cells_show_in_the_exit_code_and_can_be_tried_again(ask, workplace: Path) -> None:
    text = (workplace / "small.yaml").read_text() + "limits: {seconds: 0.000001}\n"
    (workplace / "hasty.yaml").write_text(text)
    words = ("run", "hasty.yaml", "--no-mirror", "--no-report")
    first = ask(*words)
    assert first.code == 1
    assert "4 cells ended without a result" in first.out
    assert "timeout" in first.out
    assert "0 run" in ask(*words).out
    assert "4 run" in ask(*words, "--retry", "failed, timeout").out
