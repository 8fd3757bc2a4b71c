"""What a notebook shows: the bar that changes in place, and tables that nothing in the data can break out of."""

from __future__ import annotations

import io
import re
import sys
import types
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from mvgraph import display
from mvgraph.bench.executor import Outcome
from mvgraph.bench.progress import make_progress
from mvgraph.cli.progress import bar
from mvgraph.data import Card, MultiViewData, Split
from mvgraph.data.progress import shown
from mvgraph.display import NotebookBar, html_table, surface
from mvgraph.graph import build_graph
from mvgraph.training.fit import fit
from mvgraph.tuning.record import StudyRecord, TrialRecord

EVIL = "<script>alert('&')</script>"
VIEW = "near <b>"


class Page(HTMLParser):
    """Checks that tags nest, and keeps tags, attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page_of(thing: Any) -> Page:
    """The object's HTML, which loads nothing, runs nothing and sets no colour of its own."""
    text = thing._repr_html_()
    page = Page(text)
    assert set(page.tags) <= {"div", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert set(page.attributes) <= {"style"}
    assert "url(" not in text
    assert set(re.findall(r"color:([^;\"]+)", text)) <= {"inherit"}
    assert set(re.findall(r"background:([^;\"]+)", text)) <= {"transparent"}
    assert len(text) < 10_000
    return page


@pytest.fixture(scope="module")
def data() -> MultiViewData:
    rng = np.random.default_rng(0)
    labels = np.array(["a", EVIL, "c"])[np.arange(30) % 3]
    views = {VIEW: rng.normal(size=(30, 4)), "far": rng.normal(size=(30, 2))}
    observed = {VIEW: np.ones(30, bool), "far": np.arange(30) >= 3}
    return MultiViewData.from_arrays(views, labels, observed=observed, card=Card(name=EVIL))


def test_data_shows_views_classes_and_what_is_observed(data: MultiViewData) -> None:
    page = page_of(data)
    assert page.texts[:2] == [f"MultiViewData {EVIL}", "30 samples, 2 views, 3 classes"]
    at = page.texts.index("far")
    assert page.texts[at : at + 3] == ["far", "2", "90.0 %"]
    assert page.texts[page.texts.index("a") + 1] == "10"
    assert page.texts.count(EVIL) == 1
    assert page.texts.count(VIEW) == 1


def test_split_graph_and_fit_show_themselves(data: MultiViewData) -> None:
    split = Split(np.arange(12), np.arange(12, 18), np.arange(18, 30))
    assert page_of(split).texts == [
        "Split given",
        "part",
        "rows",
        "train",
        "12",
        "validation",
        "6",
        "test",
        "12",
    ]
    graph = build_graph(data, k=3)
    page = page_of(graph)
    assert page.texts[0] == "MultiViewGraph of 30 nodes"
    edges = graph.n_edges["far"]
    at = page.texts.index("far")
    assert page.texts[at : at + 3] == ["far", str(edges), f"{edges / 30:.1f}"]
    result = fit("dm-gcn", data, split, graph, training={"epochs": 2}, seed=3)
    page = page_of(result)
    assert page.texts[0] == "FitResult of dm-gcn"
    assert page.texts[1].startswith(f"{result.parameters} parameters, seed 3, ")
    at = page.texts.index("test_accuracy")
    assert page.texts[at + 1] == f"{result.curves['test_accuracy'][-1]:.4f}"


def test_a_study_shows_its_best_trial() -> None:
    trials = [
        TrialRecord(0, "complete", {"training.lr": 0.1}, values=[0.5]),
        TrialRecord(1, "failed", {}),
        TrialRecord(2, "complete", {"training.lr": EVIL}, values=[0.25]),
    ]
    record = StudyRecord("s", {"figures": [["log_loss", "minimize"]]}, trials, [2], {}, "", {}, {})
    page = page_of(record)
    assert page.texts[:2] == ["Study s", "trials: 2 complete, 1 failed"]
    assert page.texts[-3:] == ["2", "0.2500", f'{{"training.lr": "{EVIL}"}}']
    assert page_of(StudyRecord("s", {"figures": []}, [], [], {}, "", {}, {})).texts[1] == "trials: none yet"


def test_a_long_table_says_how_much_it_leaves_out() -> None:
    page = Page(html_table(["n"], ([n] for n in range(40))))
    assert page.tags.count("td") == display.ROWS
    assert page.texts[-1] == f"and {40 - display.ROWS} more"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a kernel's output shows; IPython itself is no dependency, so its two functions are stood in for."""
    outputs: list[str] = []

    class Handle:
        def update(self, html: str) -> None:
            outputs[-1] = html

    def show(html: str, display_id: bool) -> Handle:
        assert display_id
        outputs.append(html)
        return Handle()

    ipython = types.ModuleType("IPython")
    shown_module = types.ModuleType("IPython.display")
    shown_module.__dict__.update(HTML=str, display=show)
    ipython.__dict__.update(display=shown_module, get_ipython=lambda: types.SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shown_module)
    return outputs


def test_where_somebody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert surface() == "plain"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert surface() == "bar"
    # IPython in a terminal has a shell, but no kernel.
    ipython = types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert surface() == "bar"


def test_a_notebook_has_one_bar_that_ends_at_its_last_state(drawn: list[str]) -> None:
    assert surface() == "notebook"
    watched = NotebookBar(EVIL, 3)
    for _ in range(3):
        watched.advance()
    watched.close()
    assert len(drawn) == 1
    page = Page(drawn[0])
    assert page.tags == ["div", "progress"]
    assert "".join(page.texts).startswith(f" 3/3 {EVIL} (")
    assert 'value="3" max="3"' in drawn[0]


def test_downloads_and_commands_have_a_bar_in_a_notebook(drawn: list[str]) -> None:
    with shown("the set", 12_000) as report:
        report(9_000)
    with shown("another", None) as report:
        report(9_000)
    with bar("clips") as progress:
        progress(2, 5)
    texts = ["".join(Page(html).texts).rpartition(" (")[0].strip() for html in drawn]
    assert texts == ["9/12 kB of the set", "9 kB of another", "2/5 clips"]


def test_a_run_tells_below_its_bar_what_did_not_end_well(
    drawn: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cell: Any = types.SimpleNamespace(dataset="d", label="m", split={"index": 0}, seed=1)
    progress = make_progress("auto")
    progress.begin(2, "s: 2 cells.")
    for outcome in (Outcome(cell, "done"), Outcome(cell, "failed", reason="no luck")):
        progress.started(cell)
        progress.ended(outcome, 1.0)
    progress.close()
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "s: 2 cells."
    assert len(out) == 2
    assert out[1].endswith("(no luck)")
    assert "".join(Page(drawn[0]).texts).startswith(" 2/2 cells (")
