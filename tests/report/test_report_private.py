"""No control of any page can open or send anything: each is pressed in a real browser, every way out is watched."""

from __future__ import annotations

from pathlib import Path

import pytest
import report_chrome as chrome
import report_runs
from report_watch import Watched
from study_records import make_study

from mvgraph.report import write
from mvgraph.report.page import PLOTLY_CONFIG, policy
from mvgraph.report.study import assemble_study, write_study
from mvgraph.reproduce import document

browser = [
    pytest.mark.browser,
    pytest.mark.skipif(chrome.find() is None, reason=f"no browser here: none of {', '.join(chrome.NAMES)}"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every kind of page that mvgraph writes; an audit is Markdown, JSON and a picture."""
    folder = tmp_path_factory.mktemp("pages")
    run = folder / "run"
    cells = report_runs.make_cells(["dm-gcn", "concat-logreg", "dm-gcn@shuffled"], ["a", "b"], 1, [0])
    report_runs.write_run(run, cells)
    study = make_study("both")
    table = document.Table("t", "Table", ("x",), (("1",),))
    section = document.Section("Part", ("Words.",), (table,), tuple(assemble_study(study).pictures[:1]))
    return {
        "report": write(run),
        "study": write_study(study, folder / "study"),
        "reproduce": document.write(
            document.Document("Paper", "simulated", (section,)), folder / "reproduce"
        ),
    }


@pytest.mark.parametrize("kind", ["report", "study", "reproduce"])
def test_every_page_carries_the_policy(pages: dict[str, Path], kind: str) -> None:
    text = pages[kind].read_text(encoding="utf-8")
    found = policy(scripts=kind != "reproduce")
    assert text.index(found) < text.index("<style"), "a policy holds for what comes after it"
    for rule in ("default-src 'none'", "connect-src 'none'", "form-action 'none'", "base-uri 'none'"):
        assert rule in found


@pytest.mark.parametrize("kind", ["report", "study", "reproduce"])
class TestInABrowser:
    pytestmark = browser

    def test_nothing_that_can_be_pressed_opens_or_sends(self, pages: dict[str, Path], kind: str) -> None:
        with Watched(str(chrome.find())) as page:
            page.open(pages[kind])
            if kind != "reproduce":
                page.run("document.documentElement.drawAll()")
                assert page.run("document.querySelectorAll('.modebar-btn').length") >= 8
            start = page.run("location.href")
            pressed = page.press_everything()
            assert bool(pressed) == (kind != "reproduce"), "a reproduction has no control at all"
            for name in pressed:
                assert not any(word in name.lower() for word in ("share", "cloud", "plotly", "edit")), name
            assert page.ways_out == []
            assert page.pages_opened == 0
            assert page.requested <= {"file", "data", "blob"}
            assert sum(url.startswith("file:") for url in page.requests) == 1
            assert page.run("location.href").split("#")[0] == start.split("#")[0]
            assert page.run("[...document.querySelectorAll('a[href], area[href], form, iframe, object, embed')]"
                            ".every(e => (e.getAttribute('href') || '').startsWith('#'))")  # fmt: skip


class TestTheWatchAndThePolicy:
    """That the checks above could fail."""

    pytestmark = browser

    def test_plotlys_own_defaults_would_be_seen_and_the_policy_stops_the_rest(
        self, pages: dict[str, Path]
    ) -> None:
        with Watched(str(chrome.find())) as page:
            page.open(pages["report"])
            page.run("document.documentElement.drawAll()")
            page.run(
                "document.body.insertAdjacentHTML('beforeend', '<div id=bare></div>');"
                "Plotly.newPlot('bare', [{y: [1, 2]}], {}, {displayModeBar: true}).then(() => 0)"
            )
            buttons = "[...document.querySelectorAll('#bare .modebar-btn')]"
            assert any("Share" in name for name in page.run(f"{buttons}.map(b => b.dataset.title)"))
            page.run(f"{buttons}.find(b => /Share/.test(b.dataset.title)).click()")
            page.run(
                "[...document.querySelectorAll('button')].find(b => b.textContent.trim() === 'Share').click()"
            )
            page.wait("window.waysOut.length > 0")
            assert page.ways_out[0].startswith("window.open https://")
            page.run(
                "Plotly.newPlot('bare', [{y: [1, 2]}], {}, {displayModeBar: true, displaylogo: true}).then(() => 0)"
            )
            page.run("document.querySelector('#bare .modebar-btn--logo').click()")
            assert any(way.startswith("link https://") for way in page.ways_out)

    def test_the_policy_stops_what_a_script_would_send(self, pages: dict[str, Path]) -> None:
        with chrome.Page(str(chrome.find())) as page:
            page.open(pages["report"])
            page.run(
                "window.stopped = [];"
                "addEventListener('securitypolicyviolation', (e) => stopped.push(e.effectiveDirective));"
                "fetch('https://example.invalid/').catch(() => 0); navigator.sendBeacon('https://example.invalid/');"
                "new Image().src = 'https://example.invalid/x.png';"
                "document.body.insertAdjacentHTML('beforeend', '<form id=f action=\"https://example.invalid/\"></form>');"
                "document.getElementById('f').submit()"
            )
            page.wait("new Set(stopped).size >= 3")
            assert set(page.run("stopped")) == {"connect-src", "img-src", "form-action"}
            assert page.run("location.protocol") == "file:"


def test_one_configuration_switches_off_what_plotly_can_send() -> None:
    assert PLOTLY_CONFIG["showSendToCloud"] is False
    assert PLOTLY_CONFIG["displaylogo"] is False
    assert PLOTLY_CONFIG["plotlyServerURL"] == ""
