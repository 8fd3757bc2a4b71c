"""Generated clips: in the data set's format, the same every time, resumed after an interruption."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")

from mvgraph.data.tau.pictures import PICTURES, clip_pictures, place_picture  # noqa: E402
from mvgraph.data.tau.read import read_tau  # noqa: E402
from mvgraph.data.tau.simulate import plan, simulate_tau  # noqa: E402
from mvgraph.data.tau.sounds import SOUNDS, clip_sound, place_sound  # noqa: E402
from mvgraph.errors import UserError  # noqa: E402


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_tau(tmp_path_factory.mktemp("tau") / "root", clips_per_class=2, seed=1, seconds=0.5)


def test_files_are_in_the_published_format(root: Path) -> None:
    data = read_tau(root)
    assert len(data.train) == len(data.test) == 10
    lengths, rotations, sizes = set(), set(), set()
    for clip in data.clips:
        info = soundfile.info(str(data.audio_path(clip)))
        assert (info.samplerate, info.channels, info.subtype) == (48_000, 2, "PCM_24")
        lengths.add(info.frames - 24_000)
        with av.open(str(data.video_path(clip))) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264"
            assert 28 < float(stream.average_rate) < 31
            frames = list(container.decode(stream))
        assert len(frames) == round(0.5 * float(stream.average_rate))
        rotations.add(frames[0].rotation % 360)
        sizes.add((frames[0].width, frames[0].height))
    assert lengths <= {-1, 0, 1}
    assert len(lengths) > 1
    assert len(rotations) > 1
    assert len(sizes) > 3
    assert "GENERATED" in (root / "GENERATED.txt").read_text()


def test_same_seed_same_bytes_and_interruption_is_resumed(root: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    seen: list[int] = []

    def stop_after_three(done: int, total: int) -> None:
        assert total == 20
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_tau(again, 2, 1, 0.5, progress=stop_after_three)
    kept = {path: path.stat().st_mtime_ns for path in again.glob("audio/*.wav")}
    assert len(kept) == 3
    simulate_tau(again, 2, 1, 0.5, progress=lambda done, total: seen.append(done))
    assert seen == list(range(3, 21))
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    for path in sorted(root.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(root)).read_bytes(), path.name


def test_other_settings_and_full_folders_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="other settings"):
        simulate_tau(root, 3, 1, 0.5)
    (tmp_path / "mine.txt").write_text("do not touch")
    with pytest.raises(UserError, match="not empty"):
        simulate_tau(tmp_path, 2)
    with pytest.raises(UserError, match="Two clips a class"):
        plan(1, 0)
    assert json.loads((root / "simulation.json").read_text())["seconds"] == 0.5


def test_no_pair_of_classes_shares_both_families() -> None:
    pairs = {(id(SOUNDS[scene][0]), id(PICTURES[scene][0])) for scene in SOUNDS}
    assert len(pairs) == len(SOUNDS) == 10


def sound_row(scene: str, place: int, clip: int) -> np.ndarray:
    """Ten band levels and two of modulation: what a listener would notice first."""
    samples = clip_sound(
        place_sound(scene, np.random.default_rng((7, place))),
        24_000,
        48_000,
        0.0,
        np.random.default_rng((8, place, clip)),
    )
    power = np.abs(np.fft.rfft(samples[:, 0])) ** 2
    edges = np.geomspace(20, 12_000, 11).astype(int)
    bands = np.log10([power[a:b].mean() for a, b in pairwise(edges)])
    return bands - bands.mean()


def picture_row(scene: str, place: int, clip: int) -> np.ndarray:
    rng = np.random.default_rng((9, place, clip))
    look = place_picture(scene, np.random.default_rng((7, place)))
    frame = next(clip_pictures(look, np.zeros(1), 60, 80, 0.0, rng)) / 255
    return np.concatenate([part.mean((0, 1)) for part in np.array_split(frame, 4)])


def accuracy(rows: dict[tuple[str, int], np.ndarray], families: dict[str, int] | None = None) -> float:
    """Nearest class centre: places 0..7 make the centres, 8..11 are named; of classes or of families."""
    scenes = sorted({scene for scene, _ in rows})
    spread = np.std(list(rows.values()), axis=0)
    centres = {s: np.mean([rows[s, p] for p in range(8)], axis=0) / spread for s in scenes}
    hits = []
    for scene in scenes:
        for place in range(8, 12):
            named = min(scenes, key=lambda s: float(np.linalg.norm(rows[scene, place] / spread - centres[s])))
            hits.append(named == scene if families is None else families[named] == families[scene])
    return float(np.mean(hits))


def test_neither_modality_alone_suffices_but_its_family_is_heard_and_seen() -> None:
    places = [(scene, place) for scene in SOUNDS for place in range(12)]
    heard = {(s, p): sound_row(s, 100 * i // 12 + p * 1000, 0) for i, (s, p) in enumerate(places)}
    seen = {(s, p): picture_row(s, 100 * i // 12 + p * 1000, 0) for i, (s, p) in enumerate(places)}
    both = {key: np.concatenate([heard[key], seen[key]]) for key in heard}
    sound, picture, together = accuracy(heard), accuracy(seen), accuracy(both)
    assert 0.35 < sound < 0.9
    assert 0.35 < picture < 0.95
    assert together > max(sound, picture)
    assert accuracy(heard, {s: id(f) for s, (f, _) in SOUNDS.items()}) > 0.75
    assert accuracy(seen, {s: id(f) for s, (f, _) in PICTURES.items()}) > 0.75


def test_sound_stays_in_range_and_is_stereo() -> None:
    samples = clip_sound(
        place_sound("park", np.random.default_rng(0)), 9_600, 48_000, 0.1, np.random.default_rng(1)
    )
    assert samples.shape == (9_600, 2)
    assert np.abs(samples).max() < 1
    assert not np.array_equal(samples[:, 0], samples[:, 1])
