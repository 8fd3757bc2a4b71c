"""MATLAB v7.3 files (save -v7.3), which are HDF5: cells are references, arrays stand transposed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mvgraph.data import hdf5
from mvgraph.data.importers.limits import check_fits
from mvgraph.data.importers.sparse import checked_sparse
from mvgraph.data.importers.tree import Cell, Leaf, Node, Struct, array_leaf
from mvgraph.errors import UserError

_DEEPEST = 16
_INSIDE = ("#refs#", "#subsystem#")


def mat73_tree(path: Path) -> dict[str, Node]:
    """Variables of the file; arrays are read when they are needed.

    Raises:
        UserError: a damaged or lying file, links out of it, MATLAB objects, structs with more than one element.
    """
    with hdf5.opened(path) as file:
        hdf5.refuse_links(file, path, references=True)
        budget = _Budget(path)
        return {
            name: _node(file[name], file, name, path, 0, budget)
            for name in sorted(file)
            if name not in _INSIDE
        }


@dataclass
class _Budget:
    """Cells may refer to each other; a walk that visits more nodes than a file can hold goes in circles."""

    path: Path
    left: int = hdf5.MOST_OBJECTS

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise UserError(f"{self.path}: its cells refer to each other without end.")


def _node(item: Any, file: h5py.File, name: str, path: Path, depth: int, budget: _Budget) -> Node:
    budget.spend()
    if depth > _DEEPEST:
        raise UserError(f"{path}: {name} is nested deeper than {_DEEPEST}.")
    kind = item.attrs.get("MATLAB_class", b"")
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    if isinstance(item, h5py.Group):
        if "MATLAB_sparse" in item.attrs:
            return _sparse(item, name, path)
        return Struct(
            {field: _node(item[field], file, f"{name}.{field}", path, depth + 1, budget) for field in item}
        )
    if not isinstance(item, h5py.Dataset):
        raise UserError(f"{path}: {name} is a type without values.")
    if item.attrs.get("MATLAB_empty", 0):
        return array_leaf(np.zeros((0, 0)))
    if "MATLAB_object_decode" in item.attrs or kind in ("string", "table", "categorical", "function_handle"):
        raise UserError(
            f"{path}: {name} is a MATLAB {kind or 'object'}, which only MATLAB can read; save plain arrays."
        )
    if h5py.check_ref_dtype(item.dtype) is not None:
        return _cell(item, file, name, path, depth, budget)
    if h5py.check_string_dtype(item.dtype) is not None:
        return Leaf(tuple(item.shape), True, _Reading(path, item.name, "string"))
    if item.dtype.kind not in "fiub":
        raise UserError(f"{path}: {name} holds {item.dtype} values, neither real numbers nor strings.")
    if kind == "char":
        return Leaf(
            (item.shape[1] if item.ndim == 2 and item.shape[0] > 1 and item.shape[1] > 1 else 1,),
            True,
            _Reading(path, item.name, "char"),
        )
    # Without MATLAB's mark the file was written by something that keeps rows as rows.
    flipped = bool(kind)
    shape = tuple(int(n) for n in (reversed(item.shape) if flipped else item.shape))
    check_fits(shape, path, name)
    return Leaf(shape, False, _Reading(path, item.name, "flipped" if flipped else "plain"))


def _cell(item: h5py.Dataset, file: h5py.File, name: str, path: Path, depth: int, budget: _Budget) -> Cell:
    if item.size > hdf5.MOST_OBJECTS:
        raise UserError(f"{path}: {name} is a cell of {item.size} elements, more than any file of views has.")
    # HDF5 has the dimensions reversed, so that its row order is MATLAB's column order.
    references = np.asarray(item[()]).reshape(-1)
    nodes = []
    for number, reference in enumerate(references, 1):
        if not isinstance(reference, h5py.Reference) or not reference:
            raise UserError(f"{path}: element {number} of the cell {name} refers to nothing.")
        nodes.append(_node(file[reference], file, f"{name}{{{number}}}", path, depth + 1, budget))
    return Cell(tuple(nodes))


def _sparse(group: h5py.Group, name: str, path: Path) -> Leaf:
    pointers = hdf5.integers_at(group, "jc", path)
    rows = int(group.attrs["MATLAB_sparse"])
    shape = (rows, pointers.size - 1)
    if rows < 0 or pointers.size < 2:
        raise UserError(f"{path}: the sparse array {name} has no shape.")
    check_fits(shape, path, f"the sparse array {name}")
    return Leaf(shape, False, _SparseReading(path, group.name, shape))


@dataclass(frozen=True, slots=True)
class _Reading:
    path: Path
    place: str
    form: str

    def __call__(self) -> np.ndarray:
        with hdf5.opened(self.path) as file:
            item = file[self.place]
            if self.form == "string":
                return np.asarray(item.asstr()[()], dtype=np.str_)
            values = np.asarray(item[()])
            if self.form == "char":
                codes = values.T if values.ndim == 2 else values.reshape(1, -1)
                return np.asarray(["".join(map(chr, row.tolist())) for row in codes.astype(np.uint16)])
            return values.T if self.form == "flipped" else values


@dataclass(frozen=True, slots=True)
class _SparseReading:
    path: Path
    place: str
    shape: tuple[int, int]

    def __call__(self) -> np.ndarray:
        with hdf5.opened(self.path) as file:
            group = file[self.place]
            pointers = hdf5.integers_at(group, "jc", self.path)
            # MATLAB leaves the values out of an array of zeros.
            if "ir" not in group or "data" not in group:
                return np.zeros(self.shape, dtype=np.float32)
            indices = hdf5.integers_at(group, "ir", self.path)
            values = np.asarray(hdf5.dataset_at(group, "data", self.path)[()], dtype=np.float64)
        return checked_sparse("csc", values, indices, pointers, self.shape, self.path, self.place)
