"""Pages of the documentation as code: their fenced blocks in order, and how a page's folder is filled.

- ```` ```python ```` runs; the blocks of a page share one namespace and one empty working folder.
- ```` ```{code-block} LANGUAGE ```` with `:caption: PATH` is a file at that path in the folder.
- ```` ```sh ````: lines that begin with `mvgraph` run, unless the line above the block is `% not run: REASON`;
  then their words are checked only.
- ```` ```text ```` straight after one of these is what it prints; `...` stands for anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"

_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL
)
_OPTION = re.compile(r"^:(?P<key>[\w-]+):[ \t]*(?P<value>.*)\n", re.MULTILINE)
_NOT_RUN = re.compile(r"^% not run: \S.*\n\Z", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Args:
        page: its page; line: where its code begins, from 1.
        language: "python", "sh", "yaml", ...; a directive that shows no code has its name in braces.
        code: what stands in it, without options.
        caption: path of the file it is, or "".
        runs: False when the page says that it is not run.
        expected: what it prints, None when the page does not say.
    """

    page: Path
    line: int
    language: str
    code: str
    caption: str = ""
    runs: bool = True
    expected: str | None = None

    @property
    def place(self) -> str:
        """Page and line, for messages."""
        return f"{self.page.name}:{self.line}"


def pages() -> list[Path]:
    """Every page, by path."""
    return sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in order, each with the output that stands under it."""
    return list(_with_outputs(page, page.read_text(encoding="utf-8")))


def _with_outputs(page: Path, text: str) -> Iterator[Block]:
    waiting: Block | None = None
    end = 0
    for match in _FENCE.finditer(text):
        between = text[end : match.start()]
        end = match.end()
        block = _block(page, text, match)
        if block.language == "text" and waiting is not None and not between.strip():
            yield Block(**{**vars(waiting), "expected": block.code})
            waiting = None
            continue
        if waiting is not None:
            yield waiting
        waiting = block
    if waiting is not None:
        yield waiting


def _block(page: Path, text: str, match: re.Match[str]) -> Block:
    words = match["info"].split()
    first = words[0] if words else ""
    body, caption = match["body"], ""
    start = match.start("body")
    language = first
    if first == "{code-block}":
        language = words[1]
        while option := _OPTION.match(body):
            caption = option["value"].strip() if option["key"] == "caption" else caption
            body = body[option.end() :]
            start += option.end()
    line = text.count("\n", 0, start) + 1
    return Block(page, line, language, body, caption, _NOT_RUN.search(text[: match.start()]) is None)
