"""Extraction: right numbers, resumed after a kill, bad files refused or listed, several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("soundfile")

from media_files import numbered, write_sound, write_video

from mvgraph.errors import UserError
from mvgraph.features.extract import (
    ClipFiles,
    FrameFeatures,
    GammatoneFeatures,
    extract,
)
from mvgraph.features.gammatone import gammatonegram
from mvgraph.features.store import FeatureStore


@dataclass(frozen=True)
class Length:
    """A cheap extractor: the bytes of the sound file; an empty one is bad. Notes every call in a log."""

    log: Path
    pause: float = 0.0

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"features": "length"}

    def __call__(self, clip: ClipFiles) -> Mapping[str, np.ndarray]:
        assert clip.audio is not None
        with open(self.log, "a") as file:
            file.write(clip.name + "\n")
        time.sleep(self.pause)
        if clip.audio.stat().st_size == 0:
            raise UserError(f"The sound file {str(clip.audio)!r} is empty (0 bytes).")
        return {"length": np.array([clip.audio.stat().st_size]), "twice": np.zeros((3, 2), np.uint8)}


def files(folder: Path, count: int, empty: tuple[int, ...] = ()) -> list[ClipFiles]:
    folder.mkdir(exist_ok=True)
    clips = []
    for i in range(count):
        path = folder / f"clip {i} ü.wav"
        path.write_bytes(b"" if i in empty else b"x" * (i + 1))
        clips.append(ClipFiles(f"clip {i} ü", path))
    return clips


def test_real_features(tmp_path: Path) -> None:
    # Here, so that worker processes, which import this file, start without torch.
    from mvgraph.features.backbone import BackboneFeatures

    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.5, 0.5, (44_100, 2))
    sound = write_sound(tmp_path / "a.wav", samples, 44_100, "FLOAT")
    video = write_video(tmp_path / "a.mp4", numbered(30))
    clip = [ClipFiles("a", sound, video)]
    store = extract(clip, GammatoneFeatures(1.0), tmp_path / "g").store
    expected = gammatonegram(samples.astype(np.float32), 44_100, 50)
    np.testing.assert_array_equal(store.load("a", "gammatone"), expected)
    frames = extract(clip, FrameFeatures(1.0, 16), tmp_path / "f").store.load("a", "frames")
    assert frames.shape == (5, 16, 16, 3)
    assert [round(float(f.mean()) / 4) for f in frames] == [0, 6, 12, 18, 24]
    backbone = BackboneFeatures(width=2, seconds=1.0, side=32)
    with pytest.warns(UserWarning, match="RANDOMLY"):
        done = extract(clip, backbone, tmp_path / "b")
    pooled = done.store.load("a", "pooled")
    assert pooled.shape == (5, 16)
    assert pooled.dtype == np.float32


@pytest.mark.parametrize("workers", [1, 2])
def test_all_clips_once_and_a_second_call_computes_nothing(tmp_path: Path, workers: int) -> None:
    clips = files(tmp_path / "clips", 130)
    log = tmp_path / "log"
    seen: list[tuple[int, int]] = []
    first = extract(clips, Length(log), tmp_path / "out", workers, progress=lambda a, b: seen.append((a, b)))
    assert first.computed == 130
    assert seen == [(i, 130) for i in range(131)]
    assert sorted(log.read_text().split("\n")[:-1]) == sorted(c.name for c in clips)
    assert len(list((tmp_path / "out" / "shards").glob("*.h5"))) == 3
    assert not list((tmp_path / "out" / "parts").iterdir())
    second = extract(clips, Length(log), tmp_path / "out", workers)
    assert second.computed == 0
    names = [c.name for c in clips]
    assert second.store.stack(names, "length")[:, 0].tolist() == list(range(1, 131))
    assert second.store.finished() == set(names)


def test_bad_files_fail_or_are_listed_and_are_tried_again(tmp_path: Path) -> None:
    clips = files(tmp_path / "clips", 8, empty=(2, 5))
    log = tmp_path / "log"
    with pytest.raises(UserError, match=r"clip 2 ü\.wav.*on_bad='skip'"):
        extract(clips, Length(log), tmp_path / "out")
    done = extract(clips, Length(log), tmp_path / "out", on_bad="skip")
    assert set(done.skipped) == {"clip 2 ü", "clip 5 ü"}
    assert done.computed == 6 - 2  # two were finished before the failure
    assert "0 bytes" in FeatureStore(tmp_path / "out").skipped["clip 5 ü"]
    with pytest.raises(UserError, match=r"clip 2 ü.*0 bytes"):
        done.store.load("clip 2 ü", "length")
    clips[2].audio.write_bytes(b"abc")  # type: ignore[union-attr]
    again = extract(clips, Length(log), tmp_path / "out", on_bad="skip")
    assert (again.computed, set(again.skipped)) == (1, {"clip 5 ü"})
    assert again.store.load("clip 2 ü", "length").tolist() == [3]
    assert again.store.load("clip 7 ü", "length").tolist() == [8]


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    clips = files(tmp_path / "clips", 2, empty=(0, 1))
    log = tmp_path / "log"
    with pytest.raises(UserError, match="None of the 2 clips"):
        extract(clips, Length(log), tmp_path / "out", on_bad="skip")
    with pytest.raises(UserError, match="other settings"):
        extract(clips, GammatoneFeatures(), tmp_path / "out")
    with pytest.raises(UserError, match="other clips"):
        extract(clips[:1], Length(log), tmp_path / "out")
    with pytest.raises(UserError, match="on_bad"):
        extract(clips, Length(log), tmp_path / "out", on_bad="ignore")
    with pytest.raises(UserError, match="more than once"):
        extract([clips[0], clips[0]], Length(log), tmp_path / "other")
    with pytest.raises(UserError, match="no extracted features"):
        FeatureStore(tmp_path / "nowhere")
    store = FeatureStore(tmp_path / "out")
    with pytest.raises(UserError, match="no features of a clip 'x'"):
        store.load("x", "length")
    with pytest.raises(UserError, match="has no sound file"):
        extract([ClipFiles("silent film")], GammatoneFeatures(), tmp_path / "third")


def test_damaged_features_are_set_aside_and_extracted_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = files(tmp_path / "clips", 70)
    log = tmp_path / "log"
    store = extract(clips, Length(log), tmp_path / "out").store
    shard = tmp_path / "out" / "shards" / "00001.h5"  # of the last six clips
    content = bytearray(shard.read_bytes())
    place = bytes(content).index(np.array([67], dtype=np.int64).tobytes())
    content[place] ^= 1
    shard.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):  # not 66 in silence
        store.load("clip 66 ü", "length")
    again = extract(clips, Length(log), tmp_path / "out")
    assert again.computed == 6
    assert again.store.load("clip 66 ü", "length").tolist() == [67]
    assert "The file of features shards/00001.h5 is damaged" in capsys.readouterr().err
    assert (shard.parent / "damaged" / shard.name).is_file()
    assert extract(clips, Length(log), tmp_path / "out").computed == 0


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_extract import Length, extract, files
folder = Path({folder!r})
extract(files(folder / "clips", 100), Length(folder / "log", 0.01), folder / "out")
"""


def test_killed_extraction_redoes_nothing_that_was_finished(tmp_path: Path) -> None:
    code = KILLED.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    parts = tmp_path / "out" / "parts"
    shards = tmp_path / "out" / "shards"
    until = time.monotonic() + 60
    while time.monotonic() < until and not list(shards.glob("*.h5")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(shards.glob("*.h5"))
    (parts / ".00000099.h5.1-2.tmp").write_bytes(b"half")
    before = (tmp_path / "log").read_text().split()
    finished = FeatureStore(tmp_path / "out").finished()
    assert 64 <= len(finished) < 100
    done = extract(files(tmp_path / "clips", 100), Length(tmp_path / "log"), tmp_path / "out")
    assert done.computed == 100 - len(finished)
    assert not list(parts.iterdir())
    assert [done.store.load(f"clip {i} ü", "length")[0] for i in range(100)] == list(range(1, 101))
    assert len(before) > 0
