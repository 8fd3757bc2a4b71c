"""The scan that carries filter states from sub-block to sub-block in a few large products."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Two reals for each of the four sections of a gammatone filter.
STATES = 8


class Scan:
    """States before each step of s <- s A + input: pairs are merged, then resolved, in sweeps.

    Steps stand in an order (`order`) in which the first of all pairs come before the second of all pairs, at
    every level, so that each sweep is a product and a sum over contiguous memory.

    Args:
        bands, signals, steps: how many sequences of which length before padding; buffers are made once.
    """

    def __init__(self, bands: int, signals: int, steps: int) -> None:
        self.halvings = self.levels(steps)
        padded = len(self.order(steps))
        self.merged = [np.empty((bands, signals, padded >> k, STATES)) for k in range(1, self.halvings + 1)]
        self.states = np.empty((bands, signals, padded, STATES))

    @staticmethod
    def levels(steps: int) -> int:
        """How often `steps` can be halved with at most 3 % of padding."""
        level = 0
        while 2 << level <= steps and -steps % (2 << level) <= 0.03 * steps:
            level += 1
        return level

    @classmethod
    def order(cls, steps: int) -> NDArray[np.intp]:
        """Which step stands where, padding included.

        Shapes: (padded steps,).
        """
        level = cls.levels(steps)
        order = np.arange(-(-steps >> level), dtype=np.intp)
        for _ in range(level):
            order = np.concatenate([2 * order, 2 * order + 1])
        return order

    def __call__(self, advance: Array, inputs: Array, start: Array) -> Array:
        """States before each step, valid until the next call.

        Shapes: (bands, 8, 8), (bands, signals, padded, 8), (bands, signals, 8) -> like the inputs.
        """
        bands = len(advance)
        powers = [advance[:, None]]
        levels = [inputs]
        for buffer in self.merged:
            merged = buffer[:bands]
            half = merged.shape[2]
            np.matmul(levels[-1][:, :, :half], powers[-1], out=merged)
            np.add(merged, levels[-1][:, :, half:], out=merged)
            levels.append(merged)
            powers.append(powers[-1] @ powers[-1])
        states, last = self.states[:bands], levels.pop()
        states[:, :, 0] = start
        for step in range(1, last.shape[2]):
            previous = states[:, :, step - 1 : step]
            states[:, :, step : step + 1] = previous @ powers[-1] + last[:, :, step - 1 : step]
        for level in reversed(range(self.halvings)):
            half = states.shape[2] >> (level + 1)
            before, after = states[:, :, :half], states[:, :, half : 2 * half]
            np.matmul(before, powers[level], out=after)
            np.add(after, levels[level][:, :, :half], out=after)
        return states
