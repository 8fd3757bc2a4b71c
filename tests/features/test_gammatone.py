"""The gammatonegram against a readable recursion, against the PyPI package, and at its corners."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from mvgraph.errors import UserError
from mvgraph.features import gammatone_bank
from mvgraph.features.gammatone import (
    gammatone_rms,
    gammatonegram,
    segment,
    segments,
    window_and_hop,
)
from mvgraph.features.gammatone_bank import centre_frequencies
from mvgraph.features.gammatone_scan import Scan


def slow_rms(wave: np.ndarray, rate: int, bands: int = 64) -> np.ndarray:
    """Slaney's bank as it is written down: four `lfilter` calls a band, then the mean of each window."""
    window, hop = window_and_hop(rate)
    rows = []
    for centre in centre_frequencies(rate, bands):
        width = 1.019 * 2 * np.pi * (centre / 9.26449 + 24.7)
        theta, radius = 2 * np.pi * centre / rate, np.exp(-width / rate)
        denominator = [1, -2 * radius * np.cos(theta), radius**2]
        filtered = wave
        gain = 1.0
        for kappa in (sign * np.sqrt(3 + side * 2**1.5) for side in (1, -1) for sign in (1, -1)):
            numerator = [1, -radius * (np.cos(theta) + kappa * np.sin(theta)), 0]
            filtered = signal.lfilter(numerator, denominator, filtered)
            gain *= abs(
                np.polyval(numerator, np.exp(1j * theta)) / np.polyval(denominator, np.exp(1j * theta))
            )
        squares = (filtered / gain) ** 2
        columns = 1 + (len(wave) - window) // hop
        rows.append([np.sqrt(squares[c * hop : c * hop + window].mean()) for c in range(columns)])
    return np.array(rows)


@pytest.mark.parametrize("rate", [44_100, 48_000, 16_000, 11_025, 8_000, 22_050])
def test_equals_plain_recursion(rate: int) -> None:
    wave = np.random.default_rng(rate).standard_normal(rate // 2 + 13)
    np.testing.assert_allclose(gammatone_rms(wave, rate), slow_rms(wave, rate), rtol=1e-8)


def test_equals_recursion_far_outside_the_passband_and_after_a_click() -> None:
    time_axis = np.arange(22_050) / 44_100
    click = np.zeros(22_050)
    click[700], click[9000] = 1.0, -1e-4
    for wave in (np.sin(2 * np.pi * 90 * time_axis), np.sin(2 * np.pi * 18_000 * time_axis), click):
        expected, found = slow_rms(wave, 44_100), gammatone_rms(wave, 44_100)
        heard = expected > 1e-10  # below, the picture shows its floor
        np.testing.assert_allclose(found[heard], expected[heard], rtol=1e-4)
        assert np.abs(found - expected)[~heard].max(initial=0.0) < 1e-13


def test_stretches_are_joined_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = np.random.default_rng(7).standard_normal((2, 44_100))
    whole = gammatone_rms(wave, 44_100, difference=True)
    monkeypatch.setattr(gammatone_bank, "_UNITS_AT_ONCE", 7)
    monkeypatch.setattr(gammatone_bank, "_BANDS_AT_ONCE", 3)
    np.testing.assert_allclose(gammatone_rms(wave, 44_100, difference=True), whole, rtol=1e-9)


def generated(name: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    t = np.arange(2 * 44_100) / 44_100
    if name == "noise":
        return 0.1 * rng.standard_normal((2, t.size))
    sweep = signal.chirp(t, 30, 2, 20_000, method="logarithmic")
    return np.stack(
        [sweep, 0.3 * sweep * (1 + np.sin(2 * np.pi * 4 * t)) + 1e-3 * rng.standard_normal(t.size)]
    )


@pytest.mark.parametrize(("name", "rtol"), [("noise", 1e-8), ("sweep", 1e-3)])
def test_equals_the_gammatone_package(name: str, rtol: float) -> None:
    reference = pytest.importorskip("gammatone.gtgram")
    left, right = generated(name)
    for wave, found in zip(
        (left, right, left - right),
        gammatone_rms(np.stack([left, right]), 44_100, difference=True),
        strict=True,
    ):
        expected = reference.gtgram(wave, 44_100, 0.04, 0.02, 64, 0)[::-1]
        np.testing.assert_allclose(found, expected, rtol=rtol)


def test_shape_of_the_paper() -> None:
    assert window_and_hop(44_100) == (1764, 882)
    assert gammatone_rms(np.ones(441_000), 44_100, bands=1).shape == (1, 499)
    wave = np.random.default_rng(1).standard_normal((441_000, 2))
    picture = gammatonegram(wave, 44_100)
    assert picture.shape == (64, 500, 3)
    assert picture.dtype == np.float32
    assert np.array_equal(picture[:, 499], picture[:, 498])


def test_highest_band_is_row_zero_and_planes_are_left_right_difference() -> None:
    t = np.arange(44_100) / 44_100
    picture = gammatonegram(np.stack([np.sin(2 * np.pi * 200 * t), np.sin(2 * np.pi * 9000 * t)], 1), 44_100)
    frequencies = centre_frequencies(44_100, 64)
    assert np.all(np.diff(frequencies) < 0)
    left, right = (frequencies[picture[:, 20, plane].argmax()] for plane in (0, 1))
    assert abs(left - 200) < 40
    assert abs(right - 9000) < 700
    assert abs(frequencies[picture[32:, 20, 2].argmax() + 32] - 200) < 40


def test_clip_is_divided_by_one_scalar() -> None:
    wave = np.random.default_rng(2).standard_normal((30_000, 2)) * [1.0, 0.1]
    expected = gammatonegram(wave, 44_100)
    np.testing.assert_allclose(gammatonegram(37 * wave, 44_100), expected, atol=1e-4)
    assert expected[..., 0].mean() - expected[..., 1].mean() == pytest.approx(20, abs=0.5)


def test_mono_and_silence_are_guarded() -> None:
    mono = np.random.default_rng(3).standard_normal(44_100)
    picture = gammatonegram(mono, 44_100)
    assert np.isfinite(picture).all()
    assert np.all(picture[..., 2] == -200)
    assert np.array_equal(picture, gammatonegram(np.stack([mono, mono], 1), 44_100))
    silent = gammatonegram(np.zeros((44_100, 2)), 44_100)
    assert np.all(silent == -200)
    assert np.all(segment(silent, 0, 49) == 0)


def test_columns_are_cut_or_filled() -> None:
    wave = np.random.default_rng(4).standard_normal((440_999, 2))
    assert gammatonegram(wave, 44_100).shape == (64, 499, 3)
    filled = gammatonegram(wave, 44_100, columns=500)
    assert filled.shape == (64, 500, 3)
    assert np.array_equal(filled[:, 499], filled[:, 497])
    assert gammatonegram(wave, 44_100, columns=100).shape == (64, 100, 3)


@given(st.integers(1, 4000), st.sampled_from([8000, 16_000, 44_100]), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_any_length_rate_and_channels(samples: int, rate: int, channels: int) -> None:
    wave = np.random.default_rng(samples).uniform(-1, 1, (samples, channels))
    picture = gammatonegram(wave, rate)
    window, hop = window_and_hop(rate)
    assert picture.shape == (64, 2 + max(0, samples - window) // hop, 3)
    assert np.isfinite(picture).all()


def test_segments() -> None:
    picture = np.random.default_rng(6).normal(size=(64, 500, 3)).astype(np.float32)
    ten = segments(picture)
    assert ten.shape == (10, 64, 50, 3)
    np.testing.assert_allclose(ten.reshape(10, -1).min(1), -1)
    np.testing.assert_allclose(ten.reshape(10, -1).max(1), 1)
    cut = picture[:, 150:200]
    np.testing.assert_allclose(ten[3], 2 * (cut - cut.min()) / (cut.max() - cut.min()) - 1, atol=1e-6)
    assert segments(picture[:, :49]).shape == (0, 64, 49, 3)
    with pytest.raises(UserError, match="Columns 460 to 510"):
        segment(picture, 460)


def test_bad_sound_is_one_sentence() -> None:
    with pytest.raises(UserError, match="not finite"):
        gammatonegram(np.array([0.0, np.nan]), 44_100)
    with pytest.raises(UserError, match="no samples"):
        gammatonegram(np.zeros((0, 2)), 44_100)
    with pytest.raises(UserError, match="too low"):
        gammatone_rms(np.zeros(100), 20)


@given(st.integers(1, 400), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_scan_is_the_recursion(steps: int, signals: int) -> None:
    rng = np.random.default_rng(steps)
    advance = 0.3 * rng.standard_normal((8, 8))
    order = Scan.order(steps)
    assert sorted(order) == list(range(len(order)))
    assert len(order) <= 1.04 * steps
    inputs = rng.standard_normal((signals, len(order), 8))
    found = np.empty_like(inputs)
    state = rng.standard_normal((signals, 8))
    scan = Scan(1, signals, steps)
    found[:, order] = scan(advance[None], inputs[None][:, :, order], state[None])[0]
    for step in range(steps):
        np.testing.assert_allclose(found[:, step], state, rtol=1e-9, atol=1e-9)
        state = state @ advance + inputs[:, step]
