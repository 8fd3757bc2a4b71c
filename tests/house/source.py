"""The source of mvgraph as syntax trees, for tests about how the house is built."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mvgraph"
BASELINES = ROOT / "baselines" / "mvgraph_baselines"
#: Rooms from the ground floor up; each imports only from those before it.
ROOMS = (
    "errors",
    "registry",
    "display",
    "numerics",
    "code_identity",
    "data",
    "features",
    "graph",
    "fusion",
    "training",
    "serving",
    "contract",
    "evaluation",
    "bench",
    "tuning",
    "tracking",
    "report",
    "audit",
    "reproduce",
    "cli",
)


def files(folder: Path) -> list[Path]:
    """Python files below a folder."""
    return sorted(folder.rglob("*.py"))


def shown(path: Path) -> str:
    """A path as it stands in the repository."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), shown(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a file imports, wherever in the file it does; `from a import b` is `a.b`."""
    package = list(path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)


def room(path: Path) -> str | None:
    """The room a file of mvgraph stands in; None for `mvgraph/__init__.py` and `mvgraph/__main__.py`."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return None if first.startswith("__") else first
