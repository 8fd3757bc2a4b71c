"""`.h5ad` and `.h5mu` files of other tools (anndata, mudata, scanpy), read with plain h5py.

Source: the on-disk specifications of anndata 0.12 (element encodings) and mudata 0.3 (layout).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from mvgraph.data import hdf5
from mvgraph.data.importers.assemble import assembled
from mvgraph.data.importers.columns import LABEL_NAMES, ask_for_labels, listing, the_one
from mvgraph.data.importers.limits import check_fits
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.importers.sparse import checked_sparse
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError

#: Parts of an annotated matrix that hold one row per sample.
_MATRICES = ("obsm", "layers")


def read_h5ad(path: str | Path, options: ImportOptions | None = None) -> MultiViewData:
    """Read an annotated matrix: `X` is the view, `obs` holds labels, groups and splits.

    Embeddings and layers become views by name: `views={"pca": "obsm/X_pca"}`.

    Raises:
        UserError: a damaged or lying file, or something that `options` must decide.
    """
    path, options = Path(path).absolute(), options or ImportOptions()
    _refuse_table_options(options, path)
    with hdf5.opened(path) as file:
        hdf5.refuse_links(file, path)
        part = _Part(file, path)
        places = options.views or {"X": "X"}
        wanted = {view: _single(place, view, path) for view, place in places.items()}
        views = {view: part.matrix(place, view) for view, place in wanted.items()}
        left = sorted({*part.places()} - {*wanted.values()})
        notes = (f"Not imported from the file: {listing(left)}.",) if left else ()
        columns = {name: partial(part.column, name) for name in part.columns}
        return _with_columns(views, None, part.ids, columns, path, options, notes)


def read_foreign_h5mu(path: Path, options: ImportOptions) -> MultiViewData:
    """Read a `.h5mu` file of another tool: every modality's `X` is a view, joined by the names of the samples.

    `views={"rna": "rna", "pca": "rna/obsm/X_pca"}` chooses; labels may stand in `obs` or, as `rna:celltype`, in
    the obs of a modality. A sample that a modality lacks is a missing view.

    Raises:
        UserError: see `read_h5ad`.
    """
    _refuse_table_options(options, path)
    with hdf5.opened(path) as file:
        hdf5.refuse_links(file, path)
        if not isinstance(file.get("mod"), h5py.Group):
            raise UserError(f"{path} is not a MuData file: it lacks the group /mod.")
        if int(np.asarray(file.attrs.get("axis", 0)).reshape(-1)[0]) != 0:
            raise UserError(f"{path}: its modalities share features, not samples (axis is not 0).")
        parts = {name: _Part(hdf5.group_at(file["mod"], name, path), path) for name in sorted(file["mod"])}
        if not parts:
            raise UserError(f"{path} holds no modality.")
        whole = _Frame(hdf5.group_at(file, "obs", path), path)
        position = {name: row for row, name in enumerate(whole.ids.tolist())}
        if len(position) != whole.ids.size:
            raise UserError(f"{path}: two samples in /obs have one name.")
        rows = {name: _rows_in(position, part, name, path) for name, part in parts.items()}
        views, observed = {}, []
        for view, place in (options.views or {name: name for name in parts}).items():
            text = _single(place, view, path)
            name, _, inner = text.partition("/")
            if name not in parts:
                raise UserError(
                    f"{path}: view {view!r}: there is no modality {name!r}; there are {listing(parts)}."
                )
            values = parts[name].matrix(inner or "X", view)
            check_fits((whole.ids.size, values.shape[1]), path, f"view {view!r}")
            views[view] = np.zeros((whole.ids.size, values.shape[1]), dtype=values.dtype)
            views[view][rows[name]] = values
            observed.append(np.isin(np.arange(whole.ids.size), rows[name]))
        columns: dict[str, Callable[[], np.ndarray]] = {
            name: partial(whole.column, name) for name in whole.columns
        }
        for mod, part in parts.items():
            for name in part.columns:
                spread = partial(_spread, part, name, rows[mod], whole.ids.size)
                columns.setdefault(f"{mod}:{name}", spread)
        return _with_columns(views, np.stack(observed, axis=1), whole.ids, columns, path, options, ())


def _with_columns(
    views: Mapping[str, np.ndarray],
    observed: np.ndarray | None,
    ids: np.ndarray,
    columns: Mapping[str, Callable[[], np.ndarray]],
    path: Path,
    options: ImportOptions,
    notes: tuple[str, ...],
) -> MultiViewData:
    label = None if options.no_labels else the_one(columns, LABEL_NAMES, options.labels, "labels", path)
    if label is None and not options.no_labels:
        raise ask_for_labels(columns, path)

    def column(name: str | None, flag: str) -> np.ndarray | None:
        if name is None:
            return None
        if name not in columns:
            raise UserError(f"{path}: {flag} {name!r} is not there; obs has {listing(columns)}.")
        return np.asarray(columns[name]())

    named = column(options.id_column, "--id-column")
    groups = {name: column(name, "--group-column") for name in options.group_columns}
    return assembled(
        views,
        ids.size,
        path,
        options,
        labels=column(label, "--labels"),
        ids=ids if named is None else named,
        groups={name: values for name, values in groups.items() if values is not None},
        split=column(options.split_column, "--split-column"),
        observed=observed,
        notes=notes,
    )


@dataclass(frozen=True)
class _Frame:
    """The obs table of a file or of a modality."""

    group: h5py.Group
    path: Path

    @property
    def index(self) -> str:
        return str(self.group.attrs.get("_index", "_index"))

    @property
    def ids(self) -> np.ndarray:
        """Names of the samples. Shapes: (N,) strings."""
        return np.asarray(self.column(self.index)).astype(np.str_)

    @property
    def columns(self) -> list[str]:
        return sorted(name for name in self.group if name not in (self.index, "__categories"))

    def column(self, name: str) -> np.ndarray:
        """Values of a column; missing ones are None. Shapes: (N,)."""
        item = self.group.get(name)
        if isinstance(item, h5py.Dataset):
            return self._plain(item)
        if not isinstance(item, h5py.Group):
            raise UserError(f"{self.path} lacks {self.group.name}/{name}.")
        if "codes" in item:
            codes = hdf5.integers_at(item, "codes", self.path)
            names = self._plain(hdf5.dataset_at(item, "categories", self.path))
            if codes.size and (int(codes.min()) < -1 or int(codes.max()) >= names.size):
                raise UserError(f"{self.path}: {item.name} has codes outside its {names.size} categories.")
            return np.asarray([*names.tolist(), None], dtype=object)[codes]
        values = self._plain(hdf5.dataset_at(item, "values", self.path)).astype(object)
        mask = np.asarray(hdf5.dataset_at(item, "mask", self.path)[()], dtype=bool)
        if mask.shape != values.shape:
            raise UserError(f"{self.path}: {item.name} has a mask of another length.")
        values[mask] = None
        return values

    def _plain(self, item: h5py.Dataset) -> np.ndarray:
        if item.ndim != 1:
            raise UserError(f"{self.path}: {item.name} must have one dimension.")
        if h5py.check_string_dtype(item.dtype) is not None:
            return np.asarray(item.asstr()[()], dtype=np.str_) if item.size else np.zeros(0, dtype="<U1")
        if item.dtype.kind not in "fiub":
            raise UserError(
                f"{self.path}: {item.name} holds {item.dtype} values, neither numbers nor strings."
            )
        return np.asarray(item[()])


class _Part(_Frame):
    """An annotated matrix: the whole of a `.h5ad` file, or one modality."""

    def __init__(self, holder: h5py.Group, path: Path) -> None:
        obs = holder.get("obs")
        if not isinstance(obs, h5py.Group):
            raise UserError(
                f"{path}: {holder.name} has no obs table in a known form (files from before anndata 0.7 are not "
                "read; write it anew)."
            )
        super().__init__(obs, path)
        object.__setattr__(self, "holder", holder)

    holder: h5py.Group

    def places(self) -> list[str]:
        """Everything that could be a view."""
        inner = [f"{part}/{key}" for part in _MATRICES if part in self.holder for key in self.holder[part]]
        return ["X", *inner] if "X" in self.holder else inner

    def matrix(self, place: str, view: str) -> np.ndarray:
        """A dense or sparse matrix in floating-point numbers. Shapes: (M, d_v).

        Raises:
            UserError: no such matrix, or not one row per sample.
        """
        if place not in self.places():
            raise UserError(
                f"{self.path}: view {view!r}: there is no {place!r}; there are {listing(self.places())}."
            )
        item = self.holder[place]
        n_samples = self.ids.size
        what = f"view {view!r}"
        if isinstance(item, h5py.Dataset):
            if item.ndim != 2 or item.dtype.kind not in "fiub" or item.shape[0] != n_samples:
                raise UserError(
                    f"{self.path}: {item.name} must be a table of numbers with {n_samples} rows, not {item.dtype} "
                    f"{item.shape}."
                )
            check_fits(item.shape, self.path, what)
            return hdf5.table_of(item)
        kind = str(item.attrs.get("encoding-type", ""))
        if kind not in ("csr_matrix", "csc_matrix") or "shape" not in item.attrs:
            raise UserError(
                f"{self.path}: {item.name} is {kind or 'of no known form'}, not a matrix of numbers."
            )
        shape = tuple(int(size) for size in item.attrs["shape"])
        if len(shape) != 2 or min(shape) < 0 or shape[0] != n_samples:
            raise UserError(f"{self.path}: {item.name} has shape {shape}, but there are {n_samples} samples.")
        check_fits(shape, self.path, what)
        return checked_sparse(
            kind[:3],
            np.asarray(hdf5.dataset_at(item, "data", self.path)[()]),
            hdf5.integers_at(item, "indices", self.path),
            hdf5.integers_at(item, "indptr", self.path),
            (shape[0], shape[1]),
            self.path,
            item.name,
        )


def _rows_in(position: Mapping[str, int], part: _Part, name: str, path: Path) -> np.ndarray:
    """Where the samples of a modality stand in the whole. Shapes: (M,)."""
    ids = part.ids.tolist()
    strange = next((text for text in ids if text not in position), None)
    if strange is not None:
        raise UserError(f"{path}: sample {strange!r} of modality {name!r} is not in /obs.")
    if len(set(ids)) != len(ids):
        raise UserError(f"{path}: two samples of modality {name!r} have one name.")
    return np.asarray([position[text] for text in ids], dtype=np.int64)


def _spread(part: _Part, name: str, rows: np.ndarray, n_samples: int) -> np.ndarray:
    """A column of a modality over all samples; None where the modality lacks the sample. Shapes: (N,)."""
    result = np.full(n_samples, None, dtype=object)
    result[rows] = part.column(name).astype(object)
    return result


def _single(place: str | tuple[str, ...], view: str, path: Path) -> str:
    if not isinstance(place, str):
        raise UserError(f"{path}: view {view!r} must be one matrix here, not {', '.join(place)}.")
    return place


def _refuse_table_options(options: ImportOptions, path: Path) -> None:
    if options.prefix is not None or options.transpose is not None:
        raise UserError(
            f"{path}: --prefix and --transpose do not apply, for rows of this format are samples."
        )
