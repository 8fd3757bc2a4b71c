"""Files of predictions: one row a sample, one column a class; CSV or Parquet, read and written.

Columns: `id`; one a class, called by the class's name or `probability:<name>`; optionally `data` (name of the data
set), `split` (number or hash), `seed`, and those that an export adds: `method`, `part`, `selection`, `true`,
`predicted`.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mvgraph.data.atomic import atomic_path
from mvgraph.errors import UserError

PREFIX = "probability:"
TEXTS = ("id", "data", "method", "split", "seed", "part", "selection", "true", "predicted")
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
#: How far the probabilities of a row may be from 1 in sum.
TOLERANCE = 1e-3


class PredictionFile:
    """A file read and checked as far as that goes without knowing the run.

    Raises:
        UserError: it cannot be read, or lacks the column `id`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.frame = _read(self.path)
        if "id" not in self.frame:
            raise UserError(
                f"{self.path} has no column 'id'; it has {', '.join(map(str, self.frame.columns))}."
            )
        if len(self.frame) == 0:
            raise UserError(f"{self.path} has no rows.")
        for name in TEXTS:
            if name in self.frame:
                self.frame[name] = _texts(self.frame[name], number=name in ("split", "seed"))
        methods = sorted(set(self.frame["method"])) if "method" in self.frame else []
        if len(methods) > 1:
            raise UserError(
                f"{self.path} holds predictions of several methods ({', '.join(methods)}); keep the rows of one."
            )

    @property
    def others(self) -> list[str]:
        """Columns that must be classes."""
        return [str(name) for name in self.frame.columns if name not in TEXTS]

    def column(self, name: str) -> str | None:
        """The column of a class."""
        if PREFIX + name in self.frame:
            return PREFIX + name
        return name if name in self.frame and name not in TEXTS else None

    def probabilities(
        self, rows: NDArray[np.int64], classes: Sequence[str], data: str
    ) -> NDArray[np.float32]:
        """Probabilities of some rows, in the order of `classes`.

        Shapes: rows (n,) positions in the file; returns (n, C).

        Raises:
            UserError: a class without a column; a value that is no number, not finite or not in 0..1; a row that does
                not sum to 1.
        """
        columns = []
        for name in classes:
            column = self.column(name)
            if column is None:
                raise UserError(
                    f"{self.path} has no column for class '{name}' of '{data}'; call it '{name}' or '{PREFIX}{name}'."
                )
            values = _numbers(self.frame[column].iloc[rows])
            bad = ~np.isfinite(values) | (values < 0) | (values > 1 + TOLERANCE)
            if bad.any():
                at = int(rows[int(np.flatnonzero(bad)[0])])
                raise UserError(
                    f"{self.path}, {self.place(at)}, column '{column}': {self.frame[column].iloc[at]!r} is no "
                    "probability; right is a number from 0 to 1."
                )
            columns.append(values)
        found = np.stack(columns, axis=1)
        sums = found.sum(axis=1)
        off = np.flatnonzero(np.abs(sums - 1) > TOLERANCE)
        if off.size:
            at = int(rows[int(off[0])])
            raise UserError(
                f"{self.path}, {self.place(at)}: the probabilities of the {len(classes)} classes sum to "
                f"{sums[int(off[0])]:.4g}; they must sum to 1."
            )
        return found.astype(np.float32)

    def place(self, position: int) -> str:
        """A row in words."""
        return f"row {position + 1} (id '{self.frame['id'].iloc[position]}')"


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet, by the ending of its name; it appears whole or not at all.

    Raises:
        UserError: another ending, or a place that cannot be written to.
    """
    check_suffix(path)
    with atomic_path(path) as partial:
        if path.suffix == ".parquet":
            frame.to_parquet(partial, index=False)
        else:
            frame.to_csv(
                partial, index=False, sep="\t" if path.suffix == ".tsv" else ",", lineterminator="\n"
            )


def check_suffix(path: Path) -> None:
    """Raise UserError unless the name has an ending of a file of predictions."""
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: predictions are kept as {', '.join(SUFFIXES)}.")


def _read(path: Path) -> pd.DataFrame:
    check_suffix(path)
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        with open(path, encoding="utf-8-sig", newline="") as file:
            line = file.readline()
        separator = max(",;\t", key=line.count)
        names = next(csv.reader([line], delimiter=separator), [])
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise UserError(f"{path} has two columns called '{twice[0]}'.")
        # As text: not every version of pandas reads numbers to the last bit.
        return pd.read_csv(path, sep=separator, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    except UserError:
        raise
    except (OSError, ValueError, ImportError, csv.Error) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{path} cannot be read as a table ({reason}).") from None


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Values as float64, NaN for what is no number."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan)

    def number(value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError):
            return np.nan

    return np.array([number(value) for value in column.tolist()], dtype=np.float64)


def _texts(column: pd.Series[Any], number: bool) -> pd.Series[Any]:
    """Values as text; a whole number kept as float loses its `.0`, in text only where a `number` is meant."""
    if pd.api.types.is_float_dtype(column):
        whole = column.dropna()
        if (whole == whole.round()).all():
            column = column.astype("Int64")
    texts = column.astype(str).where(column.notna(), "").str.strip()
    return texts.str.replace(r"^(\d+)\.0+$", r"\1", regex=True) if number else texts
