"""What is shipped and pinned: pyproject.toml, constraints.txt, Makefile."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from source import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = [
    line
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def names(requirements: list[str]) -> set[str]:
    """Package names of requirement lines, as an index spells them."""
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in requirements)
    return {match[0].lower().replace("_", "-") for match in found if match}


def test_the_core_depends_on_six_packages() -> None:
    core = names(PROJECT["project"]["dependencies"])
    assert core == {"torch", "numpy", "scipy", "scikit-learn", "pandas", "h5py"}
    assert PROJECT["project"]["requires-python"] == ">=3.11"
    assert PROJECT["build-system"]["build-backend"] == "hatchling.build"


def test_extras_are_those_promised() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    assert set(extras) == {"bench", "media", "ray", "faiss", "postgres", "docs", "dev"}
    assert {"torch-geometric", "optuna", "mlflow", "typer", "rich", "pydantic", "pyyaml", "jinja2"} <= names(
        extras["bench"]
    )
    assert names(extras["media"]) == {"av", "soundfile", "soxr"}
    assert names(extras["ray"]) == {"ray"}
    assert names(extras["faiss"]) == {"faiss-cpu"}
    assert names(extras["postgres"]) == {"psycopg"}
    assert {"pytest", "hypothesis", "ruff", "mypy"} <= names(extras["dev"])
    assert "mvgraph[bench]" in extras["dev"]


def test_both_packages_are_shipped() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["mvgraph", "baselines/mvgraph_baselines"]
    assert PROJECT["project"]["scripts"] == {"mvgraph": "mvgraph.__main__:main"}


def test_ranges_in_pyproject_leave_room() -> None:
    extras = PROJECT["project"]["optional-dependencies"].values()
    for line in [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]:
        assert "==" not in line, f"{line}: exact versions belong into constraints.txt"


def test_a_pin_is_a_name_and_a_version() -> None:
    form = re.compile(r"[a-z0-9][a-z0-9.-]*==[0-9][0-9A-Za-z.]*")
    assert [pin for pin in PINS if not form.fullmatch(pin)] == [], "no local label, path or address"


def test_every_requirement_is_pinned() -> None:
    pinned = names(PINS)
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = names([*PROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]) - {
        "mvgraph"
    }
    assert wanted <= pinned, f"`make constraints` is due: {sorted(wanted - pinned)}"
    assert len(pinned) == len(PINS), "a package is pinned twice"
    assert not pinned & {"pip", "setuptools", "wheel", "mvgraph"}


def test_pins_leave_builds_and_tools_out() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from refresh_constraints import HELD, pins
    finally:
        sys.path.pop(0)
    resolved = [
        {"metadata": {"name": name, "version": version}}
        for name, version in [
            ("torch", "2.13.0+cpu"),
            ("Ast_Serialize", "0.1"),
            ("nvidia-cublas", "13.0"),
            ("triton", "3.9"),
            ("setuptools", "84.0"),
            ("mvgraph", "0.1.0"),
        ]
    ]
    assert pins(resolved) == ["ast-serialize==0.1", "torch==2.13.0"]
    assert set(HELD) <= set(PINS)


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """Run make in the repository's root."""
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
class TestMakefile:
    def test_help_is_the_default_and_lists_every_target(self) -> None:
        shown = make()
        assert shown.returncode == 0
        text = (ROOT / "Makefile").read_text(encoding="utf-8")
        phony = re.search(r"^\.PHONY:(.*)$", text, re.MULTILINE)
        assert phony is not None
        for target in phony[1].split():
            assert re.search(rf"^  {target} ", shown.stdout, re.MULTILINE), (
                f"make help does not list {target}"
            )

    def test_an_old_python_is_refused_in_one_sentence(self, tmp_path: Path) -> None:
        old = tmp_path / "python-old"
        old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n')
        old.chmod(0o755)
        refused = make(f"PYTHON={old}", f"VENV={tmp_path}/venv", "bench")
        assert refused.returncode != 0
        assert "Python 3.11 or newer" in refused.stderr
        assert "Python 3.9.1" in refused.stderr
        assert not (tmp_path / "venv").exists()

    def test_set_up_happens_once(self, tmp_path: Path) -> None:
        venv = tmp_path / "venv"
        venv.mkdir()
        assert "pip install" in make("-n", f"VENV={venv}", "test").stdout
        for stamp in (".stamp-venv", ".stamp-bench", ".stamp-test"):
            (venv / stamp).touch()
        for target in ("bench", "test"):
            planned = make("-n", f"VENV={venv}", target)
            assert planned.returncode == 0
            assert "pip install" not in planned.stdout
            assert "-m venv" not in planned.stdout
