"""A folder of media files becomes multi-view data: segments, groups, missing views, bad files, tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

av = pytest.importorskip("av")
pytest.importorskip("soundfile")

from media_files import numbered, write_sound, write_video  # noqa: E402

from mvgraph.data import read_h5mu  # noqa: E402
from mvgraph.errors import UserError  # noqa: E402
from mvgraph.features.embed import embed_folder  # noqa: E402
from mvgraph.features.encoders import Encoder  # noqa: E402
from mvgraph.features.encoders.base import find_encoder  # noqa: E402
from mvgraph.features.folder import find_samples  # noqa: E402


class Loudness(Encoder):
    """Two numbers of a sound: its peak and its length in seconds."""

    name, modality, dim, licence, source, rate = "loudness", "audio", 2, "MIT", "this test", 8000

    def encode(self, batch: Any) -> Any:
        batch = self.checked(batch)
        return np.stack([np.abs(batch).max(1), np.full(len(batch), batch.shape[1] / 8000)], 1).astype(
            np.float32
        )


class Grey(Encoder):
    """The mean level of a picture."""

    name, modality, dim, licence, source, side = "grey", "video", 1, "MIT", "this test", 16

    def encode(self, batch: Any) -> Any:
        return self.checked(batch).mean((1, 2, 3), dtype=np.float64)[:, None].astype(np.float32)


AUDIO, VIDEO = "test_embed:Loudness", "test_embed:Grey"


def wave(seconds: float, level: float = 0.5) -> np.ndarray:
    return np.full((round(8000 * seconds), 1), level)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "my films"
    for scene in ("park", "straße"):
        (root / scene).mkdir(parents=True)
    write_video(root / "park" / "a b.mp4", numbered(60), sound=(wave(2.0), 8000))
    write_video(root / "park" / "silent.mp4", numbered(30))
    write_sound(root / "straße" / "only sound ü.wav", wave(3.0, 0.25), 8000)
    write_sound(root / "straße" / "pair.wav", wave(2.0, 0.125), 8000)
    with av.open(str(root / "straße" / "pair.png"), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 20, 10, "rgb24"
        grey = av.VideoFrame.from_ndarray(np.full((10, 20, 3), 99, np.uint8), format="rgb24")
        container.mux(stream.encode(grey))
        container.mux(stream.encode())
    (root / "straße" / "corrupt.wav").write_bytes(b"RIFF")
    (root / "park" / "empty.mp4").write_bytes(b"")
    (root / "park" / "notes.txt").write_text("not media")
    (root / "park" / ".hidden.wav").write_bytes(b"")
    return root


def test_segments_groups_views_and_bad_files(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    made = embed_folder(folder, tmp_path / "o.h5mu", AUDIO, VIDEO, progress=lambda a, b: seen.append((a, b)))
    data = read_h5mu(tmp_path / "o.h5mu")
    assert seen[-1] == (6, 6)
    assert set(made.skipped) == {"straße/corrupt", "park/empty"}
    assert made.ignored == ("park/notes.txt",)
    assert data.classes == ("park", "straße")
    assert data.view_dims == {"audio": 2, "video": 1}
    rows = {name: np.flatnonzero(data.groups["file"] == name) for name in set(data.groups["file"])}
    assert {name: len(index) for name, index in rows.items()} == {
        "park/a b": 2,
        "park/silent": 1,
        "straße/only sound ü": 3,
        "straße/pair": 2,
    }
    assert data.observed[rows["park/silent"]].tolist() == [[False, True]]
    assert data.observed[rows["straße/only sound ü"]].tolist() == [[True, False]] * 3
    np.testing.assert_allclose(data.views["audio"][rows["straße/only sound ü"]], [[0.25, 1]] * 3, atol=1e-3)
    np.testing.assert_allclose(data.views["video"][rows["straße/pair"]], [[99]] * 2, atol=1)
    # Frames 0, 6, ... 24 of grey level 4 i make the first second.
    np.testing.assert_allclose(
        data.views["video"][rows["park/a b"]][0], np.mean([0, 24, 48, 72, 96]), atol=1.5
    )
    assert not list(tmp_path.glob(".*.features"))


def test_segment_length_and_one_view(folder: Path, tmp_path: Path) -> None:
    made = embed_folder(folder, tmp_path / "o.h5mu", AUDIO, None, segment_seconds=0.5)
    assert made.data.view_names == ("audio",)
    assert (made.data.groups["file"] == "straße/only sound ü").sum() == 6
    assert "park/silent" in made.skipped


def test_failing_stops_and_mistakes_are_one_sentence(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.h5mu"
    with pytest.raises(UserError, match=r"empty\.mp4"):
        embed_folder(folder, out, AUDIO, VIDEO, on_bad="fail")
    with pytest.raises(UserError, match="takes audio, not video"):
        embed_folder(folder, out, AUDIO, AUDIO)
    with pytest.raises(UserError, match="Unknown encoder 'yamnett'; did you mean yamnet"):
        embed_folder(folder, out, "yamnett", None)
    with pytest.raises(UserError, match="No encoder"):
        embed_folder(folder, out, None, None)
    with pytest.raises(UserError, match="more than zero"):
        embed_folder(folder, out, AUDIO, VIDEO, segment_seconds=0)
    with pytest.raises(UserError, match="no folder"):
        embed_folder(tmp_path / "nowhere", out, AUDIO, VIDEO)
    (tmp_path / "bare").mkdir()
    with pytest.raises(UserError, match="no sound, picture or video"):
        embed_folder(tmp_path / "bare", out, AUDIO, VIDEO)
    only = tmp_path / "only" / "x"
    only.mkdir(parents=True)
    for name in "ab":
        write_sound(only / f"{name}.wav", wave(1), 8000)
    with pytest.raises(UserError, match="has a picture; leave the video encoder out"):
        embed_folder(only.parent, out, AUDIO, VIDEO)
    alone = embed_folder(only.parent, tmp_path / "alone.h5mu", AUDIO, None).data
    assert set(alone.labels) == {-1}
    assert "kept as unlabelled" in alone.card.notes[1]


def test_table(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(
        "file;label\npark/a b.mp4;noisy\nstraße/only sound ü.wav;calm\nstraße/pair.wav;\n", "utf-8"
    )
    data = embed_folder(folder, tmp_path / "o.h5mu", AUDIO, VIDEO, table=table).data
    assert data.classes == ("calm", "noisy")
    assert set(data.groups["file"]) == {"park/a b", "straße/only sound ü", "straße/pair"}
    assert set(data.labels[data.groups["file"] == "straße/pair"]) == {-1}
    for text, pattern in (
        ("file,label\nx.wav,a\n", r"line 2 names the file 'x\.wav', which is not in"),
        ("file,label\n../x.wav,a\n", "not a path inside"),
        ("path,label\nx.wav,a\n", "lacks the column 'file'"),
        ("file,label\npark/a b.mp4,a\npark/a b.mp4,b\n", "two labels"),
        ("", "lacks the column 'file'"),
    ):
        table.write_text(text)
        with pytest.raises(UserError, match=pattern):
            find_samples(folder, table)


def test_two_sounds_of_one_name_stay_two_samples(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    for name in ("a.wav", "a.flac", "a.png", "b.wav"):
        (tmp_path / "c" / name).write_bytes(b"x")
    names = [sample.name for sample in find_samples(tmp_path).samples]
    assert names == ["c/a.flac", "c/a.png", "c/a.wav", "c/b"]


def test_ten_thousand_tiny_files_are_found_and_listed(tmp_path: Path) -> None:
    root = tmp_path / "many"
    for scene in ("a", "b"):
        (root / scene).mkdir(parents=True)
        for i in range(5000):
            (root / scene / f"{i}.wav").touch()
    found = find_samples(root)
    assert len(found.samples) == 10_000
    with pytest.raises(UserError, match="None of the 10000 clips could be read"):
        embed_folder(root, tmp_path / "o.h5mu", AUDIO, None)


def test_third_party_encoder_is_checked() -> None:
    assert find_encoder(AUDIO, "audio").__name__ == "Loudness"
    with pytest.raises(UserError, match="not an encoder"):
        find_encoder("test_embed:wave", "audio")
    with pytest.raises(UserError, match=r"takes batches of shape \(N, 16, 16, 3\), not \(2, 8, 8, 3\)"):
        Grey().encode(np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(UserError, match="not finite"):
        Loudness().encode(np.full((1, 5), np.nan))


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_as_a_table_are_samples_or_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c").mkdir(exist_ok=True)
    (tmp_path / "c" / "a.wav").touch()
    table = tmp_path / "t.csv"
    table.write_bytes(content)
    try:
        found = find_samples(tmp_path, table)
    except UserError as error:
        message = str(error)
    else:
        message = "" if found.samples else "nothing"
    assert "\n" not in message
