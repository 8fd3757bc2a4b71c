"""What no file of ours may hold: pickles, unsafe loaders, very long modules, public names without a word on them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from source import BASELINES, PACKAGE, ROOT, files, imports, shown, tree

SOURCES = [*files(PACKAGE), *files(BASELINES), *files(ROOT / "scripts")]
LONGEST = 400
#: Modules that run code when they read.
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}


def test_modules_are_short() -> None:
    lines = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: n for name, n in lines.items() if n >= LONGEST} == {}, "split them by ideas"


def test_nothing_is_unpickled() -> None:
    found = {shown(path): unsafe(tree(path), {n.split(".")[0] for _, n in imports(path)}) for path in SOURCES}
    assert {name: problems for name, problems in found.items() if problems} == {}


def unsafe(module: ast.Module, imported: set[str]) -> list[str]:
    """Every way in which a file's source may run code out of a data file."""
    found = [f"imports {name}" for name in sorted(imported & PICKLES)]
    safe_loaders = {
        node.name
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef) and "yaml.SafeLoader" in map(ast.unparse, node.bases)
    } | {"yaml.SafeLoader", "yaml.CSafeLoader"}
    for node in ast.walk(module):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        line = f"line {node.lineno}: {name}"
        if name.endswith(("read_pickle", "to_pickle")) or name in {"eval", "exec"}:
            found.append(line)
        if name in {"yaml.unsafe_load", "yaml.full_load"}:
            found.append(line)
        if name == "yaml.load" and given.get("Loader") not in safe_loaders:
            found.append(f"{line} without a safe loader")
        if name == "torch.load" and given.get("weights_only") != "True":
            found.append(f"{line} without weights_only=True")
        if given.get("allow_pickle", "False") != "False":
            found.append(f"{line} with allow_pickle")
    return found


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "yaml.load(x)",
        "yaml.load(x, Loader=yaml.FullLoader)",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "np.load(p, allow_pickle=True)",
        "pd.read_pickle(p)",
        "eval(x)",
    ],
)
def test_unsafe_reading_would_be_seen(text: str) -> None:
    module = ast.parse(text)
    assert unsafe(module, {"pickle"} if "import" in text else set())


def test_safe_reading_is_let_through() -> None:
    text = (
        "class _Loader(yaml.SafeLoader): pass\n"
        "yaml.load(x, Loader=_Loader); yaml.safe_load(x); torch.load(p, weights_only=True)\n"
        "np.load(p); np.load(p, allow_pickle=False)"
    )
    assert unsafe(ast.parse(text), {"yaml", "torch"}) == []


def bare(path: Path) -> list[str]:
    """Public names at the top of a file that say nothing on what they are."""
    module = tree(path)
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [n for n in module.body if isinstance(n, kinds) and not n.name.startswith("_")]
    missing = [f"{n.name}, line {n.lineno}" for n in nodes if not ast.get_docstring(n)]
    return missing if ast.get_docstring(module) or not module.body else ["the module", *missing]


def test_what_is_public_says_what_it_is() -> None:
    found = {shown(path): bare(path) for path in [*files(PACKAGE), *files(BASELINES)]}
    assert {name: names for name, names in found.items() if names} == {}


def test_no_machine_is_named() -> None:
    texts = {shown(path): path.read_text(encoding="utf-8") for path in SOURCES}
    folders = ("/root/", "/home/", "/work/", "/Users/")
    assert [(name, f) for name, text in texts.items() for f in folders if f in text] == []
