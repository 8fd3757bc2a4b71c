"""The README keeps its word: its Python runs, its commands and links exist, its leaderboard is the committed one."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys

import pytest
from source import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Code blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_python_blocks_run() -> None:
    """One after the other in one namespace, as a reader would paste them."""
    namespace: dict[str, object] = {}
    printed = io.StringIO()
    assert len(blocks("python")) >= 2
    with contextlib.redirect_stdout(printed):
        for number, block in enumerate(blocks("python")):
            exec(compile(block, f"README.md, Python block {number}", "exec"), namespace)
    found = re.search(r"([\d.]+)% of 1800 test rows; view weights", printed.getvalue())
    assert found is not None
    assert float(found[1]) > 90, "twenty epochs reach more than this on mfeat"


def test_shell_blocks_name_what_exists() -> None:
    pytest.importorskip("typer")
    from typer.main import get_command

    from mvgraph.cli import app

    top = get_command(app)
    commands = top.commands  # type: ignore[attr-defined]
    groups = {"": top, **{name: group for name, group in commands.items() if hasattr(group, "commands")}}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    seen = 0
    for line in "".join(blocks("sh")).splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        if words[0] == "mvgraph":
            group = words[1] if words[1] in groups else ""
            command = groups[group].commands[words[2] if group else words[1]]  # type: ignore[attr-defined]
            options = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in words if word.startswith("--")} <= options, line
            seen += 1
    assert seen >= 5


def test_the_suite_in_it_is_valid() -> None:
    pytest.importorskip("pydantic")
    yaml = pytest.importorskip("yaml")
    from mvgraph.bench import parse_suite

    (block,) = blocks("yaml")
    assert parse_suite(yaml.safe_load(block)).name == "my-suite"


def test_links_lead_somewhere() -> None:
    for path in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / path).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            if not target.startswith("reports/") or (ROOT / "reports" / "quickstart").is_dir():
                assert (ROOT / target).exists(), f"{path} links to {target}"


def test_the_leaderboard_is_the_committed_one() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from update_readme import with_leaderboard
    finally:
        sys.path.pop(0)
    source = ROOT / "reports" / "quickstart" / "leaderboard.md"
    if not source.is_file():
        assert "| rank |" not in TEXT, "a leaderboard without the report it comes from"
        return
    assert with_leaderboard(TEXT, source.read_text(encoding="utf-8")) == TEXT, "`make readme` is due"


def test_the_leaderboard_goes_between_its_markers() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from update_readme import CLOSE, OPEN, with_leaderboard
    finally:
        sys.path.pop(0)
    once = with_leaderboard(f"a\n{OPEN}\nold\n{CLOSE}\nb\n", "| new |\n")
    assert once == f"a\n{OPEN}\n\n| new |\n\n{CLOSE}\nb\n"
    assert with_leaderboard(once, "| new |\n") == once
    for broken in ("nothing", f"{CLOSE} {OPEN}", f"{OPEN} {OPEN} {CLOSE} {CLOSE}"):
        with pytest.raises(ValueError, match="once each"):
            with_leaderboard(broken, "x")


def test_the_contributors_example_is_a_method() -> None:
    import mvgraph as mv
    from mvgraph.contract import check_method

    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "contributing"}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        exec(compile(block, "CONTRIBUTING.md", "exec"), namespace)
    example = namespace["NearestMean"]
    data = mv.load("mfeat")
    result = mv.fit(example, data, mv.make_splits(data, "label-rate", rate=0.1, n=1, seed=0)[0])  # type: ignore[arg-type]
    assert result.probabilities().shape == (2000, 10)
    failures = [str(each) for each in check_method(example) if not each.passed]  # type: ignore[arg-type]
    assert failures == []


def test_contributing_lists_every_room() -> None:
    from source import ROOMS

    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = "".join(line for line in text.splitlines() if line.startswith("| `"))
    places = [
        rows.find(f"{name}.py`") if f"{name}.py`" in rows else rows.find(f"mvgraph/{name}/`")
        for name in ROOMS
    ]
    assert -1 not in places
    assert places == sorted(places), "the table stands in the order of imports"
