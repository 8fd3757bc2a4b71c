"""What it takes to add something, counted by doing it in a package of somebody else's.

A modality takes no file, a data set one, a method one and a test of two lines. The package has entry points, is
installed by pip into a folder of its own, and is used from the command line in processes that find it there; nothing
of mvgraph is touched.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="the package under test is built by hatchling")

from mvgraph.contract.scaffold import scaffold

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "theirs"
version = "0.1"
dependencies = ["mvgraph"]

[project.entry-points."mvgraph.methods"]
gated = "gated_fusion:Gated"

[project.entry-points."mvgraph.datasets"]
their-scenes = "their_scenes:TheirScenes"

[tool.hatch.build.targets.wheel]
only-include = ["gated_fusion.py", "their_scenes.py"]
"""

METHOD = '''\
"""Gated propagation, of somebody else's."""

import torch
from torch import nn

from mvgraph.fusion import Float, NetworkMethod, Tags


class Gated(NetworkMethod):
    """Each view's propagated embedding, weighted by a learned gate.

    Args:
        view_dims: view -> d_v.
        n_classes: C.
        hidden: units.

    Shapes:
        forward: `Propagation` over V views -> logits (rows, C).
    """

    name = "gated"
    title = "Gated propagation"
    paper = "a test of how the house is extended"
    tags = Tags()

    def __init__(self, view_dims, n_classes, *, hidden=16):
        super().__init__(view_dims, n_classes)
        self.hidden = hidden
        self.layers = nn.ModuleList(nn.Linear(width, hidden) for width in self.view_dims.values())
        self.gates = nn.Parameter(torch.zeros(len(self.view_dims)))
        self.classifier = nn.Linear(hidden, n_classes)

    @property
    def n_layers(self):
        return 1

    def forward(self, p):
        found = [
            torch.relu(p.product(1, view, p.features(view), layer.weight.t()) + layer.bias)
            for view, layer in zip(self.view_names, self.layers, strict=True)
        ]
        return self.classifier((torch.stack(found, -1) * torch.sigmoid(self.gates)).sum(-1))

    @classmethod
    def search_space(cls):
        return {"lr": Float(1e-4, 3e-2, log=True)}
'''

TEST = """\
from mvgraph.contract import MethodContract


class TestGated(MethodContract):
    method = "gated"
"""

SUITE = """\
name: theirs
datasets: [four.h5mu, their-scenes]
methods: [concat-logreg, {method: gated, training: {epochs: 4, evaluate_every: 2}, graph: {k: 4}}]
splits: {scheme: label-rate, rate: 0.3, validation: 0.3, n: 1, seed: 0}
"""

#: Four views under names nobody has heard of, in a file.
MODALITIES = """\
import numpy as np
import mvgraph as mv
from mvgraph.data import write_h5mu

random = np.random.default_rng(0)
labels = np.arange(60) % 3
names = ("lidar", "thermal 8-14 µm", "gait (left)", "smell")
views = {name: random.normal(size=(60, 4 + i)) + labels[:, None] for i, name in enumerate(names)}
write_h5mu(mv.MultiViewData.from_arrays(views, labels), "four.h5mu")
"""


@dataclass(frozen=True)
class Place:
    """A working folder, and the folder that packages of others are installed into."""

    work: Path
    installed: Path

    def run(self, *words: object, expected: int = 0) -> str:
        """Run Python with the words in a process that finds the installed packages."""
        environment = {**os.environ, "PYTHONPATH": str(self.installed), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=self.work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout

    def mvgraph(self, *words: object) -> str:
        """Run the command line."""
        return self.run("-m", "mvgraph", *words)

    def install(self, project: Path) -> None:
        """Install a package as a user would, but for its dependencies, which are here."""
        words = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-q")
        self.run("-m", "pip", "install", *words, "--target", self.installed, project)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A working folder with the data of four modalities, and the package of a method and a data set, installed."""
    folder = tmp_path_factory.mktemp("theirs")
    found = Place(folder / "work", folder / "installed")
    found.work.mkdir()
    project = folder / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "gated_fusion.py").write_text(METHOD)
    begun = scaffold("dataset", "their-scenes", folder / "begun")[0]
    (project / "their_scenes.py").write_text(begun.read_text())
    assert sorted(path.name for path in project.rglob("*.py")) == ["gated_fusion.py", "their_scenes.py"]
    found.install(project)
    found.run("-c", MODALITIES)
    return found


@pytest.fixture(scope="module")
def leaderboards(place: Place) -> list[set[str]]:
    """Methods with a place on each leaderboard of one suite over all of it."""
    (place.work / "theirs.yaml").write_text(SUITE)
    shown = place.mvgraph("run", "theirs.yaml", "--no-mirror", "--no-report")
    assert "4 cells, 0 cached, 4 run" in shown
    found: list[set[str]] = []
    for line in shown.splitlines():
        if line.startswith("Rank"):
            found.append(set())
        elif match := re.match(r"\d+ +(\S+) .* 1/1$", line):
            found[-1].add(match[1])
    return found


def test_a_new_modality_takes_no_file(place: Place, leaderboards: list[set[str]]) -> None:
    shown = place.mvgraph("data", "show", "four.h5mu")
    assert "4 views" in shown
    assert "thermal 8-14 µm" in shown
    assert leaderboards[0] == {"concat-logreg", "gated"}
    assert not [path for path in place.work.rglob("*.py") if path.name != "test_gated.py"]


def test_a_new_data_set_takes_one_file(place: Place, leaderboards: list[set[str]]) -> None:
    assert re.search(r"^their-scenes .* theirs$", place.mvgraph("data", "list"), re.MULTILINE)
    assert "checks passed" in place.mvgraph("check", "their-scenes")
    assert leaderboards[1] == {"concat-logreg", "gated"}


def test_a_new_method_takes_one_file_and_a_test_of_two_lines(
    place: Place, leaderboards: list[set[str]]
) -> None:
    listed = place.mvgraph("methods", "gated")
    assert "Gated propagation" in listed
    assert re.search(r"origin +theirs", listed)
    (place.work / "test_gated.py").write_text(TEST)
    assert len(TEST.split("\n\n\n")[1].strip().splitlines()) == 2
    tested = place.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_gated.py")
    passed = re.search(r"^(\d+) passed", tested, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) >= 20, "the whole contract"
    assert all("gated" in board for board in leaderboards)
