"""The documentation keeps its word: its Python and its commands run and print what it says."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docs_pages import DOCS, Block, blocks, pages

ROOT = DOCS.parent
#: A figure on a page was measured on some machine: on another it may differ by this share, or by two units of its
#: last digit. Whole numbers are counts and must be equal.
TOLERANCE = 0.05
_TOKEN = re.compile(r"(?P<any>\.\.\.)|(?P<measured>\d+\.\d+|\d+(?=%))|(?P<space>\s+)|(?P<other>.)", re.DOTALL)
WITH_CODE = [page for page in pages() if any(b.language in ("python", "sh") for b in blocks(page))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder, whose modules can be imported and are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "110")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        origin = getattr(sys.modules[name], "__file__", None)
        if origin and Path(origin).is_relative_to(tmp_path):
            del sys.modules[name]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_code_runs(page: Path, folder: Path) -> None:
    pytest.importorskip("typer")
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        printed = perform(block, folder, namespace)
        if block.expected is not None and block.runs:
            assert agrees(block.expected, printed), (
                f"{block.place} prints\n{printed}\nbut the page says\n{block.expected}"
            )


def agrees(expected: str, printed: str) -> bool:
    """Whether a page tells what was printed: `...` is anything, blanks are alike, measured figures are near."""
    pattern, figures = "", []
    for token in _TOKEN.finditer(expected.strip()):
        kind, text = token.lastgroup, token[0]
        if kind == "measured":
            pattern += r"(\d+(?:\.\d+)?)"
            figures.append(text)
        else:
            pattern += {"any": ".*", "space": r"\s+"}.get(kind or "", re.escape(text))
    match = re.fullmatch(pattern, printed.strip(), re.DOTALL)
    return match is not None and all(map(near, figures, match.groups()))


def near(expected: str, printed: str) -> bool:
    """Whether a figure is the page's, give or take what machines differ by."""
    last_digit = 10.0 ** -len(expected.partition(".")[2])
    gap = abs(float(expected) - float(printed))
    return gap <= max(TOLERANCE * float(expected), 2.000001 * last_digit)


def perform(block: Block, folder: Path, namespace: dict[str, Any]) -> str:
    """Write the file that a block is, or run it; what it printed."""
    if block.caption:
        path = folder / block.caption
        assert path.resolve().is_relative_to(folder.resolve()), block.place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code, encoding="utf-8")
        return ""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if block.language == "python" and block.runs:
            # Padded, so that a traceback names the line of the page.
            padded = "\n" * (block.line - 1) + block.code
            exec(compile(padded, str(block.page), "exec"), namespace)
        elif block.language == "sh":
            for words in commands(block):
                check_words(words, block)
                if block.runs:
                    run_words(words, block)
    return printed.getvalue()


def commands(block: Block) -> list[list[str]]:
    """The words of each line, without comments; a backslash goes on in the next line."""
    lines = block.code.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def run_words(words: list[str], block: Block) -> None:
    """Run a line of ours in this process."""
    if words[0] != "mvgraph":
        return
    from mvgraph.cli import run_command_line

    complaint = io.StringIO()
    with contextlib.redirect_stderr(complaint):
        code = run_command_line(words[1:])
    assert code == 0, f"{block.place}: {shlex.join(words)} ended with {code}: {complaint.getvalue()}"


def check_words(words: list[str], block: Block) -> None:
    """Commands, options and make targets exist."""
    line = f"{block.place}: {shlex.join(words)}"
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = [word for word in words[1:] if "=" not in word]
        assert all(re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE) for target in targets), line
    if words[0] != "mvgraph" or len(words) == 1:
        return
    from typer.main import get_command

    from mvgraph.cli import app

    command: Any = get_command(app)
    rest = words[1:]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"{line}: there is no command {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, line


def test_code_fits_its_column() -> None:
    long = [
        f"{block.place}: {line}"
        for page in pages()
        for block in blocks(page)
        for line in block.code.splitlines()
        if len(line) > 88 and not block.language.startswith("{")
    ]
    assert long == []


def test_every_extra_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (DOCS / "install.md").read_text(encoding="utf-8")
    extras = project["optional-dependencies"]
    assert set(re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE)) == set(extras)


def test_there_are_pages_with_code() -> None:
    assert len(WITH_CODE) >= 5


def test_files_of_a_suite_are_valid() -> None:
    pytest.importorskip("pydantic")
    yaml = pytest.importorskip("yaml")
    from mvgraph.bench import parse_suite

    found = [(page, b) for page in pages() for b in blocks(page) if b.language == "yaml"]
    for page, block in found:
        content = yaml.safe_load(block.code)
        if "methods" in content:
            parse_suite(content, where=f"{page.name}:{block.line}")
    assert found


def test_blocks_are_read_as_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# T\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\n"
        "% not run: it trains for an hour\n```sh\nmvgraph run a.yaml\n```\n\n"
        "Words.\n\n```text\nnot an output\n```\n\n"
        "````{code-block} yaml\n:caption: suite.yaml\n\nname: x\n````\n",
        encoding="utf-8",
    )
    first, second, third, fourth = blocks(page)
    assert (first.code, first.expected, first.line, first.runs) == ("print(1)\n", "1\n", 4, True)
    assert (second.language, second.runs, second.expected) == ("sh", False, None)
    assert third.language == "text"
    assert (fourth.language, fourth.caption, fourth.code) == ("yaml", "suite.yaml", "\nname: x\n")


def test_a_wrong_output_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n```text\n3\n```\n", encoding="utf-8")
    (block,) = blocks(page)
    printed = perform(block, tmp_path, {})
    assert not agrees(block.expected or "", printed)


@pytest.mark.parametrize(
    ("expected", "printed", "right"),
    [
        ("a  b\n", "a\nb", True),
        ("a ... d", "a b c d", True),
        ("a ... d", "a b c", False),
        ("96.3% of 1800", "95.1% of 1800", True),
        ("96.3% of 1800", "89.0% of 1800", False),
        ("96.3% of 1800", "96.3% of 1801", False),
        ("theta 0.16", "theta 0.18", True),
        ("theta 0.16", "theta 0.19", False),
    ],
)
def test_outputs_are_compared_as_said(expected: str, printed: str, right: bool) -> None:
    assert agrees(expected, printed) is right


def test_a_wrong_command_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\nmvgraph data lisst\n```\n```sh\nmvgraph run x --no-such\n```\n", encoding="utf-8")
    for block in blocks(page):
        (words,) = commands(block)
        with pytest.raises(AssertionError):
            check_words(words, block)
