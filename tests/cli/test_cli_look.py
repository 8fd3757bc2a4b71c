"""Commands that only look: data, methods, env; and the tables they print."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mvgraph import registry
from mvgraph.cli.output import facts, plain_table, short, table


def test_data_list_reads_nothing(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvgraph.data.sets.mfeat.Mfeat.read", lambda: pytest.fail("data was read"))
    answer = ask("data", "list")
    assert answer.code == 0
    line = next(line for line in answer.out.splitlines() if line.startswith("mfeat "))
    assert "2000 samples, 6 views" in line
    assert "CC BY 4.0" in line


def test_data_show_of_a_name(ask) -> None:
    from mvgraph.data import load

    answer = ask("data", "show", "mfeat")
    assert answer.code == 0
    assert re.search(r"^pix +240 +100\.0$", answer.out, re.MULTILINE)
    assert re.search(r"^7 +200$", answer.out, re.MULTILINE)
    assert load("mfeat").fingerprint.digest in answer.out
    assert "Duin" in answer.out


def test_data_show_of_a_file(ask, workplace: Path) -> None:
    answer = ask("data", "show", "small.h5mu")
    assert re.search(r"^sight +4 +75\.0$", answer.out, re.MULTILINE)
    assert re.search(r"^tram +16$", answer.out, re.MULTILINE)
    assert re.search(r"^city +4$", answer.out, re.MULTILINE)


def test_data_show_without_a_fingerprint_reads_no_view(
    ask, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mvgraph.data.h5mu._ViewReader.__call__", lambda *_: pytest.fail("a view was read"))
    answer = ask("data", "show", "small.h5mu", "--no-fingerprint")
    assert answer.code == 0
    assert "Fingerprint" not in answer.out


def test_methods_lists_every_method(ask) -> None:
    answer = ask("methods")
    for name in registry.methods.names():
        assert re.search(rf"^{re.escape(name)}(:<\w+>)?$", answer.out, re.MULTILINE), name
    assert "@identity and @inductive and @no-siblings and @shuffled" in answer.out


def test_methods_as_json(ask) -> None:
    described = {about["name"]: about for about in json.loads(ask("methods", "--json").out)}
    assert len(described) == len(registry.methods.names())
    dm_gcn = described["dm-gcn"]
    assert set(dm_gcn) == {"name", "title", "tags", "options", "search_space", "origin", "paper"}
    assert dm_gcn["tags"]["uses_graph"] is True
    assert dm_gcn["options"]["dropout"] == 0.5
    assert dm_gcn["search_space"]["lr"]["kind"] == "float"
    assert dm_gcn["origin"] == "mvgraph"


def test_methods_shows_one(ask) -> None:
    (about,) = json.loads(ask("methods", "pyg:GATConv", "--json").out)
    assert about["name"] == "pyg:GATConv"
    assert about["options"]["conv"] == "GATConv"


def test_a_broken_method_of_another_package_spoils_nothing(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = registry.Entry("broken", "no_such_package:Method", "somebody")
    monkeypatch.setitem(registry.methods.entries, "broken", broken)
    answer = ask("methods")
    assert answer.code == 0
    assert "no_such_package" in answer.out
    assert "dm-gcn" in answer.out


def test_env_names_versions_and_extras(ask) -> None:
    answer = ask("env")
    assert answer.code == 0
    assert re.search(r"^torch +\d", answer.out, re.MULTILINE)
    found = json.loads(ask("env", "--json").out)
    assert set(found) == {"environment", "versions", "extras"}
    assert set(found["extras"]) >= {"bench", "media", "ray", "faiss", "dev"}
    assert "typer" not in found["extras"]["bench"]


def test_env_tells_what_an_extra_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    from mvgraph.cli.env import installed_extras

    monkeypatch.setattr("mvgraph.cli.env._is_installed", lambda name: name not in {"av", "ray"})
    found = installed_extras()
    assert found["media"] == ["av"]
    assert found["ray"] == ["ray"]
    assert found["faiss"] == []


def test_plain_tables_are_aligned() -> None:
    assert plain_table(("Name", "N"), [("a", "1"), ("long name", "200")]).splitlines() == [
        "Name         N",
        "---------  ---",
        "a            1",
        "long name  200",
    ]


def test_a_terminal_gets_a_drawn_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    table(("Name", "N"), [("[bold]a", "1")])
    printed = capsys.readouterr().out
    assert "─" in printed
    assert "[bold]a" in printed, "a name is no markup"


def test_facts_leave_out_what_is_empty_and_break_no_path(capsys: pytest.CaptureFixture[str]) -> None:
    path = "sqlite:///" + "very-long-folder/" * 12 + "mlflow.db"
    facts([("one", ""), ("two", path), ("three", None)])
    printed = capsys.readouterr().out
    assert path in printed
    assert "one" not in printed
    assert "three" not in printed


def test_short_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert short(tmp_path / "runs" / "a") == "runs/a"
    assert short(Path("/elsewhere/a")) == "/elsewhere/a"
