"""The page in a real browser: figures are drawn, nothing complains, nothing is fetched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import report_chrome as chrome

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chrome.find() is None, reason=f"no browser here: none of {', '.join(chrome.NAMES)}"),
]


@pytest.fixture
def page(unfinished: Path) -> Iterator[chrome.Page]:
    with chrome.Page(str(chrome.find())) as found:
        found.open(unfinished / "report" / "index.html")
        yield found


def assert_quiet(page: chrome.Page) -> None:
    assert page.errors == []
    assert {url.split(":", 1)[0] for url in page.requests} <= {"file", "data", "blob"}
    assert sum(url.startswith("file:") for url in page.requests) == 1


def test_every_figure_is_drawn_without_errors_or_requests(page: chrome.Page) -> None:
    page.run("document.documentElement.drawAll()")
    drawn, planned = page.run(
        "[document.documentElement.dataset.drawn, document.documentElement.dataset.figures]"
    )
    assert drawn == planned
    assert int(drawn) >= 8
    assert page.run("document.querySelectorAll('.plot svg.main-svg').length") >= 8
    # Each drawn figure really holds marks, and its picture made room.
    assert page.run(
        "[...document.querySelectorAll('[data-figure]')].every(h =>"
        " h.querySelector('.trace, .heatmaplayer image, .bars path, .hm') && h.querySelector('img').hidden)"
    )
    assert_quiet(page)


def test_figures_near_the_reader_are_drawn_by_themselves(page: chrome.Page) -> None:
    page.run("document.querySelector('[data-figure]').scrollIntoView()")
    page.wait("Number(document.documentElement.dataset.drawn) > 0")
    assert_quiet(page)


def test_the_page_is_no_wider_than_a_small_screen(page: chrome.Page) -> None:
    page.run("document.documentElement.drawAll()")
    assert page.run("document.documentElement.scrollWidth") <= 1280


def test_a_table_is_sorted_by_a_click_and_back_again(page: chrome.Page) -> None:
    column = "[...document.querySelector('table.sortable').tBodies[0].rows].map(r => r.cells[2].textContent)"
    names = "[...document.querySelector('table.sortable').tBodies[0].rows].map(r => r.cells[1].textContent.trim())"
    click = "document.querySelectorAll('table.sortable thead th')[2].querySelector('button').click()"
    before = page.run(names)
    page.run(click)
    down = [float(v) for v in page.run(column)]
    assert down == sorted(down, reverse=True)
    page.run(click)
    up = [float(v) for v in page.run(column)]
    assert up == sorted(up)
    assert page.run("document.querySelectorAll('th[aria-sort=ascending]').length") == 1
    page.run(click)
    assert page.run(names) == before


def test_the_switch_shows_the_leaderboard_of_the_chosen_figure_and_changes_no_number(
    page: chrome.Page,
) -> None:
    everything = "document.querySelector('main').textContent"
    shown = (
        "[...new Set([...document.querySelectorAll('[data-rank-by]')]"
        ".filter(p => !p.hidden).map(p => p.dataset.rankBy))]"
    )
    before = page.run(everything)
    assert page.run("document.querySelector('fieldset.switch').hidden") is False
    assert page.run(shown) == ["accuracy"]
    boards = {}
    for name in ("log-loss", "macro-f1", "macro-accuracy", "accuracy"):
        page.run(f"document.querySelector('[name=rank-by][value={name}]').click()")
        assert page.run(shown) == [name]
        boards[name] = page.run(
            "[...document.querySelectorAll('table.sortable')].find(t => t.offsetParent).tBodies[0].textContent"
        )
    assert len(set(boards.values())) == len(boards)
    assert page.run(everything) == before
    assert_quiet(page)


def test_dark_is_dark_and_light_is_light(page: chrome.Page) -> None:
    page.run("document.documentElement.drawAll()")
    ink = "getComputedStyle(document.querySelector('.plot svg text')).fill"
    colours = {}
    for scheme in ("light", "dark"):
        page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        page.wait(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
        time.sleep(1.0)
        colours[scheme] = (page.run("getComputedStyle(document.body).backgroundColor"), page.run(ink))
    assert colours["light"][0] == "rgb(255, 255, 255)"
    assert colours["dark"][0] == "rgb(21, 24, 28)"
    assert colours["light"][1] != colours["dark"][1]
    assert_quiet(page)


def test_without_scripts_the_pictures_stay(unfinished: Path) -> None:
    with chrome.Page(str(chrome.find())) as page:
        page.send("Emulation.setScriptExecutionDisabled", value=True)
        page.open(unfinished / "report" / "index.html")
        shown = page.run(
            "[...document.querySelectorAll('.plot img')]"
            ".filter(i => i.complete && i.naturalWidth > 300 && !i.hidden).length"
        )
        assert shown >= 8
        assert page.run("document.documentElement.dataset.drawn === undefined")
        assert_quiet(page)
