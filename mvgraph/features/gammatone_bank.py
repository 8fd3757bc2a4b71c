"""Slaney's ERB filter bank, and the energies of its bands without filtering sample by sample.

What a gammatonegram needs is not the filtered sound but its energy in windows, and the energy of a linear
system over a stretch of samples is a quadratic form in (state at its beginning, samples of it). So the sound
is cut into sub-blocks, the state of every band is carried from sub-block to sub-block (a scan over pairs,
exact), and the energies follow from matrix products. Everything is float64 and no term is dropped: this
equals the recursive filter up to rounding.

Source: M. Slaney, "An efficient implementation of the Patterson-Holdsworth auditory filter bank" (1993).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from mvgraph.features.gammatone_scan import STATES, Scan

Array = NDArray[np.float64]

_EAR_Q = 9.26449
_MIN_BANDWIDTH = 24.7
# The zeros of Slaney's four sections: each section's impulse response is r^n (cos n theta - kappa sin n theta).
_KAPPAS = (
    math.sqrt(3 + 2**1.5),
    -math.sqrt(3 + 2**1.5),
    math.sqrt(3 - 2**1.5),
    -math.sqrt(3 - 2**1.5),
)
_ONES = np.ones(STATES)
# Around here the products with the samples and the scan over the states cost about the same.
_PREFERRED_BLOCK = 70
# Windows and bands worked on at once: so few that their buffers stay in the cache of a core.
_UNITS_AT_ONCE = 96
_BANDS_AT_ONCE = 8
_SMALLEST_BLOCK = 8


def centre_frequencies(rate: float, bands: int, f_min: float = 0.0) -> Array:
    """Centre frequencies in Hz, equally spaced on the ERB scale from below `rate / 2` down to `f_min`.

    Shapes: (bands,), highest first.
    """
    offset = _EAR_Q * _MIN_BANDWIDTH
    fraction = np.arange(1, bands + 1) / bands
    return (rate / 2 + offset) * np.exp(fraction * np.log((f_min + offset) / (rate / 2 + offset))) - offset


@dataclass(frozen=True)
class FilterBank:
    """Poles r e^(i theta) and gains of the bands; each (bands,)."""

    radius: Array
    theta: Array
    gain: Array

    @property
    def bands(self) -> int:
        return len(self.gain)


@lru_cache(maxsize=8)
def filter_bank(rate: float, bands: int, f_min: float) -> FilterBank:
    """Slaney's ERB filters for one sampling rate, their gain 1 at the centre frequency.

    Args:
        rate: samples a second.
        bands: number of filters.
        f_min: lowest centre frequency in Hz.
    """
    centre = centre_frequencies(rate, bands, f_min)
    bandwidth = 1.019 * 2 * np.pi * (centre / _EAR_Q + _MIN_BANDWIDTH)
    theta = 2 * np.pi * centre / rate
    radius = np.exp(-bandwidth / rate)
    z = np.exp(1j * theta)
    gain = np.ones(bands)
    # The response at the centre frequency; its denominator there is (z - r z)(z - r / z).
    for kappa in _KAPPAS:
        zero = radius * (np.cos(theta) + kappa * np.sin(theta))
        gain *= np.abs(z * (z - zero) / ((1 - radius) * (z * z - radius)))
    return FilterBank(radius, theta, gain)


def block_length(unit: int) -> int | None:
    """The divisor of `unit` nearest to the preferred block length, or None if all are tiny."""
    divisors = [d for d in range(_SMALLEST_BLOCK, unit + 1) if unit % d == 0]
    return min(divisors, key=lambda d: abs(math.log(d / _PREFERRED_BLOCK)), default=None)


def mean_squares_recursive(signals: Array, bank: FilterBank, window: int, hop: int) -> Array:
    """Plain recursion sample by sample, for rates whose window and hop share no useful block length."""
    result = []
    for radius, theta, gain in zip(bank.radius, bank.theta, bank.gain, strict=True):
        sections = [
            (
                1.0,
                -radius * (np.cos(theta) + kappa * np.sin(theta)),
                0.0,
                1.0,
                -2 * radius * np.cos(theta),
                radius**2,
            )
            for kappa in _KAPPAS
        ]
        squares = (signal.sosfilt(np.array(sections), signals) / gain) ** 2
        spans = np.lib.stride_tricks.sliding_window_view(squares, window, axis=-1)[:, ::hop]
        result.append(spans.mean(axis=-1))
    return np.stack(result, axis=1)


@dataclass(frozen=True)
class _BlockMatrices:
    """What a band does to a sub-block of m samples x, given the state s (8 reals) before it.

    With [u, w] = x `inputs`: state after: s `advance` + u; energy: s . (s `state_state` + w) + x `sample_sample` x.

    Shapes: advance, state_state (bands, 8, 8); inputs (m, bands, 16); sample_sample (bands, m, m).
    """

    advance: Array
    inputs: Array
    state_state: Array
    sample_sample: Array


@lru_cache(maxsize=8)
def _block_matrices(radius: bytes, theta: bytes, gain: bytes, block: int) -> _BlockMatrices:
    bank = FilterBank(*(np.frombuffer(part, dtype=np.float64) for part in (radius, theta, gain)))
    bands = bank.bands
    # A section in coupled form: v <- R v + (x, 0) with R the rotation by theta shrunk by r, output
    # Re v - kappa Im v. Unlike the direct form, R is a normal matrix, so powers of it lose no digits.
    cosine, sine = bank.radius * np.cos(bank.theta), bank.radius * np.sin(bank.theta)
    rotation = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    step = np.zeros((bands, STATES, STATES))  # one sample: state, input -> state, output
    enter = np.zeros((bands, STATES))
    through_state = np.zeros((bands, STATES))  # what reaches the next section: from the state before ...
    through_input = np.ones(bands)  # ... and from the input
    for index, kappa in enumerate(_KAPPAS):
        here = slice(2 * index, 2 * index + 2)
        step[:, here, here] = rotation
        step[:, 2 * index, :] += through_state
        enter[:, 2 * index] = through_input
        readout = np.array([1.0, -kappa])
        through_state = np.einsum("r,brs->bs", readout, step[:, here, :])
        through_input = enter[:, here] @ readout
    through_state, through_input = through_state / bank.gain[:, None], through_input / bank.gain
    # Run the 8 unit states and then one impulse through a sub-block; impulses later in it are shifts.
    states = np.zeros((bands, block + 1, STATES, STATES))
    states[:, 0] = np.eye(STATES)
    impulses = np.zeros((bands, block + 1, STATES))
    impulses[:, 1] = enter
    for n in range(block):
        states[:, n + 1] = step @ states[:, n]
        if n:
            impulses[:, n + 1] = np.einsum("bij,bj->bi", step, impulses[:, n])
    from_state = np.einsum("bi,bnij->bnj", through_state, states[:, :block])
    response = np.einsum("bi,bni->bn", through_state, impulses[:, :block])
    response[:, 0] = through_input
    from_samples = np.zeros((bands, block, block))
    for n in range(block):
        from_samples[:, n:, n] = response[:, : block - n]
    return _BlockMatrices(
        advance=np.ascontiguousarray(states[:, block].swapaxes(1, 2)),
        # Samples first: one product then serves several bands at once.
        inputs=np.ascontiguousarray(
            np.concatenate(
                [impulses[:, block:0:-1], 2 * from_samples.swapaxes(1, 2) @ from_state], axis=2
            ).swapaxes(0, 1)
        ),
        state_state=from_state.swapaxes(1, 2) @ from_state,
        sample_sample=from_samples.swapaxes(1, 2) @ from_samples,
    )


def block_energies(signals: Array, bank: FilterBank, block: int, unit: int, difference: bool) -> Array:
    """Energy of every band over consecutive stretches of `unit` samples.

    Shapes: (signals, samples) -> (signals (+ 1), bands, samples // unit).
    """
    parts = _block_matrices(bank.radius.tobytes(), bank.theta.tobytes(), bank.gain.tobytes(), block)
    count, length = signals.shape
    units, per_unit = length // unit, unit // block
    energies = _energies_of_samples(signals, parts.sample_sample, block, unit, difference)
    carried = np.zeros((bank.bands, count, STATES))
    work: _Workspace | None = None
    for first in range(0, units, _UNITS_AT_ONCE):
        last = min(first + _UNITS_AT_ONCE, units)
        if work is None or work.units != last - first:
            work = _Workspace(count, last - first, per_unit, block, difference)
        samples = work.in_scan_order(signals[:, first * unit : last * unit])
        for band in range(0, bank.bands, _BANDS_AT_ONCE):
            some = slice(band, band + _BANDS_AT_ONCE)
            energies[:, some, first:last] += work.energies(parts, some, samples, carried)
    return energies


class _Workspace:
    """Buffers for a stretch of sound and a few bands: small enough for a core's cache, and used again.

    Fresh arrays of this size cost more than the products that fill them.
    """

    def __init__(self, count: int, units: int, per_unit: int, block: int, difference: bool) -> None:
        self.count, self.units, self.per_unit, self.block = count, units, per_unit, block
        self.difference = difference
        self.order = Scan.order(units * per_unit)
        steps, bands = len(self.order), _BANDS_AT_ONCE
        self.in_time = np.argsort(self.order)[: units * per_unit]
        self.samples = np.zeros((count, steps, block))
        self.driven = np.empty((count * steps, bands * 2 * STATES))
        self.scan = Scan(bands, count, units * per_unit)
        self.factors = np.empty((bands, count, steps, STATES))
        self.apart = np.empty((2, bands, steps, STATES))
        self.sums = np.empty((bands, count + difference, steps))
        self.ordered = np.empty((bands, count + difference, units * per_unit))

    def in_scan_order(self, signals: Array) -> Array:
        """Sub-blocks in the order of the scan. Shapes: (signals, samples) -> (signals * steps, block)."""
        self.samples[:, self.in_time] = signals.reshape(self.count, -1, self.block)
        return self.samples.reshape(-1, self.block)

    def energies(self, parts: _BlockMatrices, some: slice, samples: Array, carried: Array) -> Array:
        """What states cause in each unit; `carried` (bands, signals, 8) goes to the end of the stretch.

        Shapes: -> (signals (+ 1), bands of `some`, units).
        """
        g = len(parts.advance[some])
        factors, sums, ordered = self.factors[:g], self.sums[:g], self.ordered[:g]
        driven = self.driven[:, : g * 2 * STATES]
        np.matmul(samples, parts.inputs[:, some].reshape(self.block, -1), out=driven)
        inputs = driven.reshape(self.count, -1, g, 2 * STATES).transpose(2, 0, 1, 3)
        states = self.scan(parts.advance[some], inputs[..., :STATES], carried[some])
        end = self.in_time[-1]
        carried[some] = (states[:, :, end, None] @ parts.advance[some, None])[:, :, 0] + inputs[
            :, :, end, :STATES
        ]
        np.matmul(states, parts.state_state[some, None], out=factors)
        np.add(factors, inputs[..., STATES:], out=factors)
        if self.difference:
            apart = self.apart[:, :g]
            np.subtract(states[:, 0], states[:, 1], out=apart[0])
            np.subtract(factors[:, 0], factors[:, 1], out=apart[1])
            np.multiply(apart[0], apart[1], out=apart[0])
            np.matmul(apart[0], _ONES, out=sums[:, self.count])
        np.multiply(factors, states, out=factors)
        np.matmul(factors, _ONES, out=sums[:, : self.count])
        np.take(sums, self.in_time, axis=2, out=ordered, mode="clip")
        per_unit = ordered.reshape(g, -1, self.units, self.per_unit) @ np.ones(self.per_unit)
        return per_unit.swapaxes(0, 1)


def _energies_of_samples(
    signals: Array, sample_sample: Array, block: int, unit: int, difference: bool
) -> Array:
    """The part of the energies that the samples of each sub-block cause by themselves.

    Shapes: (signals, samples), (bands, block, block) -> (signals (+ 1), bands, samples // unit).
    """
    bands, (count, length) = len(sample_sample), signals.shape
    forms = sample_sample.reshape(bands, -1)
    grouped = signals.reshape(count, length // unit, unit // block, block)
    energies = np.empty((count + difference, bands, length // unit))
    moments = np.empty((_UNITS_AT_ONCE, block, block))
    for index in range(count + difference):
        for first in range(0, length // unit, _UNITS_AT_ONCE):
            span = slice(first, first + _UNITS_AT_ONCE)
            some = grouped[index, span] if index < count else grouped[0, span] - grouped[1, span]
            part = moments[: len(some)]
            np.matmul(some.swapaxes(1, 2), some, out=part)
            energies[index, :, span] = forms @ part.reshape(len(some), -1).T
    return energies
