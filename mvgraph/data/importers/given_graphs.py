"""Graphs that a user names in a file of arrays or in a list of edges, and features for views that are graphs alone."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from mvgraph.data.importers.columns import listing
from mvgraph.data.importers.limits import check_fits
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.importers.table_files import open_table
from mvgraph.data.importers.text_form import find_form
from mvgraph.data.importers.tree import Cell, Leaf, Node
from mvgraph.errors import UserError

_ENDINGS = (".csv", ".tsv", ".parquet")
#: What a graph beside the data may be: a list of edges, or what `scipy.sparse.save_npz` wrote.
_FILES = (*_ENDINGS, ".npz")


def graph_leaves(nodes: Mapping[str, Node], options: ImportOptions, path: Path) -> dict[str, Leaf]:
    """The matrices of a file that are graphs as said; a file of edges is looked for later.

    Raises:
        UserError: no such array, or one that is not square.
    """
    found = {}
    for name, key in options.graphs.items():
        node = nodes.get(key)
        while isinstance(node, Cell) and len(node.items) == 1:
            node = node.items[0]
        if node is None and key.lower().endswith(_FILES):
            continue
        if node is None:
            raise UserError(f"{path}: graph {name!r}: there is no {key!r}; there are {listing(nodes)}.")
        if (
            not isinstance(node, Leaf)
            or node.is_text
            or len(node.shape) != 2
            or node.shape[0] != node.shape[1]
        ):
            size = f" but {node}" if isinstance(node, Leaf) else ""
            raise UserError(f"{path}: graph {name!r}: {key} is not a square matrix of numbers{size}.")
        found[name] = node
    return found


def given_graphs(
    inside: Mapping[str, Any], ids: np.ndarray, path: Path, options: ImportOptions
) -> dict[str, Any]:
    """All graphs of an import: those found inside the file, and lists of edges. Shapes: ids (N,) -> (N, N) each.

    Raises:
        UserError: a graph that is neither in the file nor a list of edges.
    """
    graphs = dict(inside)
    for name, key in options.graphs.items():
        if name in graphs:
            continue
        if not key.lower().endswith(_FILES):
            raise UserError(
                f"{path}: graph {name!r}: a graph beside this kind of data is a list of edges (.csv, .tsv or .parquet: "
                f"id, id and if there is one the weight) or a sparse matrix (.npz), not {key!r}."
            )
        home = path if path.is_dir() else path.parent
        places = [home / key, Path(key)]
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            raise UserError(f"{path}: graph {name!r}: there is no file {places[0]}.")
        graphs[name] = _sparse_file(file) if file.suffix.lower() == ".npz" else edge_list(file, ids, options)
    return graphs


def loop_notes(graphs: Mapping[str, Any]) -> tuple[str, ...]:
    """One sentence a graph about edges from a sample to itself, which a given graph does not keep."""
    counts = {name: int(np.count_nonzero(matrix.diagonal())) for name, matrix in graphs.items()}
    return tuple(
        f"Graph {name}: {count} edges from a sample to itself were left out (self loops are a setting of graphs)."
        for name, count in counts.items()
        if count
    )


def _sparse_file(file: Path) -> sparse.coo_array:
    """What `scipy.sparse.save_npz` wrote; nothing is unpickled.

    Raises:
        UserError: another kind of file.
    """
    try:
        return sparse.coo_array(sparse.load_npz(file))
    except (OSError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"{file} is not a sparse matrix as scipy.sparse.save_npz writes it ({reason})."
        ) from None


def edge_list(file: Path, ids: np.ndarray, options: ImportOptions | None = None) -> sparse.coo_array:
    """A table of edges: the ids of two samples, and in a third column the weight (1 without one).

    The first line is an edge, too, if both of its entries are ids. Columns may be separated, and numbers written, as
    in any table.

    Shapes: ids (N,) -> (N, N).

    Raises:
        UserError: more or fewer columns, an id of no sample, or a weight that is no number.
    """
    lines, first = _lines(file, options or ImportOptions())
    if lines and len(lines[0]) not in (2, 3):
        raise UserError(
            f"{file} has {len(lines[0])} columns; a list of edges has two ids and perhaps a weight."
        )
    position = {str(name): row for row, name in enumerate(ids.tolist())}
    if lines and first == 1 and not all(name in position for name in lines[0][:2]):
        lines, first = lines[1:], 2
    ends = np.zeros((2, len(lines)), dtype=np.int64)
    weights = np.ones(len(lines))
    for number, line in enumerate(lines):
        for end in (0, 1):
            if line[end] not in position:
                raise UserError(f"{file}, line {first + number}: there is no sample {line[end]!r}.")
            ends[end, number] = position[line[end]]
        if len(line) == 3:
            try:
                weights[number] = float(line[2])
            except ValueError:
                raise UserError(
                    f"{file}, line {first + number}: the weight {line[2]!r} is not a number."
                ) from None
    return sparse.coo_array((weights, (ends[0], ends[1])), shape=(ids.size, ids.size))


def _lines(file: Path, options: ImportOptions) -> tuple[list[tuple[str, ...]], int]:
    """The entries of a table as text, and the number of the first line: 1 if that may be names of columns."""
    if file.suffix.lower() == ".parquet":
        table = open_table(file)
        frame, first = table.read([], list(table.columns)), 2
    else:
        form = find_form(file, options.separator, options.decimal)
        try:
            frame = pd.read_csv(
                file,
                sep=form.separator,
                header=None,
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
                encoding="utf-8-sig" if form.encoding == "utf-8" else form.encoding,
            )
            if form.decimal == "," and frame.shape[1] == 3:
                frame[2] = frame[2].str.replace(",", ".")
        except (ValueError, OSError) as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(f"{file} is not a list of edges ({reason}).") from None
        first = 1
    return [tuple(map(str, line)) for line in frame.itertuples(index=False, name=None)], first


def with_features(
    views: Mapping[str, Any], graphs: Mapping[str, Any], observed: np.ndarray, path: Path
) -> tuple[dict[str, np.ndarray], np.ndarray, tuple[str, ...]]:
    """Views for graphs that have none: the columns of all other views side by side, identity where there are none.

    Shapes: views[v] (N, d_v); observed (N, V) -> views, observed (N, V + new), notes.
    """
    features = {name: np.asarray(views[name]) for name in views}
    new = [name for name in graphs if name not in features]
    n = observed.shape[0]
    if features:
        shown = [np.where(observed[:, [v]], rows, 0) for v, rows in enumerate(features.values())]
        width = sum(rows.shape[1] for rows in shown)
        check_fits((n, width * len(new)), path, "the features of its graphs")
        base = np.concatenate(shown, axis=1)
        said = f"the columns of {', '.join(features)}"
    else:
        check_fits((n, n), path, "the features of its graphs")
        base = np.eye(n, dtype=np.float32)
        said = "one column a sample (identity)"
    notes = tuple(f"View {name} is a given graph; its features are {said}." for name in new)
    everyone = np.ones((n, len(new)), dtype=bool)
    return features | dict.fromkeys(new, base), np.hstack([observed, everyone]), notes
