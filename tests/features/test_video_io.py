"""Video reading: which frame, which way up, and one sentence for every bad file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

av = pytest.importorskip("av")
pytest.importorskip("soundfile")

from media_files import names_of_quarters, numbered, quarters, write_video  # noqa: E402

from mvgraph.errors import UserError  # noqa: E402
from mvgraph.features.video_io import fill_frames, probe_video, read_frames, read_picture  # noqa: E402


def level(picture: np.ndarray) -> int:
    return round(float(picture.mean()) / 4)


def test_five_frames_a_second_at_thirty(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", numbered(60))
    frames = read_frames(path)
    assert frames.pictures.shape == (10, 224, 224, 3)
    assert [level(p) for p in frames.pictures] == list(range(0, 60, 6))
    np.testing.assert_allclose(frames.times, np.arange(10) / 5)


def test_variable_frame_rate_is_read_by_time_not_by_index(tmp_path: Path) -> None:
    times = [0.0, 0.05, 0.1, 0.35, 0.9, 1.0, 1.39]
    path = write_video(tmp_path / "v.mp4", numbered(7), times=times)
    found = [level(p) for p in read_frames(path, size=(8, 8)).pictures]
    expected = [max(i for i, t in enumerate(times) if t <= wanted / 5 + 1e-3) for wanted in range(len(found))]
    assert found == expected
    assert len(found) >= 7


def test_slow_video_repeats_and_late_start_counts_from_the_first_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slow.mp4", numbered(3), rate=2, times=[7.0, 7.5, 8.0])
    found = [level(p) for p in read_frames(path, size=(8, 8)).pictures]
    assert found == [0, 0, 0, 1, 1, 2, 2, 2]


def test_limit_and_fill(tmp_path: Path) -> None:
    path = write_video(tmp_path / "b.mp4", numbered(30))
    assert len(read_frames(path, limit=3).pictures) == 3
    filled = fill_frames(read_frames(path, size=(8, 8)).pictures, 9)
    assert [level(p) for p in filled] == [0, 6, 12, 18, 24, 24, 24, 24, 24]


@pytest.mark.parametrize(
    ("rotation", "expected"), [(0, "RGBW"), (90, "GWRB"), (180, "WBGR"), (-90, "BRWG"), (45, "RGBW")]
)
def test_rotation_is_honoured(tmp_path: Path, rotation: int, expected: str) -> None:
    """Turned counter-clockwise by the display matrix, as players do."""
    path = write_video(tmp_path / "r.mp4", [quarters()] * 3, rotation=rotation)
    own = read_frames(path, size=None).pictures[0]
    assert own.shape[:2] == ((96, 64) if rotation in (90, -90) else (64, 96))
    assert names_of_quarters(own) == expected
    resized = read_frames(path, size=(40, 80)).pictures[0]
    assert resized.shape == (40, 80, 3)
    assert names_of_quarters(resized) == expected


def test_one_frame_odd_size_unicode_and_spaces(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ein Clip – 场景 ü.mp4", [quarters(37, 51)])
    frames = read_frames(path)
    assert frames.pictures.shape == (1, 224, 224, 3)
    info = probe_video(path)
    assert (info.width, info.height, info.has_sound) == (51, 37, False)


def test_picture(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(quarters(), format="rgb24")))
        container.mux(stream.encode())
    assert np.array_equal(read_picture(path), quarters())
    assert read_picture(path, (10, 20)).shape == (10, 20, 3)


def test_bad_files_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "junk.mp4").write_bytes(b"not a video at all" * 100)
    whole = write_video(tmp_path / "whole.mp4", numbered(30)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    for name in ("missing.mp4", "empty.mp4", "junk.mp4", "cut.mp4"):
        for read in (read_frames, probe_video):
            with pytest.raises(UserError, match=name) as caught:
                read(tmp_path / name)
            assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="must be positive"):
        read_frames(tmp_path / "whole.mp4", rate=0)


@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fuzzed_video_gives_frames_or_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    source = tmp_path / "source.mp4"
    if not source.exists():
        write_video(source, numbered(12, 32, 32))
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 30))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "fuzzed.mp4"
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    try:
        frames = read_frames(path, size=(16, 16), limit=50)
    except UserError as error:
        message = str(error)
    else:
        message = "fuzzed.mp4"
        assert frames.pictures.shape[1:] == (16, 16, 3)
        assert 1 <= len(frames.pictures) <= 50
    assert "fuzzed.mp4" in message
