"""`mvgraph audit`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

WORDS = ("audit", "small.h5mu", "--epochs", "3", "--k", "4", "--baselines", "concat-logreg")


def test_an_audit_ends_with_its_sentence(workplace: Path, ask: Callable[..., object]) -> None:
    answer = ask(*WORDS, "--methods", "mean-gcn", "--out", "here")
    assert answer.code == 0, answer
    content = json.loads((workplace / "here" / "audit.json").read_text())
    assert content["group"] == "city"
    assert answer.out.rstrip().splitlines()[-1] == content["sentence"]
    assert "no edges inside a city" in answer.out
    assert (workplace / "here" / "audit.png").is_file()
    again = ask(*WORDS, "--methods", "mean-gcn", "--out", "here")
    assert again.out == answer.out


def test_files_that_are_no_audit_are_kept(workplace: Path, sentence: Callable[..., str]) -> None:
    (workplace / "here").mkdir()
    (workplace / "here" / "audit.md").write_text("of last year")
    assert "here/audit.md is there already" in sentence(*WORDS, "--out", "here")
    assert (workplace / "here" / "audit.md").read_text() == "of last year"


def test_the_split_may_keep_groups_together(workplace: Path, ask: Callable[..., object]) -> None:
    answer = ask(*WORDS, "--split", "group", "--group", "city", "--scaling", "none")
    assert answer.code == 0, answer
    (written,) = (workplace / "audits").rglob("audit.json")
    crossing = json.loads(written.read_text())["figures"]["crossing"]["city"]
    assert set(crossing.values()) == {0}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--group", "clip"), "no group 'clip'"),
        (("--methods", "dm_gcn"), "did you mean dm-gcn"),
        (("--methods", "concat-mlp"), "uses no graph"),
        (("--k", "0"), "--k"),
        (("--split", "leave"), "no split scheme 'leave'"),
    ],
)
def test_mistakes(workplace: Path, sentence: Callable[..., str], more: tuple[str, ...], says: str) -> None:
    assert says in sentence(*WORDS, *more)


def test_help_has_examples(ask: Callable[..., object]) -> None:
    for words in (("audit",), ("embed",), ("data", "simulate-tau"), ("data", "check")):
        answer = ask(*words, "--help")
        assert answer.code == 0
        lines = answer.out.partition("Examples:\n")[2].splitlines()
        assert lines[0].strip().startswith(f"mvgraph {' '.join(words)} ")
