"""Which code a number comes from: an installed package and its version, or a hash of sources that can change any day.

Code of mvgraph itself is not looked at here; it has its numerics version. What lies in an installed, released
distribution is known by name and version. Everything else (a file beside a suite, an editable installation, a package
installed from a folder, a notebook) is hashed, with every module it imports that is not released either, through
imports inside functions and of modules that its modules import. Not followed: modules whose names are only known when
they run, and files that the code reads; a `--rerun` is for those.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import inspect
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mvgraph.errors import UserError

#: Packages that have the numerics version instead.
OURS = ("mvgraph", "mvgraph_baselines")


@dataclass(frozen=True)
class CodeIdentity:
    """What tells one state of a piece of code from another.

    Args:
        text: `NAME==VERSION` of a released distribution, or `sha256:...` of sources.
        sources: module -> SHA-256 of its source, for code that is hashed; says which file has changed.
    """

    text: str
    sources: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        return {"identity": self.text, "sources": dict(self.sources)}


def code_identity(thing: Any) -> CodeIdentity | None:
    """Identity of the code of a class or function; None where it is mvgraph's own.

    Raises:
        UserError: a source cannot be read, or has changed since this process imported it, so that what would run is
            not what would be recorded.
    """
    name = str(getattr(thing, "__module__", "") or "")
    if name.partition(".")[0] in OURS:
        return None
    module = sys.modules.get(name)
    path = _file_of(module)
    if path is None:
        return CodeIdentity(f"sha256:{_digest(_texts_of(thing))}")
    released = _released(path)
    if released is not None:
        return CodeIdentity(released)
    sources = {}
    for found, file in sorted(_closure(name, path).items()):
        text = _read(file)
        _check_loaded(found, file, text)
        sources[found] = hashlib.sha256(text.encode()).hexdigest()
    return CodeIdentity(f"sha256:{_digest(sources)}", sources)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _file_of(module: ModuleType | None) -> Path | None:
    file = getattr(module, "__file__", None)
    path = Path(file).resolve() if file else None
    return path if path is not None and path.suffix == ".py" and path.is_file() else None


def _read(path: Path) -> str:
    """The source with line ends alike, so that a checkout on another system is the same code."""
    try:
        return "\n".join(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"The source {path.name} cannot be read ({error}), so its results could go stale."
        ) from None


# ---- sources that belong together -------------------------------------------------------------------------


def _closure(name: str, path: Path) -> dict[str, Path]:
    """Modules of unreleased code that a module reaches by its imports, itself included, with their files."""
    found: dict[str, Path] = {}
    waiting = [(_real_name(name, path), path)]
    while waiting:
        here, file = waiting.pop()
        if here in found:
            continue
        found[here] = file
        is_package = file.name == "__init__.py"
        for asked in _imported(_read(file), here, is_package, file):
            for reached, where in _reached(asked, file.parent, here, is_package):
                if reached not in found:
                    waiting.append((reached, where))
    return found


def _real_name(name: str, path: Path) -> str:
    """A script that is run goes by its file's name, so that it is the same code when it is imported."""
    return path.stem if name == "__main__" else name


def _imported(text: str, name: str, is_package: bool, path: Path) -> Iterator[str]:
    """Absolute names of what a source imports, wherever it does; `from a import b` may mean the module `a.b`."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise UserError(f"The source {path.name} is not valid Python ({error}).") from None
    package = name.split(".") if is_package else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" if stem else alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func
            called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.args[0].value


def _reached(asked: str, folder: Path, here: str, is_package: bool) -> Iterator[tuple[str, Path]]:
    """Unreleased modules that an import of `asked` loads: its packages, and itself where it is a module."""
    parts = asked.split(".")
    if not parts[0] or parts[0] in OURS or parts[0] in sys.stdlib_module_names:
        return
    # The root of the importing code first: it need not be on the path any more.
    depth = here.count(".") + is_package
    root = folder
    for _ in range(depth):
        root = root.parent
    places = [str(root), *sys.path]
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        spec = importlib.machinery.PathFinder.find_spec(name, places)
        if spec is None:
            return
        if spec.origin and spec.origin.endswith(".py"):
            path = Path(spec.origin).resolve()
            if _released(path) is not None:
                return
            yield name, path
        if spec.submodule_search_locations is None:
            return
        places = list(spec.submodule_search_locations)


# ---- released distributions ------------------------------------------------------------------------------


def _released(path: Path) -> str | None:
    """`NAME==VERSION` of the released distribution that a file was installed by, or None.

    One installed from a folder or a repository has a `direct_url.json`: its version stays while its files change.
    """
    for folder in path.parents:
        owner = _owners(folder).get(path.relative_to(folder).parts[0])
        if owner is not None:
            return owner
    return None


@cache
def _owners(folder: Path) -> dict[str, str]:
    """Top-level file or folder -> `NAME==VERSION`, for released distributions installed into this folder."""
    owners: dict[str, str] = {}
    for about in sorted(folder.glob("*.dist-info")):
        record = about / "RECORD"
        if (about / "direct_url.json").is_file() or not record.is_file():
            continue
        name, _, version = about.name.removesuffix(".dist-info").partition("-")
        # The public part: a local label such as "+cpu" names a build.
        owner = f"{name.replace('_', '-').lower()}=={version.partition('+')[0]}"
        for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
            file = line.split(",")[0].strip('"')
            top = file.split("/")[0]
            if file.endswith(".py") and top not in ("..", about.name):
                owners.setdefault(top, owner)
    return owners


# ---- what this process runs -------------------------------------------------------------------------------


def _check_loaded(name: str, path: Path, text: str) -> None:
    """Refuse a source that is not the one this process imported; compared function by function.

    Raises:
        UserError: it has been edited meanwhile.
    """
    module = sys.modules.get(name)
    if _file_of(module) != path or module is None:
        return
    if type(getattr(module.__spec__, "loader", None)) is not importlib.machinery.SourceFileLoader:
        return  # rewritten on its way in, as pytest does with test modules
    compiled = dict(_codes(compile(text, module.__file__ or "", "exec", dont_inherit=True)))
    for qualified, code in _loaded_codes(module):
        if compiled.get(qualified) != code:
            raise UserError(
                f"{path.name} has changed since this process imported it: start Python anew (or reload the module), so "
                "that what runs is what is recorded."
            )


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """Every function inside a compiled source, by its qualified name."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant.co_qualname, constant
            yield from _codes(constant)


def _loaded_codes(module: ModuleType) -> Iterator[tuple[str, CodeType]]:
    """Functions, and methods of classes, that a loaded module defines itself."""
    for thing in vars(module).values():
        members = list(vars(thing).values()) if isinstance(thing, type) else [thing]
        if getattr(thing, "__module__", None) != module.__name__:
            continue
        for member in members:
            function = inspect.unwrap(getattr(member, "__func__", getattr(member, "fget", member)))
            if isinstance(function, FunctionType) and function.__code__.co_filename == module.__file__:
                yield function.__code__.co_qualname, function.__code__


def _texts_of(thing: Any) -> list[str]:
    """Code without a file (a notebook, a prompt): the source of a class and its bases, else what Python compiled."""
    bases = list(inspect.getmro(thing)) if isinstance(thing, type) else [thing]
    own = [c for c in bases if c.__module__.partition(".")[0] not in (*OURS, "builtins", "torch", "abc")]
    texts = []
    for part in own:
        try:
            texts.append(inspect.getsource(part))
        except (OSError, TypeError):
            members = vars(part).values() if isinstance(part, type) else [part]
            codes = [m.__code__ for m in members if isinstance(m, FunctionType)]
            texts += [f"{c.co_qualname} {c.co_code.hex()} {c.co_names} {_plain(c.co_consts)}" for c in codes]
    return texts


def _plain(constants: tuple[Any, ...]) -> list[str]:
    """Constants as text without addresses."""
    return [c.co_code.hex() if isinstance(c, CodeType) else repr(c) for c in constants]
