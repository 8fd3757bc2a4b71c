"""A mistake ends with code 2 and one sentence, whoever notices it; a fault of ours keeps its traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvgraph.errors import UserError


def test_words_that_do_not_fit(sentence) -> None:
    assert "SUITE" in sentence("run")
    assert "see mvgraph run --help" in sentence("run")
    assert "--nonsense" in sentence("run", "x.yaml", "--nonsense")
    assert "frobnicate" in sentence("frobnicate")
    assert "--limit" in sentence("run", "x.yaml", "--limit", "-1")
    assert "integer" in sentence("run", "x.yaml", "--limit", "many")


def test_suite_files_that_cannot_be_read(sentence, workplace: Path) -> None:
    assert "absent.yaml" in sentence("run", "absent.yaml")
    (workplace / "broken.yaml").write_text("name: [a\n")
    assert "broken.yaml at line" in sentence("run", "broken.yaml")
    (workplace / "typo.yaml").write_text("name: a\ndatasets: [mfeat]\nmethods: [dm-gcn]\nscalng: {}\n")
    assert "did you mean 'scaling'" in sentence("run", "typo.yaml", "--dry-run")
    (workplace / "list.yaml").write_text("- a\n")
    assert "mapping" in sentence("run", "list.yaml")
    assert "cannot be read" in sentence("run", workplace)


def test_names_that_nobody_knows(sentence, workplace: Path) -> None:
    assert "did you mean mfeat" in sentence("data", "show", "mfaet")
    assert "absent.h5mu" in sentence("data", "show", "absent.h5mu")
    assert "did you mean dm-gcn" in sentence("methods", "dm-gnc")
    assert "retry is 'done'" in sentence("run", "small.yaml", "--retry", "done")
    assert "ledger" in sentence("report", workplace)


def test_a_place_that_cannot_be_written(sentence, workplace: Path) -> None:
    (workplace / "taken").write_text("a file")
    assert "taken" in sentence("run", "small.yaml", "--out", "taken/run")


def test_a_missing_extra_is_named(sentence, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks_pydantic(*words: object, **options: object) -> None:
        raise ModuleNotFoundError("No module named 'pydantic'", name="pydantic")

    monkeypatch.setattr("mvgraph.bench.run_suite", lacks_pydantic)
    assert "pip install 'mvgraph[bench]'" in sentence("run", "x.yaml")


def test_a_sentence_stays_one_line(sentence, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object, **options: object) -> None:
        raise UserError("first line\n  second line")

    monkeypatch.setattr("mvgraph.bench.run_suite", refuse)
    assert sentence("run", "x.yaml") == "mvgraph: first line second line"


@pytest.mark.parametrize(
    "fault", [ZeroDivisionError("ours"), ModuleNotFoundError("no x", name="x"), OSError("disk")]
)
def test_a_fault_of_ours_is_not_dressed_up(fault, ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: object, **options: object) -> None:
        raise fault

    monkeypatch.setattr("mvgraph.bench.run_suite", fail)
    with pytest.raises(type(fault)):
        ask("run", "x.yaml")


def test_an_interrupt_says_how_to_go_on(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*words: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mvgraph.bench.run_suite", interrupt)
    answer = ask("run", "x.yaml")
    assert answer.code == 130
    assert "continues" in answer.err
