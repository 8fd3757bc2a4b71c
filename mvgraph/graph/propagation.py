"""What a method's forward sees: constant features, and products with the views' Laplacians.

A method writes `p.product(t, view, h, W)` for `L_v H W` and `p.mixture(t, theta, h, W)` for
`(sum_v theta_v L_v) H W` (Eq. 2 and 3). Where the speed comes from stays in here:

- products of a Laplacian with the constant input are computed once and kept;
- a propagation restricted to the labelled rows holds, for each layer, only the rows that can reach the loss;
- the transposes that the backward pass needs are stored;
- of `(L H) W` and `L (H W)` the one with less work is chosen from the shapes.

None of it is an approximation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.graph.csr import CSR
from mvgraph.graph.levels import receptive_levels, sampled_levels
from mvgraph.graph.multiview import MultiViewGraph
from mvgraph.graph.operator import (
    SparseOperator,
    propagates_first,
    restrict_rows_and_columns,
    row_slice,
    stack_rows,
)
from mvgraph.graph.precision import dense_product

#: Rows that inference on the full graph propagates at a time.
INFERENCE_BLOCK = 65_536


@dataclass(frozen=True)
class Constant:
    """An input that stays the same from epoch to epoch, so that its propagated form can be kept.

    Args:
        value: (N, d), on all nodes.
        key: what the products are filed under.
    """

    value: Tensor
    key: str

    @property
    def width(self) -> int:
        """Number of columns d."""
        return int(self.value.shape[1])


class Propagation:
    """Products with the Laplacians of all views, on all nodes or on the receptive field of some rows.

    Layers are counted from 1. Layer t turns the rows of level t-1 into those of level t; on the full
    graph every level holds all N nodes, on a receptive field level T holds the rows asked for and
    level t-1 what level t needs.

    Args:
        graph: one adjacency per view.
        features: view -> (N, d_v), constant.
        precision: of the dense products, see `mvgraph.graph.precision`.

    Shapes:
        features: (N, d_v) per view; results: (rows of the level, out).
    """

    def __init__(
        self, graph: MultiViewGraph, features: Mapping[str, Tensor], *, precision: str = "float32"
    ) -> None:
        self.graph = graph
        self.precision = precision
        self.view_names = graph.view_names
        self._features = {view: Constant(x, f"view:{view}") for view, x in sorted(features.items())}
        self._root = self
        self._concatenated: Constant | None = None
        self._products: dict[tuple[str, str], Tensor] = {}
        self._laplacians: dict[str, SparseOperator] = {}
        self._levels: dict[str, list[Tensor]] | None = None
        self._restricted: dict[tuple[int, str], SparseOperator] = {}
        self._sliced: dict[tuple[int, str, str], Tensor] = {}
        self._positions: dict[tuple[int, int, str], Tensor] = {}

    # -- constant input -------------------------------------------------------------------------

    def features(self, view: str) -> Constant:
        """The constant embeddings of one view, (N, d_v).

        A view of the graph without embeddings of its own, such as a fused one, gets those of all views.
        """
        if view in self._features or view not in self.view_names:
            return self._features[view]
        return self.concatenated()

    def concatenated(self) -> Constant:
        """The constant embeddings of all views side by side in the order of their names, (N, sum d_v)."""
        if self._root is not self:
            return self._root.concatenated()
        if self._concatenated is None:
            parts = [constant.value for constant in self._features.values()]
            self._concatenated = Constant(torch.cat(parts, dim=1), "all views")
        return self._concatenated

    def propagated(self, view: str, hops: int) -> Constant:
        """`L_v^hops` times `features(view)`: (N, d_v), constant, computed once."""
        h = self.features(view)
        for _ in range(hops):
            h = Constant(self._whole_product(view, h), f"{h.key} over {view}")
        return h

    def inputs(self) -> Tensor:
        """`concatenated()` on the rows of the last level, for methods that read no graph."""
        x = self.concatenated()
        if self._levels is None:
            return x.value
        if (0, x.key, "") not in self._sliced:
            self._sliced[0, x.key, ""] = self.select(x, 0, len(self._levels[self.view_names[0]]) - 1)
        return self._sliced[0, x.key, ""]

    # -- products -------------------------------------------------------------------------------

    def product(self, layer: int, view: str, h: Tensor | Constant, weight: Tensor) -> Tensor:
        """`L_v H W` on the rows of level `layer`.

        Shapes:
            h: (rows of level layer-1, in) or constant; weight: (in, out); result (rows of level layer, out).
        """
        if isinstance(h, Constant):
            return dense_product(self._constant_product(layer, view, h), weight, self.precision)
        operator = self._operator(layer, view)
        rows, columns = operator.matrix.shape
        if propagates_first(rows, columns, operator.matrix.nnz, *weight.shape):
            return dense_product(operator(h), weight, self.precision)
        return operator(dense_product(h, weight, self.precision))

    def mixture(self, layer: int, theta: Tensor, h: Tensor | Constant, weight: Tensor) -> Tensor:
        """`(sum_v theta_v L_v) H W` on the rows of level `layer` (Eq. 2 inside Eq. 3).

        Shapes:
            theta: (V,); h: (rows of level layer-1, in) or constant; weight: (in, out).
        """
        if isinstance(h, Constant):
            mixed = weighted_sum(theta, self._stacked_products(layer, h))
            return dense_product(mixed, weight, self.precision)
        first = self._mixes_first(layer, weight)
        inner = h if first else dense_product(h, weight, self.precision)
        if self._levels is None and not torch.is_grad_enabled():
            mixed = self._mixture_in_blocks(theta, inner)
        else:
            operator = self._stacked_operator(layer)
            mixed = weighted_sum(theta, operator(inner).unflatten(0, (len(self.view_names), -1)))
        return dense_product(mixed, weight, self.precision) if first else mixed

    def select(self, h: Tensor | Constant, level: int, to_level: int, view: str | None = None) -> Tensor:
        """The rows of level `to_level` out of `h`, which lies on the rows of level `level`.

        Shapes:
            h: (rows of `level`, d); result: (rows of `to_level`, d).
        """
        if isinstance(h, Constant):
            rows = self.rows(to_level, view)
            return h.value if rows is None else h.value.index_select(0, rows)
        if self._levels is None or level == to_level:
            return h
        view = view or self.view_names[0]
        if (level, to_level, view) not in self._positions:
            levels = self._levels[view]
            self._positions[level, to_level, view] = torch.searchsorted(levels[level], levels[to_level])
        return h.index_select(0, self._positions[level, to_level, view])

    # -- receptive fields -----------------------------------------------------------------------

    def restricted(self, rows: Tensor, n_layers: int, *, joint: bool = True) -> Propagation:
        """The propagation that computes level `n_layers` on `rows` only, exactly.

        Args:
            rows: nodes whose output is needed, ascending.
            n_layers: number of propagation steps of the method.
            joint: True when layers mix views, so that a level is the union over views;
                False when each view has a stack of its own, which keeps its levels smaller.

        Raises:
            UserError: no row at all.
        """
        child = self._child(rows)
        child._levels = {}
        for group in self._groups(joint):
            levels = receptive_levels(self.graph, rows, n_layers, group)
            child._levels.update(dict.fromkeys(group, levels))
        return child

    def sampled(
        self,
        rows: Tensor,
        fan_out: Sequence[int],
        generator: torch.Generator,
        *,
        joint: bool = True,
    ) -> Propagation:
        """Like `restricted`, but every row reads at most `fan_out[t]` neighbours a view in layer t.

        Products are unbiased estimates (see `sample_row_entries`). The constant first layer costs nothing to
        compute exactly, so a method's first propagation of the input is never sampled.

        Args:
            rows: nodes whose output is needed, ascending.
            fan_out: one number a layer, first layer first.
            generator: of the draws, on the CPU.
            joint: as in `restricted`.

        Raises:
            UserError: no row at all.
        """
        child = self._child(rows)
        child._levels = {}
        for group in self._groups(joint):
            levels, drawn = sampled_levels(self.graph, rows, fan_out, group, generator)
            child._levels.update(dict.fromkeys(group, levels))
            child._restricted.update({key: SparseOperator(csr) for key, csr in drawn.items()})
        return child

    def _child(self, rows: Tensor) -> Propagation:
        if rows.numel() == 0:
            raise UserError("A receptive field needs at least one row; give labelled training rows.")
        child = Propagation(self.graph, {}, precision=self.precision)
        child._root, child._features = self._root, self._features
        child._products, child._laplacians = self._products, self._laplacians
        return child

    def _groups(self, joint: bool) -> list[list[str]]:
        return [list(self.view_names)] if joint else [[view] for view in self.view_names]

    def rows(self, level: int, view: str | None = None) -> Tensor | None:
        """Node numbers of a level, ascending; None stands for all nodes."""
        if self._levels is None:
            return None
        return self._levels[view or self.view_names[0]][level]

    # -- operators, each made once --------------------------------------------------------------

    def _laplacian(self, view: str) -> SparseOperator:
        if view not in self._laplacians:
            self._laplacians[view] = SparseOperator(self.graph.laplacian(view))
        return self._laplacians[view]

    def _operator(self, layer: int, view: str) -> SparseOperator:
        if self._levels is None:
            return self._laplacian(view)
        key = (layer, view)
        if key not in self._restricted:
            levels = self._levels[view]
            if self._holds_all(layer, view) and self._holds_all(layer - 1, view):
                return self._laplacian(view)
            csr: CSR = restrict_rows_and_columns(self.graph.laplacian(view), levels[layer], levels[layer - 1])
            self._restricted[key] = SparseOperator(csr)
        return self._restricted[key]

    def _stacked_operator(self, layer: int) -> SparseOperator:
        """All views' Laplacians one above the other, so that a mixture costs one sparse product."""
        key = (0 if self._levels is None else layer, "")
        if key not in self._restricted:
            views = [self._operator(layer, view).matrix for view in self.view_names]
            self._restricted[key] = SparseOperator(stack_rows(views))
        return self._restricted[key]

    def _mixes_first(self, layer: int, weight: Tensor) -> bool:
        matrices = [self._operator(layer, view).matrix for view in self.view_names]
        return propagates_first(*matrices[0].shape, sum(m.nnz for m in matrices), *weight.shape)

    def _mixture_in_blocks(self, theta: Tensor, inner: Tensor) -> Tensor:
        """Inference on all nodes: the views' products never lie side by side in memory."""
        mixed = inner.new_empty(self.graph.n_nodes, inner.shape[1])
        for start in range(0, self.graph.n_nodes, INFERENCE_BLOCK):
            stop = min(start + INFERENCE_BLOCK, self.graph.n_nodes)
            block = mixed[start:stop].zero_()
            for v, view in enumerate(self.view_names):
                matrix = row_slice(self.graph.laplacian(view), start, stop)
                block.add_((matrix.to_torch() @ inner).mul_(theta[v]))
        return mixed

    def _whole_product(self, view: str, h: Constant) -> Tensor:
        if (h.key, view) not in self._products:
            with torch.no_grad():
                self._products[h.key, view] = self._laplacian(view)(h.value)
        return self._products[h.key, view]

    def _constant_product(self, layer: int, view: str, h: Constant) -> Tensor:
        product = self._whole_product(view, h)
        if self._levels is None or self._holds_all(layer, view):
            return product
        key = (layer, h.key, view)
        if key not in self._sliced:
            self._sliced[key] = product.index_select(0, self._levels[view][layer])
        return self._sliced[key]

    def _stacked_products(self, layer: int, h: Constant) -> Tensor:
        """`L_v H` of all views: (V, rows of the level, d)."""
        if self._root is not self and self._holds_all(layer, self.view_names[0]):
            return self._root._stacked_products(layer, h)
        key = (layer if self._levels is not None else 0, h.key, "")
        if key not in self._sliced:
            stacked = torch.stack([self._constant_product(layer, view, h) for view in self.view_names])
            self._sliced[key] = stacked
            for v, view in enumerate(self.view_names):
                self._sliced.pop((layer, h.key, view), None)
                if self._levels is None:
                    self._products[h.key, view] = stacked[v]
        return self._sliced[key]

    def _holds_all(self, level: int, view: str) -> bool:
        """Whether a level holds every node, so that nothing has to be cut out for it."""
        return self._levels is None or self._levels[view][level].numel() == self.graph.n_nodes


def weighted_sum(theta: Tensor, parts: Tensor) -> Tensor:
    """`sum_v theta_v parts[v]`, and in the backward pass `<gradient, parts[v]>`, in one pass over memory each.

    Shapes:
        theta: (V,); parts: (V, rows, d); result: (rows, d).
    """
    return (theta @ parts.flatten(1)).view(parts.shape[1:])
