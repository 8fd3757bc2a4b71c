"""What is said while something is fetched."""

from __future__ import annotations

import io
import sys

import pytest

from mvgraph.data.progress import shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_line_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with shown("the set", 12_300_000) as report:
        report(1)
        report(12_300_000)
    with shown("another", None):
        pass
    assert (
        capsys.readouterr().err == "mvgraph: fetching the set (12.3 MB) ...\nmvgraph: fetching another ...\n"
    )


def test_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with shown("the set", 1000) as report:
        report(500)
    assert "the set" in terminal.getvalue()
    assert "fetching" not in terminal.getvalue()


def test_a_terminal_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for name in ("rich.console", "rich.progress"):
        monkeypatch.setitem(sys.modules, name, None)
    with shown("the set", 1000):
        pass
    assert terminal.getvalue() == "mvgraph: fetching the set (0.0 MB) ...\n"
