"""The check finds every kind of damage in a generated data set, and nothing in a whole one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("soundfile")

from media_files import write_sound

from mvgraph.data.tau.read import read_tau
from mvgraph.data.tau.simulate import simulate_tau
from mvgraph.features.tau_check import check_tau


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return simulate_tau(tmp_path / "root", clips_per_class=2, seed=3, seconds=0.6)


def test_whole_data_has_no_problem(root: Path) -> None:
    report = check_tau(root)
    assert report.problems == ()
    assert report.unusable == set()
    assert report.clips == 20
    assert report.rotated > 0
    assert sum(report.sizes.values()) == 20
    assert report.lines()[0].startswith("20 clips: no problem; 0 clips cannot be used")


def test_each_kind_of_damage_is_listed(root: Path) -> None:
    data = read_tau(root)
    audio = [data.audio_path(clip) for clip in data.clips]
    video = [data.video_path(clip) for clip in data.clips]
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (28_800, 2))
    expected = set()

    def note(index: int, file: Path, kind: str) -> None:
        expected.add((data.clips[index].name, file.relative_to(root).as_posix(), kind))

    audio[0].unlink()
    note(0, audio[0], "missing")
    audio[1].write_bytes(audio[1].read_bytes()[:60_000])
    note(1, audio[1], "truncated")
    write_sound(audio[2], np.zeros((28_800, 2)), 48_000)
    note(2, audio[2], "silent")
    write_sound(audio[3], noise[:, :1], 48_000)
    note(3, audio[3], "mono")
    write_sound(audio[4], noise[:, [0, 0]], 48_000)
    note(4, audio[4], "mono")
    audio[5].write_bytes(b"RIFFnonsense")
    note(5, audio[5], "undecodable")
    write_sound(audio[6], noise[:10_000], 48_000)
    note(6, audio[6], "truncated")
    video[7].write_bytes(b"")
    note(7, video[7], "undecodable")
    video[8].write_bytes(video[8].read_bytes()[:2000])
    note(8, video[8], "undecodable")
    video[9].unlink()
    note(9, video[9], "missing")
    report = check_tau(root)
    assert {(p.clip, p.file, p.kind) for p in report.problems} == expected
    assert report.unusable == {data.clips[i].name for i in (0, 1, 5, 6, 7, 8, 9)}
    assert len(report.lines()) == 11
