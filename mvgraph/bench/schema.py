"""The ledger's tables, and how arrays are written into them."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Raised when tables change; a ledger of another version is refused, never guessed at.
VERSION = 1

#: Every status of a cell. Only `done` answers for a cell when a suite is run again.
STATUSES = ("planned", "running", "done", "failed", "timeout", "oom", "skipped")
FAILURES = ("failed", "timeout", "oom", "skipped")

TABLES = """
CREATE TABLE IF NOT EXISTS suite (
    number INTEGER PRIMARY KEY AUTOINCREMENT,   -- the last one is the suite of the report
    planned TEXT NOT NULL,                      -- UTC
    name TEXT NOT NULL,
    json TEXT NOT NULL,
    hash TEXT NOT NULL                          -- of json and of the ids planned
);
CREATE TABLE IF NOT EXISTS cells (
    id TEXT PRIMARY KEY,
    position INTEGER,                           -- in the present plan; NULL: not part of it
    status TEXT NOT NULL,
    spec TEXT NOT NULL,                         -- JSON, labels as last planned
    started TEXT,
    finished TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    record TEXT,                                -- JSON, of a done cell
    reason TEXT,                                -- one sentence, of a cell that ended otherwise
    traceback TEXT
);
CREATE TABLE IF NOT EXISTS probabilities (
    cell TEXT NOT NULL REFERENCES cells (id) ON DELETE CASCADE,
    selection TEXT NOT NULL,
    part TEXT NOT NULL,
    rows INTEGER NOT NULL,
    classes INTEGER NOT NULL,
    blob TEXT NOT NULL REFERENCES blobs (hash),
    PRIMARY KEY (cell, selection, part)
);
CREATE TABLE IF NOT EXISTS labels (
    fingerprint TEXT NOT NULL,
    split TEXT NOT NULL,
    part TEXT NOT NULL,
    rows TEXT NOT NULL REFERENCES blobs (hash),
    labels TEXT NOT NULL REFERENCES blobs (hash),
    classes TEXT NOT NULL,                      -- JSON list of names
    PRIMARY KEY (fingerprint, split, part)
);
CREATE TABLE IF NOT EXISTS blobs (
    hash TEXT PRIMARY KEY,                      -- SHA-256 of data
    data BLOB NOT NULL                          -- zlib; little-endian float32 or int64, rows first, or JSON
);
"""

#: Tables that came later, made where they are not; older versions of mvgraph do not look at them.
ADDED = """
CREATE TABLE IF NOT EXISTS samples (
    fingerprint TEXT PRIMARY KEY,
    ids TEXT NOT NULL REFERENCES blobs (hash)   -- JSON list of sample ids in the order of rows
);
CREATE TABLE IF NOT EXISTS imports (
    cell TEXT PRIMARY KEY REFERENCES cells (id) ON DELETE CASCADE   -- a cell that no method of a suite made
);
"""
TABLES += ADDED


def pack(array: NDArray[Any], dtype: str) -> tuple[str, bytes]:
    """Hash and compressed bytes of an array, `<f4` or `<i8`, in row order."""
    data = zlib.compress(np.ascontiguousarray(array, dtype=dtype).tobytes(), 6)
    return hashlib.sha256(data).hexdigest(), data


def is_whole(name: str, data: bytes) -> bool:
    """Whether packed bytes are those that were stored under this hash."""
    return hashlib.sha256(data).hexdigest() == name


def unpack(data: bytes, dtype: str, columns: int | None = None) -> NDArray[Any]:
    """The array that `pack` wrote, as a matrix of `columns` columns or as a vector."""
    values = np.frombuffer(zlib.decompress(data), dtype=dtype)
    native = values.astype(values.dtype.newbyteorder("="))
    return native if columns is None else native.reshape(-1, columns)


def pack_texts(texts: Sequence[str]) -> tuple[str, bytes]:
    """Hash and compressed bytes of a list of texts."""
    data = zlib.compress(json.dumps([str(text) for text in texts], ensure_ascii=False).encode("utf-8"), 6)
    return hashlib.sha256(data).hexdigest(), data


def unpack_texts(data: bytes) -> list[str]:
    """The list that `pack_texts` wrote."""
    found: list[str] = json.loads(zlib.decompress(data))
    return found
