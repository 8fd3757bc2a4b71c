"""The native file: `.h5mu`, the MuData layout written with plain h5py, read lazily per view.

    /mod/<view>/X             (M_v, d_v) rows of the samples that have the view; float32, or float64 where that
                              would lose something
    /mod/<view>/obs, var      ids of those samples, names of the features
    /obs                      ids, `label` (categorical, -1 = unlabelled), one column a group
    /obsmap/<view>            (N,) 1-based row of X of each sample, 0 = the sample lacks the view
                              and one column `split:<name>` an official split
    /uns/mvgraph              format, card, names of the groups, how the official splits were made

Source: the on-disk specifications of anndata 0.12 (element encodings) and mudata 0.3 (layout, header, obsmap).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mvgraph.data import hdf5
from mvgraph.data.card import Card
from mvgraph.data.door import SPLIT_PREFIX, check_finite
from mvgraph.data.frozen import read_only
from mvgraph.data.lazy import LazyViews
from mvgraph.data.multiview import MultiViewData
from mvgraph.data.resolution import may_lose
from mvgraph.data.split import PARTS, Split
from mvgraph.errors import UserError

#: Version of what we keep under /uns/mvgraph.
FORMAT = 1
#: Rows of a view moved in one go.
BLOCK_VALUES = 1 << 22


def read_h5mu(path: str | Path) -> MultiViewData:
    """Read a file written by `write_h5mu`; a view is read and validated when it is first used.

    Raises:
        UserError: missing, truncated or foreign file, links out of the file, objects, arrays that do not fit
            together; later, on first use of a view, NaN or Inf in it or a file changed in between.
    """
    path = Path(path).absolute()
    with hdf5.opened(path) as file:
        hdf5.refuse_links(file, path)
        kind = file.attrs.get("encoding-type")
        uns = file.get("uns/mvgraph")
        if kind != "MuData" or not isinstance(uns, h5py.Group):
            raise UserError(
                f"{path} was not written by mvgraph (its encoding-type is {str(kind)!r} and /uns/mvgraph is "
                f"{'there' if isinstance(uns, h5py.Group) else 'missing'}); convert it to .h5mu first."
            )
        version = hdf5.dataset_at(uns, "format", path)[()]
        if not np.array_equal(version, FORMAT):
            raise UserError(
                f"{path} has format {version}, but this version of mvgraph reads format {FORMAT}."
            )
        obs = hdf5.group_at(file, "obs", path)
        ids = read_only(hdf5.strings_at(obs, str(obs.attrs.get("_index", "_index")), path))
        labels, classes = _categorical(obs, "label", path)
        names = hdf5.strings_at(uns, "groups", path).tolist()
        groups = {name: _text_column(obs, name, path) for name in names}
        rows, dims, wide = _row_maps(file, ids.size, path)
        return MultiViewData(
            views=LazyViews(dims, ids.size, _ViewReader(path, _stamp(path), ids, rows), wide),
            labels=labels,
            classes=classes,
            ids=ids,
            groups=groups,
            observed=np.stack([row > 0 for row in rows.values()], axis=1),
            official_splits=_read_splits(uns, obs, path),
            card=_read_card(uns, path),
        )


def _row_maps(
    file: h5py.File, n_samples: int, path: Path
) -> tuple[dict[str, np.ndarray], dict[str, int], list[str]]:
    """For each view the 1-based row of X of each sample (0 = missing), and the width; views that may be float64."""
    mod, obsmap = hdf5.group_at(file, "mod", path), hdf5.group_at(file, "obsmap", path)
    rows, dims, wide = {}, {}, []
    for name in sorted(mod):
        values = hdf5.dataset_at(hdf5.group_at(mod, name, path), "X", path)
        if values.ndim != 2 or values.dtype.kind not in "fiub":
            raise UserError(
                f"{path}: view {name!r} must be a table of numbers, not {values.dtype} {values.shape}."
            )
        positions = hdf5.integers_at(obsmap, name, path)
        found = np.sort(positions[positions != 0])
        if positions.size != n_samples or not np.array_equal(found, np.arange(1, values.shape[0] + 1)):
            raise UserError(
                f"{path}: /obsmap/{name} does not fit: it must give each of the {values.shape[0]} rows of "
                "view "
                f"{name!r} to one of the {n_samples} samples, and 0 to the others."
            )
        if values.shape[1] == 0:
            raise UserError(f"{path}: view {name!r} is empty: it has no columns.")
        rows[name], dims[name] = positions, int(values.shape[1])
        wide += [name] if may_lose(values.dtype) else []
    if not rows:
        raise UserError(f"{path} holds no view.")
    return rows, dims, wide


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class _ViewReader:
    """Reads one view of one file; opens it for that alone."""

    path: Path
    stamp: tuple[int, int]
    ids: np.ndarray
    rows: dict[str, np.ndarray]

    def __call__(self, name: str) -> np.ndarray:
        """Shapes: (N, d_v) float32 or float64, read-only; rows of samples without the view are zero."""
        with hdf5.opened(self.path) as file:
            if _stamp(self.path) != self.stamp:
                raise UserError(f"{self.path} has changed since it was opened; load it again.")
            values = file[f"mod/{name}/X"]
            positions = self.rows[name]
            sample_of = np.empty(values.shape[0], dtype=np.int64)
            present = positions > 0
            sample_of[positions[present] - 1] = np.flatnonzero(present)
            if np.array_equal(sample_of, np.arange(self.ids.size)):
                result = hdf5.table_of(values)
            elif may_lose(values.dtype):
                table = hdf5.table_of(values)
                result = np.zeros((self.ids.size, values.shape[1]), dtype=table.dtype)
                result[sample_of] = table
            else:
                result = np.zeros((self.ids.size, values.shape[1]), dtype=np.float32)
                block = max(1, BLOCK_VALUES // values.shape[1])
                for start in range(0, values.shape[0], block):
                    part = sample_of[start : start + block]
                    result[part] = values[start : start + block]
        check_finite(name, result, self.ids)
        return read_only(result)


def _read_card(uns: h5py.Group, path: Path) -> Card:
    card = hdf5.group_at(uns, "card", path)
    texts = {key: hdf5.text_at(card, key, path) for key in ("name", "title", "source", "licence", "citation")}
    return Card(**texts, notes=tuple(hdf5.strings_at(card, "notes", path).tolist()))


def _read_splits(uns: h5py.Group, obs: h5py.Group, path: Path) -> dict[str, Split]:
    splits = {}
    for name in hdf5.group_at(uns, "splits", path):
        text = hdf5.text_at(uns, f"splits/{name}", path)
        try:
            about = json.loads(text)
            scheme, seed, parameters = about["scheme"], about["seed"], dict(about["parameters"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}: the description of official split {name!r} is damaged ({error})."
            ) from None
        codes, parts = _categorical(obs, split_column(name), path)
        part_of = np.array([*parts, ""])[codes]  # code -1 takes the empty name at the end
        train, validation, test = (np.flatnonzero(part_of == part) for part in PARTS)
        splits[name] = Split(train, validation, test, scheme=scheme, seed=seed, parameters=parameters)
    return splits


def split_column(name: str) -> str:
    """The obs column of an official split: it stands with the samples, so that tools that sort rows keep it right."""
    return f"{SPLIT_PREFIX}{name}"


def _categorical(obs: h5py.Group, name: str, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes (N,), -1 where there is no value, and names of the categories."""
    group = hdf5.group_at(obs, name, path)
    codes, names = hdf5.integers_at(group, "codes", path), hdf5.strings_at(group, "categories", path)
    wrong = np.flatnonzero((codes < -1) | (codes >= names.size))
    if wrong.size:
        row = int(wrong[0])
        raise UserError(
            f"{path}: /obs/{name} has code {int(codes[row])} at row {row} for {names.size} categories."
        )
    return codes, tuple(names.tolist())


def _text_column(obs: h5py.Group, name: str, path: Path) -> np.ndarray:
    """A column of strings; anndata turns repeated strings into a categorical when it writes."""
    if not isinstance(obs.get(name), h5py.Group):
        return hdf5.strings_at(obs, name, path)
    codes, names = _categorical(obs, name, path)
    if (codes < 0).any():
        raise UserError(f"{path}: /obs/{name} has a row without a value.")
    return np.asarray(names, dtype=np.str_)[codes]
