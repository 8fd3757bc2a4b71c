from __future__ import annotations

import getpass
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import mvgraph
from mvgraph.bench.environment import cores, environment, memory_mib, versions


def test_it_names_what_matters() -> None:
    found = environment()
    assert found["cpu"]
    assert 1 <= cores() <= (os.cpu_count() or 1)
    assert found["cores"] == cores()
    assert (memory_mib() or 0) > 100
    assert versions()["mvgraph"] == mvgraph.__version__
    assert "+" not in (versions()["torch"] or "")


def test_it_names_no_person_and_no_place() -> None:
    text = json.dumps([environment(), versions()])
    assert platform.node() not in text
    assert str(Path.home()) not in text
    assert f'"{getpass.getuser()}"' not in text
    assert "/" not in text.replace("x86_64", "")


def test_a_foreign_repository_lends_no_commit(tmp_path: Path) -> None:
    """mvgraph installed in an environment inside somebody else's repository has no commit of its own."""
    shutil.copytree(
        Path(mvgraph.__file__).parent, tmp_path / "site" / "mvgraph", ignore=shutil.ignore_patterns("*.h5mu")
    )
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    code = "from mvgraph.bench.environment import git_commit; print(git_commit())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "None"
    assert importlib.import_module("mvgraph.bench.environment")
