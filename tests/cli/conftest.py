"""The command line in this process, and a small run to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("typer")

from mvgraph.cli import run_command_line
from mvgraph.data import MultiViewData, write_h5mu

SUITE = """\
name: small
datasets: [small.h5mu]
methods: [concat-logreg, {method: dm-gcn, training: {epochs: 4, evaluate_every: 2}, graph: {k: 4}}]
splits: {scheme: label-rate, rate: 0.4, validation: 0.3, n: 2, seed: 0}
"""


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Ask = Callable[..., Answer]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run `mvgraph <words>` in this process."""

    def run(*words: object) -> Answer:
        capsys.readouterr()
        code = run_command_line([str(word) for word in words])
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    return run


@pytest.fixture
def sentence(ask: Ask) -> Callable[..., str]:
    """The one sentence that a mistaken command prints."""

    def run(*words: object) -> str:
        answer = ask(*words)
        assert answer.code == 2, answer
        assert answer.out == ""
        assert answer.err.count("\n") == 1, answer.err
        assert "Traceback" not in answer.err
        assert answer.err.startswith("mvgraph: ")
        return answer.err.strip()

    return run


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `small.h5mu` (48 samples, views sight and sound, 3 classes) and `small.yaml`."""
    random = np.random.default_rng(0)
    labels = np.arange(48) % 3
    observed = np.ones((48, 2), dtype=bool)
    observed[:12, 0] = False
    data = MultiViewData.from_arrays(
        {name: random.normal(size=(48, 4)) + labels[:, None] for name in ("sight", "sound")},
        [("bus", "park", "tram")[label] for label in labels],
        groups={"city": [f"city{row % 4}" for row in range(48)]},
        observed=observed,
    )
    write_h5mu(data, tmp_path / "small.h5mu")
    (tmp_path / "small.yaml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    return tmp_path
