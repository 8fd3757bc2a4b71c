"""`mvgraph data simulate-tau`, `mvgraph data check`, `mvgraph embed`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")

from mvgraph.cli.progress import bar  # noqa: E402
from mvgraph.data import load  # noqa: E402
from mvgraph.features.encoders import Encoder  # noqa: E402


class Loudness(Encoder):
    """The peak of a sound."""

    name, modality, dim, licence, source, rate = "loudness", "audio", 1, "MIT", "this test", 8000

    def encode(self, batch: Any) -> Any:
        return np.abs(self.checked(batch)).max(axis=1, keepdims=True).astype(np.float32)


ENCODER = f"{__name__}:Loudness"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_clips_are_generated_and_checked(
    here: Path, ask: Callable[..., Any], sentence: Callable[..., str]
) -> None:
    made = ask("data", "simulate-tau", "clips", "--clips-per-class", "2", "--seconds", "0.3", "--seed", "4")
    assert made.code == 0, made
    assert "10 to train on, 10 to test" in made.out
    assert "say nothing about real scenes" in made.out
    good = ask("data", "check", "tau-avsc", "clips")
    assert good.code == 0
    assert good.out.startswith("20 clips: no problem; 0 clips cannot be used")
    next((here / "clips" / "audio").iterdir()).unlink()
    bad = ask("data", "check", "tau-avsc", "clips")
    assert bad.code == 1
    assert "missing: audio/" in bad.out
    assert "other settings" in sentence("data", "simulate-tau", "clips", "--clips-per-class", "3")
    assert "--clips-per-class" in sentence("data", "simulate-tau", "new", "--clips-per-class", "1")
    assert "at least 0.1 s" in sentence("data", "simulate-tau", "new", "--seconds", "0")
    assert "There is no folder" in sentence("data", "check", "tau-avsc", "nowhere")
    assert "Only 'tau-avsc'" in sentence("data", "check", "mfeat", "clips")
    assert not (here / "new").exists()


def test_a_folder_is_embedded(here: Path, ask: Callable[..., Any], sentence: Callable[..., str]) -> None:
    for scene, level in (("calm", 0.1), ("loud noise", 0.8)):
        (here / "mine" / scene).mkdir(parents=True)
        for name in ("a", "ü b"):
            soundfile.write(str(here / "mine" / scene / f"{name}.wav"), np.full(16_000, level), 8000)
    (here / "mine" / "calm" / "broken.wav").write_bytes(b"RIFF")
    (here / "mine" / "calm" / "notes.txt").write_text("no media")
    words = ("embed", "mine", "o.h5mu", "--audio", ENCODER, "--video", "none")
    answer = ask(*words)
    assert answer.code == 0, answer
    assert "Left out: 1 file\ncalm/broken:" in answer.out
    assert "No media: 1 file\ncalm/notes.txt" in answer.out
    assert "8 segments, of which 8 labelled" in answer.out
    data = load("o.h5mu")
    assert data.classes == ("calm", "loud noise")
    np.testing.assert_allclose(sorted(set(np.round(data.views["audio"][:, 0], 2))), [0.1, 0.8], atol=0.01)
    assert data.name == "o"
    assert "o.h5mu is there already" in sentence(*words)
    assert "broken" in sentence(*words, "--on-bad", "fail", "--force")
    assert ask(*words, "--force", "--name", "films").code == 0
    assert load("o.h5mu").name == "films"
    assert "must end in .h5mu" in sentence("embed", "mine", "o.h5")
    assert "did you mean yamnet" in sentence("embed", "mine", "p.h5mu", "--audio", "yamnett")
    assert "no folder" in sentence("embed", "nowhere", "p.h5mu")
    assert "no table" in sentence(
        "embed", "mine", "p.h5mu", "--table", "t.csv", "--audio", ENCODER, "--video", "none"
    )
    assert not (here / "p.h5mu").exists()


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("clips", pause=0.0) as tell:
        tell(3, 20)
    with bar("clips") as tell:
        tell(4, 20)
    assert capsys.readouterr().err == "mvgraph: 3 of 20 clips\n"
