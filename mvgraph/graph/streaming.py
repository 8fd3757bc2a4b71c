"""One pass over all pairs of rows: candidates for the k nearest, and the sum of all distances.

The pass goes by blocks of rows and, inside, by tiles of columns that fit a cache. What a tile costs beside its
matrix product decides the speed, so

- norms enter the product as two columns more, `[-2x, |x|^2, 1] . [y, 1, |y|^2]`: no pass to add them;
- each tile is reduced to the minima of groups of columns; the K nearest of a row lie in the K groups of smallest
  minimum, so only those are searched (were a near one elsewhere, K groups would each hold one nearer);
- the sum of distances takes each pair once, from the tiles above the diagonal.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mvgraph.graph.parallel import workers
from mvgraph.graph.rows import Rows

#: Columns whose minimum is taken together; near sqrt(N / k) both searches (groups, then members) are short.
GROUP = 32
#: Rows of a block, and columns of a tile, on a CPU: a tile of 2 MiB stays in the second-level caches.
CPU_BLOCK, CPU_TILE = 256, 2048
#: Columns searched at a time; bounds the memory of a block whatever N is.
PANEL = 2**16
#: Elements of a block at most (256 MiB): a GPU takes that many, since large operations are what is fast there.
BLOCK_ELEMENTS = 2**26


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a block of rows found.

    Shapes:
        values: (B, K) float32, computed squared distances of centred rows, in no order
        columns: (B, K) int64; whoever is not among them has a computed value of at least the largest here
        total: 0-d float64, sum of the distances of these rows to all rows after them, in units of `centred`
    """

    values: Tensor
    columns: Tensor
    total: Tensor


class Pass:
    """Streams over all pairs of N rows.

    Args:
        rows: the rows.
        width: candidates per row (K), or 0 for the sum of distances alone.
        block_rows: rows of a block (default: what suits the device); fewer where memory says so.
    """

    def __init__(self, rows: Rows, width: int, *, block_rows: int | None = None) -> None:
        self.rows, self.width = rows, width
        self._padded = -(-rows.n // GROUP) * GROUP
        self.panel = min(self._padded, PANEL)
        on_cpu = rows.device.type == "cpu"
        self.tile = min(self.panel, CPU_TILE) if on_cpu else self.panel
        most = max(1, BLOCK_ELEMENTS // (self.panel * workers(rows.device)))
        self.block = min(block_rows or (CPU_BLOCK if on_cpu else most), most, rows.n)
        self._products = _products(rows, self._padded, self.tile)
        self._memory = threading.local()

    def blocks(self) -> list[int]:
        """First rows of the blocks."""
        return list(range(0, self.rows.n, self.block))

    def run(self, start: int) -> Candidates:
        """Work off the block of rows that begins at `start`; several threads may, each a block of its own."""
        stop = min(start + self.block, self.rows.n)
        left = self._products.left(start, stop)
        total = torch.zeros((), dtype=torch.float64, device=self.rows.device)
        if not self.width:
            # Tiles under the diagonal have nothing to say.
            for low in range(start // self.tile * self.tile, self._padded, self.tile):
                total += self._upper_sum(self._products.tile(left, low), start, low)
            none = torch.empty((stop - start, 0), device=self.rows.device)
            return Candidates(none, none.long(), total)
        found = [
            self._panel(left, start, stop, begin, min(begin + self.panel, self._padded), total)
            for begin in range(0, self._padded, self.panel)
        ]
        values, columns = found[0]
        if len(found) > 1:
            values, columns = (torch.cat(parts, 1) for parts in zip(*found, strict=True))
            values, at = torch.topk(values, self.width, dim=1, largest=False, sorted=False)
            columns = columns.gather(1, at)
        return Candidates(values, columns, total)

    def _panel(
        self, left: Tensor, start: int, stop: int, begin: int, end: int, total: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The K nearest candidates among the columns of one panel; adds their distances to `total`."""
        size = stop - start
        block, minima = self._buffers(size, end - begin)
        for low in range(begin, end, self.tile):
            high = min(low + self.tile, end)
            squared = self._products.tile(left, low)
            if low < stop and start < high:
                itself = torch.arange(max(start, low), min(stop, high), device=self.rows.device)
                squared[itself - start, itself - low] = torch.inf
            block[:, low - begin : high - begin] = squared
            groups = squared.view(size, (high - low) // GROUP, GROUP)
            torch.amin(groups, 2, out=minima[:, (low - begin) // GROUP : (high - begin) // GROUP])
            total += self._upper_sum(squared, start, low)
        values, columns = _smallest(block, minima, min(self.width, end - begin))
        return values, columns.add_(begin)

    def _upper_sum(self, squared: Tensor, start: int, low: int) -> Tensor | float:
        """Sum of the distances above the diagonal of a tile; uses the tile up."""
        size, high = squared.shape[0], low + squared.shape[1]
        if high <= start:
            return 0.0
        squared = squared[:, : self.rows.n - low].clamp_(min=0.0).sqrt_()
        if low < start + size:
            # Infinity stood for the row itself; the strict upper triangle never holds it.
            squared = squared.triu_(start - low + 1)
        return squared.sum()

    def _buffers(self, size: int, width: int) -> tuple[Tensor, Tensor]:
        """Room for a block and its minima, taken once per thread: fresh memory costs more to touch than to fill."""
        if not hasattr(self._memory, "block"):
            elements = self.block * self.panel
            self._memory.block = torch.empty(elements, device=self.rows.device)
            self._memory.minima = torch.empty(elements // GROUP, device=self.rows.device)
        block: Tensor = self._memory.block[: size * width].view(size, width)
        minima: Tensor = self._memory.minima[: size * width // GROUP].view(size, width // GROUP)
        return block, minima


def _smallest(block: Tensor, minima: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest of every row.

    Shapes:
        block: (B, M); minima: (B, M / GROUP) minima of groups of adjacent columns -> (B, k), (B, k) int64
    """
    size, n_groups = minima.shape
    if n_groups < 2 * k:
        values, columns = torch.topk(block, k, dim=1, largest=False, sorted=False)
        return values, columns
    group = torch.topk(minima, k, dim=1, largest=False, sorted=False).indices
    offset = torch.arange(0, size * n_groups, n_groups, device=block.device)
    member = block.view(-1, GROUP).index_select(0, (group + offset[:, None]).flatten())
    values, at = torch.topk(member.view(size, k * GROUP), k, dim=1, largest=False, sorted=False)
    return values, group.gather(1, at // GROUP).mul_(GROUP).add_(at % GROUP)


class _Products:
    """Tiles of squared distances by `torch.mm`. Columns past N are infinitely far."""

    def __init__(self, rows: Rows, padded: int, tile: int) -> None:
        self.rows = rows
        right = torch.zeros((padded, rows.d + 2), dtype=torch.float32, device=rows.device)
        right[: rows.n, : rows.d] = rows.centred
        right[: rows.n, rows.d] = 1.0
        right[: rows.n, rows.d + 1] = rows.norms
        right[rows.n :, rows.d + 1] = torch.inf
        self.tiles = {low: self.keep(right[low : low + tile]) for low in range(0, padded, tile)}

    def keep(self, right: Tensor) -> Tensor:
        return right

    def left(self, start: int, stop: int) -> Tensor:
        centred, norms = self.rows.centred[start:stop], self.rows.norms[start:stop, None]
        return torch.cat([centred * -2.0, norms, torch.ones_like(norms)], 1)

    def tile(self, left: Tensor, low: int) -> Tensor:
        return torch.mm(left, self.tiles[low].T)


class _OneDnnProducts(_Products):
    """The same by oneDNN, whose float32 product is twice as fast as BLAS where BLAS leaves AVX-512 unused."""

    def keep(self, right: Tensor) -> Tensor:
        return right.to_mkldnn()

    def left(self, start: int, stop: int) -> Tensor:
        return super().left(start, stop).to_mkldnn()

    def tile(self, left: Tensor, low: int) -> Tensor:
        return F.linear(left, self.tiles[low]).to_dense()


def _products(rows: Rows, padded: int, tile: int) -> _Products:
    if rows.device.type == "cpu" and torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled:
        return _OneDnnProducts(rows, padded, tile)
    return _Products(rows, padded, tile)
