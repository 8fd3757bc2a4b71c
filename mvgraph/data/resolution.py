"""Which views float32 cannot hold: decided exactly and block by block, so that all others stay float32.

float32 has 24 bits. A column of time stamps or coordinates (a large common offset, a small spread) loses its
neighbours in them, integers above 2^24 merge, and what is smaller than 1e-38 or larger than 3e38 is 0 or
infinite. Such a view is held in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mvgraph.data.lazy import LazyViews

if TYPE_CHECKING:
    from mvgraph.data.multiview import MultiViewData

#: Values looked at in one go: the copies that a look takes stay in the cache.
BLOCK_VALUES = 1 << 16
#: Rows, evenly spread, whose gaps are looked at; fewer (a quarter at least) where a view is wide.
SAMPLE_ROWS, SAMPLE_VALUES = 1024, 1 << 18
#: Rows between which gaps are told apart at least: of more rows, neighbours that near differ in other columns too.
NEAR_ROWS = 1 << 14
#: Share of gaps that may come out wrong by half. Measured on normal columns of 200 to 10,000 rows at offsets of 0 to
#: 1e7 standard deviations: up to this share the recall of the 10 nearest is at least 0.998 in one column and 0.9995
#: in two or more; at an offset of 100, as ordinary features have, the share is at most 0.018.
WRONG_GAPS = 0.02
#: An offset is what is this many times larger than the distances from the median.
OFFSET = 4
_LARGEST, _SMALLEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True)
class Loss:
    """What float32 would lose of a view: in which column, and a clause that says why."""

    column: int
    why: str


def may_lose(dtype: np.dtype) -> bool:
    """Whether values of this type can be more than float32 holds."""
    if dtype.kind == "f":
        return dtype.itemsize > 4
    return dtype.kind in "iu" and dtype.itemsize > 2


def lost_in_float32(array: np.ndarray, present: np.ndarray | None = None) -> Loss | None:
    """What float32 would lose of a table; None where it holds it.

    Shapes: array (N, d); present (N,) bool, the rows that count.
    """
    if not may_lose(array.dtype):
        return None
    watch = Resolution(array.shape, present)
    watch.look(array)
    return watch.loss()


def suited(array: np.ndarray, present: np.ndarray | None = None) -> type[np.floating]:
    """The type a view is held in: float32, or float64 where float32 would lose something."""
    return np.float32 if lost_in_float32(array, present) is None else np.float64


def float64_notes(data: MultiViewData, read: bool = True) -> tuple[str, ...]:
    """A sentence on every view that float32 cannot hold.

    Args:
        read: whether views may be read from disk to find out.
    """
    notes = []
    for column, name in enumerate(data.view_names):
        views = data.views
        if isinstance(views, LazyViews):
            may_be = read if views.wide is None else name in views.wide
            if name not in views.loaded and not may_be:
                continue
            view = views.peek(name)
        else:
            view = views[name]
        loss = lost_in_float32(view, data.observed[:, column])
        if loss is not None:
            notes.append(
                f"View {name!r} is held in float64: column {loss.column} {loss.why}; scale it (zscore) for methods "
                "that compute in float32."
            )
    return tuple(notes)


class Resolution:
    """Looks at a table that goes by in blocks, rows or columns first, and says what float32 would lose of it.

    Args:
        shape: (N, d) of the table.
        present: (N,) bool, the rows that count; all by default.
    """

    def __init__(self, shape: tuple[int, ...], present: np.ndarray | None = None) -> None:
        n, d = shape
        self.shape = (n, d)
        self._present = None if present is None or bool(present.all()) else present
        rows = np.arange(n) if self._present is None else np.flatnonzero(self._present)
        wanted = min(SAMPLE_ROWS, max(SAMPLE_ROWS // 4, SAMPLE_VALUES // max(1, d)))
        self._n = len(rows)
        self._rows = rows[:: max(1, len(rows) // wanted)]
        self._sample: np.ndarray | None = None
        self._whole = np.ones(d, dtype=bool)
        self._inexact = np.zeros(d, dtype=bool)
        self._example = np.zeros(d)
        self._outside: Loss | None = None

    def look(self, block: np.ndarray, row: int = 0, column: int = 0) -> None:
        """Take in the block whose upper left corner is at (row, column)."""
        if not may_lose(block.dtype):
            return
        step = max(1, BLOCK_VALUES // max(1, block.shape[1]))
        for start in range(0, block.shape[0], step):
            self._look(block[start : start + step], row + start, column)

    def _look(self, block: np.ndarray, row: int, column: int) -> None:
        if block.dtype.kind == "f" and block.dtype != np.float64:
            block = block.astype(np.float64)
        columns = slice(column, column + block.shape[1])
        low, high = np.searchsorted(self._rows, (row, row + block.shape[0]))
        if self._sample is None:
            self._sample = np.zeros((len(self._rows), self.shape[1]))
        self._sample[low:high, columns] = block[self._rows[low:high] - row]
        if self._present is not None:
            block = block[self._present[row : row + block.shape[0]]]
        if block.size:
            (self._look_at_floats if block.dtype.kind == "f" else self._look_at_integers)(block, columns)

    def loss(self) -> Loss | None:
        """What float32 would lose of everything that was looked at."""
        if self._outside is not None:
            return self._outside
        rounded = np.flatnonzero(self._inexact & self._whole)
        if rounded.size:
            column = int(rounded[0])
            return Loss(column, f"holds the integer {self._example[column]:.0f}, which float32 rounds")
        return None if self._sample is None else self._wrong_gaps(self._sample)

    def _look_at_floats(self, block: np.ndarray, columns: slice) -> None:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            held = block.astype(np.float32).astype(np.float64)
        whole = self._whole[columns]
        if whole.any():
            part = block[:, whole]
            # Beyond 2^53 every float64 is an integer.
            integers = (np.rint(part) == part) & (np.abs(part) <= 2.0**53)
            whole[whole] = (integers | np.isnan(part)).all(axis=0)
        off = (held != block) & np.isfinite(block)
        if not off.any():
            return
        self._note(off, block, columns)
        if self._outside is None:
            outside = off & ((np.abs(block) > _LARGEST) | (np.abs(block) < _SMALLEST))
            if outside.any():
                row, column = (int(i) for i in np.argwhere(outside)[0])
                value = float(block[row, column])
                limits = "beyond" if abs(value) > 1 else "closer to 0 than"
                self._outside = Loss(
                    columns.start + column, f"holds {value:.6g}, which is {limits} what float32 can tell"
                )

    def _look_at_integers(self, block: np.ndarray, columns: slice) -> None:
        if int(block.max()) <= 1 << 24 and int(block.min()) >= -(1 << 24):
            return
        size = np.abs(block.astype(np.int64) if block.dtype.kind == "i" else block).astype(np.uint64)
        # Exact with at most 24 bits from the first to the last one that is set.
        off = (size >> np.uint64(24)) >= np.maximum(size & (~size + np.uint64(1)), np.uint64(1))
        self._note(off, block, columns)

    def _note(self, off: np.ndarray, block: np.ndarray, columns: slice) -> None:
        found = off.any(axis=0)
        new = found & ~self._inexact[columns]
        first = off.argmax(axis=0)
        self._example[columns][new] = block[first, np.arange(block.shape[1])][new]
        self._inexact[columns] |= found

    def _wrong_gaps(self, sample: np.ndarray) -> Loss | None:
        """Whether neighbours along a column keep their distances."""
        # In all rows the nearest is nearer than in the sample.
        scale = len(sample) / min(self._n, max(NEAR_ROWS, len(sample)))
        step = max(1, BLOCK_VALUES // len(sample))
        for start in range(0, sample.shape[1], step):
            inexact = start + np.flatnonzero(self._inexact[start : start + step])
            if not inexact.size:
                continue
            # NaN stands at the end; rows of it may yet turn out to be missing.
            values = np.sort(sample[:, inexact], axis=0)
            with np.errstate(over="ignore", invalid="ignore"):
                held = np.diff(values.astype(np.float32).astype(np.float64), axis=0)
                gaps = np.diff(values, axis=0)
                wrong = (np.abs(held - gaps) > 0.5 * scale * gaps) & (gaps > 0)
                # Where no offset dominates, float32 keeps as many bits as it would of centred columns.
                centre = _median(values)
                away = np.abs(values - centre)
                wrong &= np.abs(values[1:]) > OFFSET * (away[1:] + _median(np.sort(away, axis=0)))
            lost = np.flatnonzero(wrong.sum(axis=0) > WRONG_GAPS * (gaps > 0).sum(axis=0))
            if lost.size:
                own = values[:, lost[0]]
                return Loss(
                    int(inexact[lost[0]]),
                    f"has an offset of {centre[lost[0]]:.3g} and a spread of {np.nanstd(own):.3g}, whose gaps float32 "
                    "rounds away",
                )
        return None


def _median(values: np.ndarray) -> np.ndarray:
    """The upper median of sorted columns, NaN at their end left out. Shapes: (M, d) -> (d,)."""
    middle = (~np.isnan(values)).sum(axis=0) // 2
    return np.asarray(values[np.minimum(middle, len(values) - 1), np.arange(values.shape[1])])
