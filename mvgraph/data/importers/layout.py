"""Which arrays of a file are views, and which one holds the labels: decided where it is plain, asked for elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mvgraph.data.frozen import FrozenMapping
from mvgraph.data.importers.columns import (
    ID_NAMES,
    LABEL_NAMES,
    ask_for_labels,
    listing,
    the_one,
    usual,
)
from mvgraph.data.importers.given_graphs import graph_leaves
from mvgraph.data.importers.mask import mask_address, mask_values
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.importers.split_masks import masks_as_split
from mvgraph.data.importers.tree import Cell, Leaf, Node, Struct, addresses, children
from mvgraph.data.labels import one_hot_codes, same_partition
from mvgraph.errors import UserError

#: Usual names of a cell array or struct of views, as `usual` writes them.
CONTAINERS = frozenset(("x", "xs", "data", "fea", "feas", "features", "views", "view"))


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: leaves of views with their orientation, columns with one value per sample.

    Shapes: labels, ids, groups[g], split are (N,).
    """

    n_samples: int
    views: Mapping[str, Leaf]
    transposed: Mapping[str, bool]
    labels: np.ndarray | None
    ids: np.ndarray | None
    groups: Mapping[str, np.ndarray]
    split: np.ndarray | None
    notes: tuple[str, ...]
    observed: np.ndarray | None = None
    graphs: Mapping[str, Leaf] = field(default_factory=FrozenMapping)


def find(tree: Mapping[str, Node], options: ImportOptions, path: Path) -> Found:
    """Decide what is what.

    Raises:
        UserError: something that cannot be decided, with the option that decides it.
    """
    if options.prefix is not None:
        raise UserError(f"{path}: a prefix groups columns of tables; say --view NAME=KEY for arrays.")
    tree = _unwrapped(tree, options)
    nodes = addresses(tree)
    labels_at, rivals, twin_note = None, set[str](), None
    if not options.no_labels:
        candidates, rivals, twin_note = _alike(nodes if options.labels else tree, options.labels)
        labels_at = the_one(candidates, LABEL_NAMES, options.labels, "labels", path)
    if labels_at is None and not options.no_labels:
        raise ask_for_labels(tree, path)
    ids_at = the_one(nodes if options.id_column else tree, ID_NAMES, options.id_column, "ids", path)
    observed_at = mask_address(nodes, tree, options)
    columns = {name for name in (labels_at, ids_at, options.split_column, *options.group_columns) if name}
    columns |= {observed_at} if observed_at else set()
    labels, hot_note = (None, None) if labels_at is None else _labels(nodes[labels_at], labels_at, path)
    columns |= rivals
    ids = None if ids_at is None else _values(nodes[ids_at], ids_at, path, "ids")
    groups = {name: _named(nodes, name, "--group-column", path) for name in options.group_columns}
    split = _named(nodes, options.split_column, "--split-column", path) if options.split_column else None
    split_note = None
    if split is None:
        size = next((int(v.shape[0]) for v in (labels, ids) if v is not None), None)
        split, used_masks, split_note = masks_as_split(tree, columns, size, path.suffix.lower() == ".mat")
        columns |= used_masks
    n_samples = _agreed([("labels", labels), ("ids", ids), ("split", split), *groups.items()], path)
    graphs = graph_leaves(nodes, options, path)
    columns |= set(options.graphs.values())
    # A column may be called what it wants: it is no candidate for a view.
    views = _chosen(nodes, options, path) or _guessed(tree, columns, path, graphs)
    if n_samples is None and graphs:
        n_samples = next(iter(graphs.values())).shape[0]
    if n_samples is None:
        n_samples = _common_size(views, options, path)
    transposed = {
        name: _orientation(name, leaf, n_samples, options.is_transposed(name), path)
        for name, leaf in views.items()
    }
    used = {id(leaf) for leaf in (*views.values(), *graphs.values())} | {
        id(nodes[name])
        for name in {
            *columns & set(nodes),
            *(part for view in options.views for part in options.selectors(view)),
        }
    }
    told = [note for note in (twin_note, hot_note, split_note) if note is not None]
    notes = (*told, *_notes(tree, used, columns))
    observed = mask_values(nodes[observed_at]) if observed_at else None
    return Found(n_samples, views, transposed, labels, ids, groups, split, notes, observed, graphs)


def _alike(nodes: Mapping[str, Node], wanted: str | None) -> tuple[list[str], set[str], str | None]:
    """Names that labels may have; of candidates that all say the same, the first alone.

    Returns:
        Names, candidates that are no longer needed, and a note about them.
    """
    names = list(nodes)
    found = [name for name in names if usual(name) in LABEL_NAMES]
    if wanted is not None or len(found) < 2:
        return names, set(), None
    columns = []
    for name in found:
        node = nodes[name]
        if not isinstance(node, Leaf) or not node.is_column:
            return names, set(), None
        columns.append(node.column())
    if not all(same_partition(columns[0], other) for other in columns[1:]):
        return names, set(), None
    rest = set(found[1:])
    return (
        [name for name in names if name not in rest],
        rest,
        f"Labels are {found[0]}; {listing(found[1:])} says the same.",
    )


def _labels(node: Node, address: str, path: Path) -> tuple[np.ndarray, str | None]:
    """Labels of a column, or of a matrix with one 1 a sample, and a note about the latter. Shapes: (N,)."""
    if not isinstance(node, Leaf) or node.is_column or node.is_text or len(node.shape) != 2:
        return _values(node, address, path, "labels"), None
    matrix = np.asarray(node.read())
    # Samples are more than classes: the longer side, unless only the other has one 1 each.
    if matrix.shape[0] < matrix.shape[1] or (
        matrix.shape[0] == matrix.shape[1] and not ((matrix == 1).sum(axis=1) == 1).all()
    ):
        matrix = matrix.T
    codes = one_hot_codes(matrix, f"{path}: {address}")
    return codes, f"Labels are the column of the 1 in {address} ({node}), counted from 0."


def _unwrapped(tree: Mapping[str, Node], options: ImportOptions) -> Mapping[str, Node]:
    """A file whose only variable is a struct with labels in it: the struct is the file."""
    if len(tree) == 1:
        ((name, node),) = tree.items()
        if isinstance(node, Struct) and any(
            usual(field) in LABEL_NAMES or f"{name}.{field}" == options.labels for field in node.fields
        ):
            return dict(children(name, node)) if _speaks_of(name, options) else dict(node.fields)
    return tree


def _speaks_of(name: str, options: ImportOptions) -> bool:
    """Whether the user's own addresses start at the struct's name."""
    said = [options.labels, options.id_column, options.split_column, *options.group_columns]
    said += options.graphs.values()
    said += [part for view in options.views for part in options.selectors(view)]
    return any(text is not None and text.startswith(f"{name}.") for text in said)


def _named(nodes: Mapping[str, Node], name: str, flag: str, path: Path) -> np.ndarray:
    if name not in nodes:
        raise UserError(f"{path}: {flag} {name!r} is not there; there are {listing(nodes)}.")
    return _values(nodes[name], name, path, "one value per sample")


def _values(node: Node, address: str, path: Path, what: str) -> np.ndarray:
    """One value per sample out of a column, a column in a cell, a cell of strings, or equal columns a view.

    Shapes: (N,).
    """
    if isinstance(node, Leaf):
        if not node.is_column:
            raise UserError(f"{path}: {address} is {node}, but {what} must be one value per sample.")
        return node.column()
    inside = [item for _, item in children(address, node)]
    if len(inside) == 1:
        return _values(inside[0], address, path, what)
    if inside and all(isinstance(item, Leaf) for item in inside):
        leaves = [item for item in inside if isinstance(item, Leaf)]
        if all(leaf.is_column and int(np.prod(leaf.shape)) == 1 for leaf in leaves):
            return np.asarray([leaf.column()[0] for leaf in leaves])
        columns = [leaf.column() for leaf in leaves if leaf.is_column]
        if len(columns) == len(leaves) and all(np.array_equal(columns[0], c) for c in columns):
            return columns[0]
    raise UserError(
        f"{path}: {address} does not hold {what} in a form that is known; name an array inside it."
    )


def _agreed(columns: list[tuple[str, np.ndarray | None]], path: Path) -> int | None:
    sizes = [(name, int(values.shape[0])) for name, values in columns if values is not None]
    for name, size in sizes[1:]:
        if size != sizes[0][1]:
            raise UserError(f"{path}: {name} has {size} entries, but {sizes[0][0]} has {sizes[0][1]}.")
    return sizes[0][1] if sizes else None


def _chosen(nodes: Mapping[str, Node], options: ImportOptions, path: Path) -> dict[str, Leaf]:
    """The views that the user named, by address; a cell with one item counts as the item."""
    views = {}
    for view in options.views:
        selectors = options.selectors(view)
        if len(selectors) > 1:
            raise UserError(f"{path}: view {view!r} must be one array here, not {', '.join(selectors)}.")
        node = nodes.get(selectors[0])
        while isinstance(node, Cell) and len(node.items) == 1:
            node = node.items[0]
        if node is None:
            raise UserError(
                f"{path}: view {view!r}: there is no {selectors[0]!r}; there are {listing(nodes)}."
            )
        if not isinstance(node, Leaf) or node.is_text or len(node.shape) > 2:
            raise UserError(f"{path}: view {view!r}: {selectors[0]} is not a matrix of numbers.")
        views[view] = node if len(node.shape) == 2 else _as_matrix(node)
    return views


def _as_matrix(leaf: Leaf) -> Leaf:
    """A vector as a view of one feature. Shapes: (N,) -> (N, 1)."""
    return replace(leaf, shape=(int(np.prod(leaf.shape)), 1), read=lambda: leaf.column()[:, None])


def _guessed(
    tree: Mapping[str, Node], columns: set[str], path: Path, graphs: Mapping[str, Leaf]
) -> dict[str, Leaf]:
    """The one cell or struct of matrices, else the matrices that stand by themselves; graphs are no candidates."""
    taken = {id(leaf) for leaf in graphs.values()}
    holders = {
        name: inside
        for name, node in tree.items()
        if name not in columns
        and not isinstance(node, Leaf)
        and (inside := {key: leaf for key, leaf in _matrices_in(name, node).items() if id(leaf) not in taken})
    }
    usual_holders = {name: inside for name, inside in holders.items() if usual(name) in CONTAINERS}
    holders = usual_holders or holders
    if len(holders) > 1:
        raise UserError(
            f"{path}: the views could be in {' or '.join(holders)}; say which with --view NAME=KEY for each view."
        )
    if holders:
        return next(iter(holders.values()))
    views = {
        name: node
        for name, node in tree.items()
        if name not in columns and isinstance(node, Leaf) and node.is_matrix
    }
    if not views and not graphs:
        raise UserError(
            f"{path} holds no matrix of numbers that could be a view; there are {listing(map(str, tree))}, and "
            "--view NAME=KEY names one."
        )
    return views


def _matrices_in(name: str, node: Node) -> dict[str, Leaf]:
    """The matrices directly in a cell (`X1`, `X2`, ...) or struct (by field); empty unless all are matrices."""
    found = {}
    items = list(children(name, node))
    digits = len(str(len(items)))
    for number, (_, item) in enumerate(items, 1):
        while isinstance(item, Cell) and len(item.items) == 1:
            item = item.items[0]
        if not isinstance(item, Leaf) or item.is_text or len(item.shape) != 2:
            return {}
        key = f"{name}{number:0{digits}d}" if isinstance(node, Cell) else list(node.fields)[number - 1]  # type: ignore[union-attr]
        found[key] = item
    return found if any(leaf.is_matrix for leaf in found.values()) else {}


def _common_size(views: Mapping[str, Leaf], options: ImportOptions, path: Path) -> int:
    """N where nothing has one value per sample: what was said, or the one size that all views share."""
    said = {
        leaf.shape[1 if flag else 0]
        for name, leaf in views.items()
        if (flag := options.is_transposed(name)) is not None
    }
    if len(said) == 1:
        return said.pop()
    shared = set.intersection(*({leaf.shape[0], leaf.shape[1]} for leaf in views.values()))
    if len(said) > 1 or not shared:
        shapes = ", ".join(f"{name} {leaf}" for name, leaf in views.items())
        raise UserError(f"{path}: the views do not have the same number of samples ({shapes}).")
    if len(shared) == 1 and len(views) > 1:
        return shared.pop()
    raise UserError(
        f"{path}: without labels it cannot be told whether rows or columns are samples; say --transpose (columns "
        "are samples) or --no-transpose."
    )


def _orientation(name: str, leaf: Leaf, n_samples: int, said: bool | None, path: Path) -> bool:
    rows, columns = leaf.shape
    if said is not None:
        if leaf.shape[1 if said else 0] != n_samples:
            raise UserError(
                f"{path}: view {name!r} is {leaf}, so that its {'columns' if said else 'rows'} are not the "
                f"{n_samples} samples."
            )
        return said
    if rows == columns == n_samples:
        raise UserError(
            f"{path}: view {name!r} is {leaf} for {n_samples} samples, so that rows and columns could both be "
            f"samples; say --no-transpose (rows are samples), --transpose, or --transpose-view {name}; if it is a "
            f"graph, --graph {name}={leaf.key or name}."
        )
    if n_samples not in (rows, columns):
        raise UserError(
            f"{path}: view {name!r} is {leaf}, and neither is the number of samples, {n_samples}."
        )
    return columns == n_samples


def _notes(tree: Mapping[str, Node], used: set[int], columns: set[str]) -> tuple[str, ...]:
    """One sentence about what stays behind."""
    behind = []
    for name, node in tree.items():
        taken = name in columns or any(id(inner) in used for inner in addresses({name: node}).values())
        if not taken:
            behind.append(f"{name} ({node})" if isinstance(node, Leaf) else name)
    return (f"Not imported from the file: {listing(behind)}.",) if behind else ()
