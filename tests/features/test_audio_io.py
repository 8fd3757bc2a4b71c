"""Sound reading: levels, rates, channels, and one sentence for every bad file."""

from __future__ import annotations

import builtins
import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("av")
pytest.importorskip("soundfile")

from media_files import numbered, write_sound, write_video

from mvgraph.errors import UserError
from mvgraph.features.audio_io import Sound, mono, probe_sound, read_sound, resample, stereo
from mvgraph.features.gammatone import gammatonegram


def tone(frequency: float, rate: int, seconds: float, channels: int = 2) -> np.ndarray:
    t = np.arange(round(rate * seconds)) / rate
    return np.stack([0.5 * np.sin(2 * np.pi * frequency * t) / (c + 1) for c in range(channels)], axis=1)


@pytest.mark.parametrize(("subtype", "tolerance"), [("PCM_24", 2e-7), ("PCM_16", 4e-5), ("FLOAT", 1e-7)])
def test_samples_survive(tmp_path: Path, subtype: str, tolerance: float) -> None:
    samples = tone(440, 48_000, 0.1)
    path = write_sound(tmp_path / "s.wav", samples, 48_000, subtype)
    sound = read_sound(path)
    assert sound.samples.dtype == np.float32
    assert (sound.rate, sound.channels) == (48_000, 2)
    np.testing.assert_allclose(sound.samples, samples, atol=tolerance)
    info = probe_sound(path)
    assert (info.frames, info.channels, info.rate, info.subtype) == (4800, 2, 48_000, subtype)


def test_resampling_keeps_a_tone(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "s.wav", tone(1000, 48_000, 1.0), 48_000)
    sound = read_sound(path, 44_100)
    assert sound.rate == 44_100
    assert abs(len(sound.samples) - 44_100) <= 1
    inner = slice(4000, 40_000)
    np.testing.assert_allclose(sound.samples[inner], tone(1000, 44_100, 1.0)[inner], atol=1e-3)
    assert resample(sound, 44_100) is sound


def test_eight_bit_mono_eight_kilohertz_goes_all_the_way(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "old phone.wav", tone(500, 8000, 1.0, 1), 8000, "PCM_U8")
    sound = read_sound(path, 44_100)
    assert sound.channels == 1
    both = stereo(sound.samples)
    assert both.shape == (44_100, 2)
    assert np.isfinite(gammatonegram(both, sound.rate)).all()


def test_channels() -> None:
    samples = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert np.array_equal(stereo(samples), samples[:, :2])
    assert np.array_equal(mono(samples), samples.mean(1))
    assert np.array_equal(stereo(samples[:, :1]), samples[:, [0, 0]])


def test_silence(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "s.wav", np.zeros((100, 2)), 48_000)
    assert read_sound(path).is_silent
    assert not Sound(np.full((5, 1), 1e-3, np.float32), 8000).is_silent


def test_sound_track_of_a_video(tmp_path: Path) -> None:
    samples = tone(1000, 48_000, 1.0)
    path = write_video(tmp_path / "with.mp4", numbered(30), sound=(samples, 48_000))
    sound = read_sound(path)
    assert (sound.rate, sound.channels) == (48_000, 2)
    assert sound.seconds == pytest.approx(1, abs=0.1)
    middle = np.abs(np.fft.rfft(sound.samples[12_000:36_000, 0]))
    assert middle.argmax() == 500
    silent = write_video(tmp_path / "without.mp4", numbered(5))
    with pytest.raises(UserError, match=r"without\.mp4.*no sound track"):
        read_sound(silent)


def test_bad_files_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "junk ü.wav").write_bytes(b"RIFF but no more" * 20)
    (tmp_path / "junk.mp4").write_bytes(b"no video" * 200)
    write_sound(tmp_path / "none.wav", np.zeros((0, 2)), 48_000)
    bad = tone(100, 8000, 0.1)
    bad[17, 1] = np.nan
    write_sound(tmp_path / "nan.wav", bad, 8000, "FLOAT")
    for name in ("missing.wav", "empty.wav", "junk ü.wav", "junk.mp4", "none.wav"):
        with pytest.raises(UserError, match=name) as caught:
            read_sound(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"nan\.wav.*not finite \(frame 17, channel 1\)"):
        read_sound(tmp_path / "nan.wav")


def test_missing_decoder_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sound(tmp_path / "s.wav", tone(100, 8000, 0.1), 8000)
    original = importlib.import_module

    def refuse(name: str, package: str | None = None) -> object:
        if name == "soundfile":
            raise builtins.ImportError(name)
        return original(name, package)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(UserError, match=r"mvgraph\[media\]"):
        read_sound(path)


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fuzzed_sound_gives_samples_or_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    source = tmp_path / "source.wav"
    if not source.exists():
        write_sound(source, tone(300, 8000, 0.05), 8000)
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, 99))] = data.draw(st.integers(0, 255))
    path = tmp_path / "fuzzed.wav"
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    try:
        sound = read_sound(path)
    except UserError as error:
        message = str(error)
    else:
        message = "fuzzed.wav"
        assert sound.samples.ndim == 2
        assert np.isfinite(sound.samples).all()
    assert "fuzzed.wav" in message
