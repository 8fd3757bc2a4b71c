"""Opening tables: names of columns first, then the columns that are needed, each as what it is."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd

from mvgraph.data.importers.columns import listing
from mvgraph.data.importers.limits import check_fits, check_packed
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.importers.text_form import find_form
from mvgraph.errors import UserError

#: How pandas names an index that had no name: nothing in .csv, the other in .parquet.
INDEX_NAMES = ("", "__index_level_0__")
#: What stands in a cell that has no number.
MISSING = (
    "", "NA", "N/A", "n/a", "na", "#N/A", "NaN", "nan", "null", "NULL", "None", "?", "-", "--", "<NA>",
)  # fmt: skip
#: Longer header lines are no header.
_LONGEST_HEADER = 64 << 20


class Table(ABC):
    """A table on disk."""

    path: Path
    columns: tuple[str, ...]
    #: What is unusual about how the file is written, or None.
    note: str | None = None

    @abstractmethod
    def read(self, numbers: Sequence[str], texts: Sequence[str]) -> pd.DataFrame:
        """The columns that are needed, `texts` without guessing that they are numbers.

        Raises:
            UserError: the file cannot be read to its end.
        """

    def _check_names(self) -> None:
        if not self.columns:
            raise UserError(f"{self.path} has no columns.")
        twice = [name for name in dict.fromkeys(self.columns) if self.columns.count(name) > 1]
        if twice:
            raise UserError(f"{self.path}: the column {twice[0]!r} stands there twice.")


def open_table(path: Path, options: ImportOptions | None = None) -> Table:
    """Open a table by its ending; how a text file writes it is found out unless `options` says it.

    Raises:
        UserError: not a table.
    """
    if path.suffix.lower() == ".parquet":
        return ParquetTable(path)
    options = options or ImportOptions()
    return CsvTable(path, options.separator, options.decimal)


class CsvTable(Table):
    """Values separated by commas (or what `find_form` finds), names of the columns in the first line."""

    def __init__(self, path: Path, separator: str | None = None, decimal: str | None = None) -> None:
        self.path = path
        self.form = find_form(path, separator, decimal)
        self.note = self.form.note
        try:
            with self._opened() as file:
                line = file.readline(_LONGEST_HEADER)
                # A name in quotes may run over the end of the line.
                while (
                    line.count('"') % 2
                    and len(line) < _LONGEST_HEADER
                    and (more := file.readline(_LONGEST_HEADER))
                ):
                    line += more
            self.columns = tuple(next(self._rows([line]), ()))
        except (UnicodeError, csv.Error, OSError) as error:
            raise UserError(f"{path} is not a table of separated values ({error}).") from None
        if self.columns.count("") > 1:
            raise UserError(f"{path}: {self.columns.count('')} columns have no name.")
        self._check_names()

    def _opened(self) -> IO[str]:
        encoding = "utf-8-sig" if self.form.encoding == "utf-8" else self.form.encoding
        return open(self.path, encoding=encoding, newline="")

    def _rows(self, lines: Iterable[str]) -> Any:
        return csv.reader(lines, delimiter=self.form.separator, strict=True)

    def read(self, numbers: Sequence[str], texts: Sequence[str]) -> pd.DataFrame:
        self._check_rows()
        # By position, because pandas renames columns that it does not like.
        at = {name: position for position, name in enumerate(self.columns)}
        order = sorted({*numbers, *texts}, key=at.__getitem__)
        text_positions = {at[name] for name in texts}
        blanks: dict[Any, list[str]] = {
            at[name]: [""] if at[name] in text_positions else list(MISSING) for name in order
        }
        try:
            with self._opened() as file:
                next(self._rows(file))
                frame = pd.read_csv(
                    file,
                    sep=self.form.separator,
                    decimal=self.form.decimal,
                    thousands=self.form.thousands,
                    header=None,
                    usecols=[at[name] for name in order],
                    names=list(range(len(self.columns))),
                    index_col=False,
                    dtype=dict.fromkeys(text_positions, object),
                    keep_default_na=False,
                    na_values=blanks,
                    low_memory=False,
                )
        except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OSError) as error:
            raise UserError(
                f"{self.path} cannot be read as a table ({' '.join(str(error).split())})."
            ) from None
        frame.columns = pd.Index([self.columns[int(position)] for position in frame.columns])
        return frame

    def _check_rows(self) -> None:
        """Refuse rows that are too short or too long; pandas would fill them up or cut them off without a word."""
        try:
            with self._opened() as file:
                reader = self._rows(file)
                for row in reader:
                    if row and len(row) != len(self.columns):
                        raise UserError(
                            f"{self.path}: line {reader.line_num} has {len(row)} values, but there are "
                            f"{len(self.columns)} columns."
                        )
                if reader.line_num < 2:
                    raise UserError(f"{self.path} has no rows.")
        except (csv.Error, UnicodeError) as error:
            raise UserError(f"{self.path} cannot be read as a table ({error}).") from None


class ParquetTable(Table):
    """Parquet, through pyarrow."""

    def __init__(self, path: Path) -> None:
        self.path = path
        file = self._open()
        self.columns = tuple(file.schema_arrow.names)
        self._check_names()

    def _open(self) -> Any:
        try:
            from pyarrow import ArrowException
            from pyarrow.parquet import ParquetFile
        except ImportError:
            raise UserError(
                f"{self.path}: .parquet needs the package pyarrow: pip install 'mvgraph[bench]'."
            ) from None
        try:
            return ParquetFile(self.path)
        except (ArrowException, OSError, ValueError) as error:
            raise UserError(
                f"{self.path} is damaged, truncated or not a Parquet file ({_short(error)})."
            ) from None

    def read(self, numbers: Sequence[str], texts: Sequence[str]) -> pd.DataFrame:
        from pyarrow import ArrowException, types

        file = self._open()
        schema, rows = file.schema_arrow, file.metadata.num_rows
        for name in [*numbers, *texts]:
            kind = schema.field(name).type
            if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
                raise UserError(
                    f"{self.path}: column {name!r} holds {kind} values, neither numbers nor strings."
                )
        if rows < 0:
            raise UserError(f"{self.path} claims {rows} rows.")
        order = list(dict.fromkeys([*texts, *numbers]))
        check_fits((rows, len(order)), self.path, "the table")
        check_packed(rows * len(order), self.path.stat().st_size, self.path, "the table")
        try:
            frame: pd.DataFrame = file.read(columns=order).to_pandas(ignore_metadata=True)
        except (ArrowException, OSError, ValueError, MemoryError) as error:
            raise UserError(f"{self.path} is damaged or truncated ({_short(error)}).") from None
        if len(frame) != rows:
            raise UserError(f"{self.path} claims {rows} rows, but {len(frame)} are there.")
        lacking = [name for name in order if name not in frame.columns]
        if lacking:
            raise UserError(f"{self.path} lacks the columns {listing(lacking)}.")
        return frame


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]
