"""Code is part of a cell's identity: an edit anywhere in a project makes its old results stale, and says so."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mvgraph.bench import Ledger, run_suite
from mvgraph.code_identity import code_identity
from mvgraph.errors import UserError

METHOD = """\
from their_project import helper
from their_project.base import Base


class Fusion(Base):
    name = "fusion"

    def fit(self, data, split, graph, seed):
        self.shape = (data.n_samples, data.n_classes)
        self.scores = helper.scores(data)
        return self
"""
HELPER = """\
import numpy as np


def scores(data):
    from . import late
    return np.arange(data.n_classes)[None] + late.OFFSET + np.zeros((data.n_samples, 1))
"""
BASE = """\
import numpy as np
from mvgraph.fusion import EstimatorMethod, Tags


class Base(EstimatorMethod):
    tags = Tags(uses_graph=False, transductive=False)

    def predict_proba(self):
        odds = np.exp(self.scores)
        return (odds / odds.sum(1, keepdims=True)).astype(np.float32)

    def parameter_count(self):
        return 0
"""


class Project:
    """A package of somebody's in a folder on the path, imported anew after each edit as a new process would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "their_project"
        self.folder.mkdir()
        for name, text in {
            "__init__": "",
            "method": METHOD,
            "helper": HELPER,
            "base": BASE,
            "late": "OFFSET = 0.5\n",
            "unrelated": "VALUE = 1\n",
        }.items():
            (self.folder / f"{name}.py").write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / f"{name}.py"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    @staticmethod
    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "their_project"]:
            del sys.modules[name]
        importlib.invalidate_caches()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    Project.forget()
    yield Project(tmp_path)
    Project.forget()


@pytest.fixture
def go(suite: dict[str, Any], tmp_path: Path, project: Project) -> Callable[..., Any]:
    """Run the suite of the method and a baseline in what is as good as a new process."""
    suite |= {"methods": ["majority", "their_project.method:Fusion"], "splits": {"rate": 0.3, "n": 2}}
    suite["methods"][0] = {"method": "concat-logreg", "options": {"strength": 1.0}}

    def run(**keys: Any) -> Any:
        project.forget()
        return run_suite(suite, tmp_path / "run", progress="none", mirror=False, **keys)

    return run


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("method", "return self", "self.scores = self.scores * 0\n        return self"),
        ("helper", "late.OFFSET", "late.OFFSET * 2"),
        ("base", "odds.sum(1", "1 * odds.sum(1"),
        ("late", "0.5", "0.25"),
        ("__init__", "", "VALUE = 1\n"),
    ],
)
def test_an_edit_makes_the_old_cells_stale_and_one_line_says_why(
    go: Callable[..., Any], project: Project, tmp_path: Path, name: str, old: str, new: str
) -> None:
    first = go()
    assert (first.ran, first.stale) == (4, None)
    assert (go().ran, go().stale) == (0, None)
    project.edit(name, old, new)
    where = "their_project" if name == "__init__" else f"their_project.{name}"
    line = f"2 cells are stale and run again: 2 of their_project.method:Fusion ({where} changed)."
    assert go(dry_run=True).stale == line
    again = go()
    assert (again.ran, again.cached, again.stale) == (2, 2, line)
    assert (go().ran, go().stale) == (0, None)
    with Ledger(tmp_path / "run" / "ledger.sqlite") as ledger:
        record = next(r for r in ledger.records() if r["cell"]["label"] != "concat-logreg")
    assert set(record["cell"]["code"]["method"]["sources"]) == {
        "their_project",
        "their_project.method",
        "their_project.helper",
        "their_project.base",
        "their_project.late",
    }
    assert record["cell"]["protocol"]["code"]["method"].startswith("sha256:")


def test_what_the_method_does_not_import_leaves_its_cells(go: Callable[..., Any], project: Project) -> None:
    go()
    project.edit("unrelated", "1", "2")
    assert go().ran == 0


def test_a_source_edited_after_its_import_is_refused_and_a_reload_takes_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("their_project.method")
    before = code_identity(module.Fusion)
    project.edit("helper", "late.OFFSET", "late.OFFSET * 2")
    with pytest.raises(UserError, match=r"helper\.py has changed since this process imported it"):
        code_identity(module.Fusion)
    importlib.reload(sys.modules["their_project.helper"])
    after = code_identity(module.Fusion)
    assert before is not None
    assert after is not None
    assert before.text != after.text


def test_a_released_distribution_is_its_version_and_a_local_one_its_source(
    tmp_path: Path, project: Project
) -> None:
    about = tmp_path / "their_project-1.2.dist-info"
    about.mkdir()
    (about / "RECORD").write_text("their_project/__init__.py,,\ntheir_project/method.py,,\n")
    module = importlib.import_module("their_project.method")
    from mvgraph import code_identity as identities

    identities._owners.cache_clear()
    released = code_identity(module.Fusion)
    assert released is not None
    assert (released.text, released.sources) == ("their-project==1.2", {})
    (about / "direct_url.json").write_text('{"url": "file:///somewhere", "dir_info": {}}')
    identities._owners.cache_clear()
    local = code_identity(module.Fusion)
    identities._owners.cache_clear()
    assert local is not None
    assert "their_project.helper" in local.sources
    assert not any(name.startswith(("numpy", "mvgraph")) for name in local.sources)


def test_code_without_a_file_is_its_source_or_what_was_compiled() -> None:
    texts = []
    for body in ("return 1", "return 1", "return 2"):
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(f"class Typed:\n    def fit(self):\n        {body}\n", space)
        space["Typed"].__module__ = "a_notebook"
        found = code_identity(space["Typed"])
        assert found is not None
        texts.append(found.text)
    assert texts[0] == texts[1] != texts[2]


def test_our_own_code_has_the_numerics_version(
    suite: dict[str, Any], tmp_path: Path, monkeypatch: Any
) -> None:
    from mvgraph.bench import plan as plans
    from mvgraph.fusion.dm_gcn import DMGCN

    assert code_identity(DMGCN) is None
    suite["methods"] = ["concat-logreg"]
    keys: dict[str, Any] = {"out": tmp_path / "run", "progress": "none", "mirror": False}
    run_suite(suite, **keys)
    now = plans.NUMERICS
    made = plans.Cell.__init__

    def later(self: Any, **arguments: Any) -> None:
        made(self, **{**arguments, "numerics": now + 1})

    monkeypatch.setattr(plans.Cell, "__init__", later)
    identity = plans.cell_id
    monkeypatch.setattr(plans, "cell_id", lambda **parts: identity(**{**parts, "numerics": now + 1}))
    again = run_suite(suite, **keys)
    line = f"2 cells are stale and run again: 2 of concat-logreg (numerics version {now}, now {now + 1})."
    assert (again.ran, again.stale) == (2, line)
