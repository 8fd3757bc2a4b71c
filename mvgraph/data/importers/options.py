"""What a user says about a file that the file does not say itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mvgraph.data.door import plain_name
from mvgraph.data.frozen import FrozenMapping
from mvgraph.data.imputation import KINDS
from mvgraph.errors import UserError


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of `mvgraph data convert` and of `mvgraph.load(path, ...)`; whatever is left out must be plain to see.

    Parameters:
        labels: key, column or file that holds the labels; default: the one with a usual name (y, gt, label, ...).
        no_labels: the data has no labels; labels found are not used.
        views: view name -> where its values are: the key of an array (`X{2}`, `data.audio`, `obsm/X_pca`), or for
            tables a column, a pattern such as `v1_*`, or a list of those. Default: every array that can be a view.
        prefix: for tables: columns are grouped into views by what stands before the first `prefix`, e.g. "_".
        transpose: True if columns are samples, False if rows are; or the names of the views whose columns are
            samples (rows in the others). Default: whichever dimension fits the number of labels.
        id_column: key or column of the sample ids.
        group_columns: keys or columns of groups (subject, location, ...).
        split_column: key or column that says train, validation or test.
        observed: which sample has which view: key of an (N, V) array, or a file: a table with ids and one column a
            view, or `.npy`. Columns of an array follow the sorted names of the views.
        nan_is_missing: a row of NaN alone means that the sample lacks the view.
        separator: what separates the columns of a text table; default: found out.
        decimal: "." or ",", how a text table writes numbers; default: found out.
        nan: what becomes of single NaN cells: "median" or "mean" of the column, "knn" (mean of the 5 nearest rows),
            "drop-column" or "drop-row"; default: they are refused.
        graphs: view name -> where its graph is: the key of a square array, or a file of edges (id, id, weight). A
            name of no other view makes a view of its own, with the features of the other views.

    Raises:
        UserError: an option of the wrong type, or options that contradict each other.
    """

    labels: str | None = None
    no_labels: bool = False
    views: Mapping[str, str | tuple[str, ...]] = field(default_factory=FrozenMapping)
    prefix: str | None = None
    transpose: bool | tuple[str, ...] | None = None
    id_column: str | None = None
    group_columns: tuple[str, ...] = ()
    split_column: str | None = None
    observed: str | None = None
    nan_is_missing: bool = False
    separator: str | None = None
    decimal: str | None = None
    nan: str | None = None
    graphs: Mapping[str, str] = field(default_factory=FrozenMapping)

    def __post_init__(self) -> None:
        for name in ("labels", "prefix", "id_column", "split_column", "observed"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise UserError(f"The import option {name} must be a name, not {value!r}.")
        if self.separator is not None and (not isinstance(self.separator, str) or len(self.separator) != 1):
            raise UserError(f"The import option separator must be one character, not {self.separator!r}.")
        if self.decimal not in (None, ".", ","):
            raise UserError(f"The import option decimal must be '.' or ',', not {self.decimal!r}.")
        if self.nan is not None and self.nan not in KINDS:
            raise UserError(f"The import option nan must be one of {', '.join(KINDS)}, not {self.nan!r}.")
        if self.labels is not None and self.no_labels:
            raise UserError("The import options labels and no_labels contradict each other.")
        if isinstance(self.group_columns, str):
            object.__setattr__(self, "group_columns", (self.group_columns,))
        object.__setattr__(self, "group_columns", tuple(self.group_columns))
        if isinstance(self.transpose, str):
            object.__setattr__(self, "transpose", (self.transpose,))
        elif isinstance(self.transpose, list):
            object.__setattr__(self, "transpose", tuple(self.transpose))
        if not isinstance(self.views, Mapping):
            raise UserError("The import option views must map names of views to keys or columns.")
        object.__setattr__(self, "views", FrozenMapping(_selectors(self.views)))
        if not isinstance(self.graphs, Mapping):
            raise UserError("The import option graphs must map names of views to keys or files.")
        for name, key in self.graphs.items():
            plain_name("graph", name)
            if not isinstance(key, str) or not key:
                raise UserError(
                    f"The import option graphs must say where graph {name!r} stands, not {key!r}."
                )
        object.__setattr__(self, "graphs", FrozenMapping(self.graphs))
        if self.views and self.prefix is not None:
            raise UserError("Give the views either one by one or by a prefix, not both.")

    @property
    def is_default(self) -> bool:
        """Whether nothing was said."""
        return self == ImportOptions()

    def selectors(self, view: str) -> tuple[str, ...]:
        """The keys, columns or patterns of one view."""
        value = self.views[view]
        return (value,) if isinstance(value, str) else value

    def is_transposed(self, view: str) -> bool | None:
        """Whether the columns of a view are samples; None if it was not said."""
        if self.transpose is None or isinstance(self.transpose, bool):
            return self.transpose
        return view in self.transpose


def _selectors(views: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    result: dict[str, str | tuple[str, ...]] = {}
    for name, value in views.items():
        plain_name("view", name)
        parts = (value,) if isinstance(value, str) else tuple(value)
        if not parts or not all(isinstance(part, str) and part for part in parts):
            raise UserError(f"The import option views must say where view {name!r} stands, not {value!r}.")
        result[name] = parts[0] if len(parts) == 1 else parts
    return result
