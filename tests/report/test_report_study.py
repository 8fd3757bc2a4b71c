"""The page of a search: complete, pure, offline, and safe whatever a trial says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import plotly.graph_objects
import pytest
import report_chrome as chrome
from study_records import HOSTILE, make_study, make_trial

from mvgraph.report.figures.search import best_so_far
from mvgraph.report.figures.search_space import rail
from mvgraph.report.study import assemble_study, write_study


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The page of the made-up study of an objective, written once."""

    @cache
    def of(objective: str) -> Path:
        return write_study(make_study(objective), tmp_path_factory.mktemp(objective))

    return of


PICTURES = {"search-history", "search-importances", "search-parallel", "search-cost"}


@pytest.mark.parametrize("objective", ["log-loss", "accuracy", "both"])
def test_all_figures_are_there_and_plotly_takes_them(written: Callable[[str], Path], objective: str) -> None:
    report = assemble_study(make_study(objective))
    wanted = PICTURES | ({"search-front"} if objective == "both" else set())
    assert {picture.name for picture in report.pictures} == wanted
    for picture in report.pictures:
        assert picture.png.startswith(b"\x89PNG")
        plotly.graph_objects.Figure(picture.plotly)
    page = written(objective)
    assert page.name == "index.html"
    assert {p.name for p in page.parent.iterdir()} == {"index.html", *(f"{name}.png" for name in wanted)}


def test_the_page_tells_what_happened(written: Callable[[str], Path]) -> None:
    text = written("log-loss").read_text()
    for sentence in (
        "Best validation log-loss: 0.1000 (trial 9)",
        "the settings it began with reach 1.0000",
        "12 trials of odd on tiny, each averaged over 3 inner splits",
        "ArithmeticError: too hot",
        "<strong>10</strong> complete",
        "<strong>1</strong> abandoned",
    ):
        assert sentence in text, sentence
    assert "3 trials on the Pareto front" in written("both").read_text()


def test_the_page_needs_nothing_from_outside(written: Callable[[str], Path]) -> None:
    text = written("log-loss").read_text()
    text = re.sub(r'<script id="plotly".*?</script>', "", text, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", text)
    assert "http://" not in text
    assert "https://" not in text
    assert len(text) < 1_500_000


def test_the_same_study_gives_the_same_bytes(written: Callable[[str], Path], tmp_path: Path) -> None:
    write_study(make_study(), tmp_path / "again")
    hashes = []
    for folder in (written("log-loss").parent, tmp_path / "again"):
        hashes.append({p.name: sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()})
    assert hashes[0] == hashes[1]


def test_what_a_trial_says_is_text_and_never_markup(tmp_path: Path) -> None:
    text = write_study(make_study(hostile=True), tmp_path).read_text()
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert HOSTILE not in text


@pytest.mark.parametrize("kept", [[], [11], [10, 11], [0], [0, 1]])
def test_an_unfinished_study_has_a_page_too(kept: list[int], tmp_path: Path) -> None:
    record = make_study()
    trials = [trial for trial in record.trials if trial.number in kept]
    best = [n for n in kept if record.trial(n).state == "complete"][-1:]
    partial = replace(record, trials=trials, best=best, importances={})
    text = write_study(partial, tmp_path).read_text()
    assert ("No trial is complete yet" in text) == (not best)


def test_the_best_so_far_only_gets_better() -> None:
    assert best_so_far([3.0, 1.0, 2.0, 0.5], "minimize") == [3.0, 1.0, 1.0, 0.5]
    assert best_so_far([0.3, 0.1, 0.9, 0.5], "maximize") == [0.3, 0.3, 0.9, 0.9]


def test_rails_put_numbers_to_scale_and_words_in_order() -> None:
    assert rail("k", [2, 4, 3]).heights == [0.0, 1.0, 0.5]
    assert rail("lr", [1e-4, 1e-2, 1e-3], {"log": True}).heights == pytest.approx([0.0, 1.0, 0.5])
    assert rail("same", [5, 5]).heights == [0.0, 0.0]
    words = rail("kind", ["zscore", "l2", "minmax", "l2"])
    assert words.heights == [1.0, 0.0, 0.5, 0.0]
    assert [text for _, text in words.ticks] == ["l2", "minmax", "zscore"]


def test_trials_of_one_value_are_drawn() -> None:
    record = make_study()
    same = [make_trial(n, values=(0.5,), fit_seconds=1.0, parameters=7) for n in range(3)]
    report = assemble_study(replace(record, trials=same, best=[0], importances={}))
    assert {picture.name for picture in report.pictures} == {"search-history", "search-parallel"}


@pytest.mark.browser
@pytest.mark.skipif(chrome.find() is None, reason=f"no browser here: none of {', '.join(chrome.NAMES)}")
def test_a_browser_draws_every_figure_and_fetches_nothing(written: Callable[[str], Path]) -> None:
    with chrome.Page(str(chrome.find())) as page:
        page.open(written("both"))
        page.run("document.documentElement.drawAll()")
        assert page.run("document.documentElement.dataset.drawn") == "5"
        assert page.errors == []
        assert {url.split(":", 1)[0] for url in page.requests} <= {"file", "data", "blob"}
        assert page.run("document.documentElement.scrollWidth") <= 1280
