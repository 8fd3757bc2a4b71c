"""How a text file writes a table: its encoding, what separates columns, and how numbers are written."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from mvgraph.errors import UserError

#: Bytes that are looked at to find out.
HEAD_BYTES = 1 << 18
#: Lines that are looked at.
_MOST_LINES = 200
#: What may separate columns, the most usual first.
SEPARATORS = (",", ";", "\t", "|")
_WORDS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'"}
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
#: Numbers that only one of the two ways of writing allows, and those with marks between thousands.
_WITH_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_THOUSANDS_POINT = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+,\d+")
_THOUSANDS_COMMA = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+\.\d+")
_GROUPS_OF_THREE = re.compile(r"[+-]?\d{1,3}(?:[.,]\d{3})+")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)*|[.,]\d+)(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a file writes a table.

    Args:
        encoding: as Python calls it.
        separator: between columns.
        decimal: "." or ",".
        thousands: the mark between groups of three digits, or None.
    """

    encoding: str = "utf-8"
    separator: str = ","
    decimal: str = "."
    thousands: str | None = None

    @property
    def note(self) -> str | None:
        """What is unusual about it, in words; None for the usual form."""
        usual = TextForm(encoding=self.encoding)
        if self == usual and not self.encoding.startswith("utf-16"):
            return None
        parts = [f"columns separated by {_WORDS.get(self.separator, repr(self.separator))}"]
        parts.append(f"decimal {'comma' if self.decimal == ',' else 'point'}")
        if self.thousands is not None:
            parts.append(f"{'points' if self.thousands == '.' else 'commas'} between thousands")
        if self.encoding.startswith("utf-16"):
            parts.append("UTF-16")
        return f"Read with {', '.join(parts)}."


def find_form(path: Path, separator: str | None = None, decimal: str | None = None) -> TextForm:
    """Find out how a text file writes its table; what is said is not looked for.

    Parameters:
        separator: one character; decimal: "." or ",".

    Raises:
        UserError: no text, or two readings of it are equally good.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}).") from None
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), "utf-8")
    text = _decoded(head, encoding, path)
    if "\0" in text:
        raise UserError(f"{path} is not a table of text: it holds null bytes.")
    lines = _lines(text, whole=len(head) < HEAD_BYTES)
    readings = {mark: _rows(lines, mark) for mark in ([separator] if separator else SEPARATORS)}
    chosen = separator or _separator(readings, path)
    rows = readings[chosen]
    found, thousands = _decimal(rows[1:], chosen, path) if decimal is None else (decimal, None)
    if decimal is not None:
        thousands = _thousands(rows[1:], decimal)
    return TextForm(encoding, chosen, found, thousands)


def _decoded(head: bytes, encoding: str, path: Path) -> str:
    try:
        # The last character may be cut in two.
        decoder = io.TextIOWrapper(io.BytesIO(head), encoding, errors="strict", newline="")
        return decoder.read() if len(head) < HEAD_BYTES else head.decode(encoding, errors="ignore")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8 or UTF-16 ({error}); save it as UTF-8.") from None


def _lines(text: str, whole: bool) -> list[str]:
    """Lines of the head; the last one may be cut, unless the head is the whole file."""
    lines = text.splitlines(keepends=True)
    return lines if whole or len(lines) < 2 else lines[:-1]


def _rows(lines: list[str], mark: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(lines, delimiter=mark):
            if row:
                rows.append(row)
            if len(rows) == _MOST_LINES:
                break
    except csv.Error:
        return rows
    return rows


def _separator(readings: dict[str, list[list[str]]], path: Path) -> str:
    """The mark that gives every row the columns of the first one; among several, the one that makes more numbers."""
    fitting = {
        mark: rows
        for mark, rows in readings.items()
        if rows and len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows)
    }
    if not fitting:
        # Rows of unequal length are told by line later; columns that a mark makes in the first row count.
        wide = {mark: len(rows[0]) for mark, rows in readings.items() if rows}
        best = max(wide, key=lambda mark: wide[mark], default=",")
        return best if wide.get(best, 1) > 1 else ","
    if len(fitting) == 1:
        return next(iter(fitting))
    shares = {mark: _share_of_numbers(rows) for mark, rows in fitting.items()}
    most = max(shares.values())
    leading = [mark for mark, share in shares.items() if share == most]
    if len(leading) > 1:
        if "," in leading:
            return ","
        words = " or ".join(_WORDS[mark] for mark in leading)
        raise UserError(f"{path}: its columns could be separated by {words}; say --sep MARK.")
    return leading[0]


def _share_of_numbers(rows: list[list[str]]) -> float:
    cells = [cell.strip() for row in rows[1:] for cell in row]
    return sum(_NUMBER.fullmatch(cell) is not None for cell in cells) / max(1, len(cells))


def _decimal(rows: list[list[str]], separator: str, path: Path) -> tuple[str, str | None]:
    """Decimal mark and mark between thousands, from numbers that allow one reading only."""
    cells = {cell.strip() for row in rows for cell in row}
    comma = {c for c in cells if _WITH_COMMA.fullmatch(c)}
    point = {c for c in cells if _WITH_POINT.fullmatch(c)}
    if any(_THOUSANDS_POINT.fullmatch(c) for c in cells):
        return ",", "."
    if any(_THOUSANDS_COMMA.fullmatch(c) for c in cells):
        return ".", ","
    sure_comma = {c for c in comma if not _GROUPS_OF_THREE.fullmatch(c)}
    sure_point = {c for c in point if not _GROUPS_OF_THREE.fullmatch(c)}
    if sure_comma and sure_point:
        raise UserError(
            f"{path} holds numbers with a decimal point ({min(sure_point)}) and with a comma ({min(sure_comma)}); say "
            "--decimal . or --decimal , (the others are then text)."
        )
    if sure_comma or (comma and not point):
        return ",", ("." if any(_GROUPS_OF_THREE.fullmatch(c) for c in point) else None)
    return ".", None


def _thousands(rows: list[list[str]], decimal: str) -> str | None:
    """The other mark, where numbers have it between groups of three digits."""
    pattern = _THOUSANDS_POINT if decimal == "," else _THOUSANDS_COMMA
    found = any(pattern.fullmatch(cell.strip()) for row in rows for cell in row)
    return {",": ".", ".": ","}[decimal] if found else None
