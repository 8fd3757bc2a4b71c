"""Graphs of single views on disk, filed under a hash of what they were made from.

A graph is built once per data and setting and shared by all cells: files are memory-mapped, so that ten
processes hold one copy. An entry is a folder of plain .npy files and one JSON file; it is written under another
name and renamed, so it is whole or absent. Processes that want the same graph at once wait for the first. The JSON
file holds the SHA-256 of every array and of itself; they are compared whenever a graph is mapped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mvgraph.data.cache import cache_folder
from mvgraph.data.integrity import ASIDE, first_damaged, set_aside, sums_of
from mvgraph.errors import UserError
from mvgraph.graph.csr import CSR
from mvgraph.graph.settings import GraphSettings

#: Raised whenever the same data and settings would give another graph than before.
FORMAT = 1
#: Bytes a cache may hold by default.
LIMIT = 10 * 2**30
_ARRAYS = ("indptr", "indices", "values")
_FACTS = "graph.json"


#: Names another folder for the graphs of runs, or turns filing off: "off".
VARIABLE = "MVGRAPH_GRAPHS"


def shared_folder() -> Path | None:
    """Where the graphs of runs are filed: `MVGRAPH_GRAPHS`, else `graphs` in the cache folder.

    None where that says "off", or where no cache folder can be made; graphs are then shared within a process only.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return None if named == "off" else Path(named).expanduser().absolute()
    try:
        return cache_folder() / "graphs"
    except UserError:
        return None


@dataclass(frozen=True, eq=False)
class ViewGraph:
    """The adjacency of one view, mean distance mu, recall of its neighbours (1 where exact), seconds to build."""

    adjacency: CSR
    mean_distance: float
    recall: float = 1.0
    seconds: float = 0.0


def cache_key(rows: Tensor, settings: GraphSettings, view: str, observed: Tensor | None = None) -> str:
    """SHA-256 of the content of a view, of which rows are observed, and of the settings that concern it.

    The view's name is no part of it, nor are other views.

    Shapes:
        rows: (N, d) float32 or float64; observed: (N,) bool
    """
    kind = ["float64"] if rows.dtype == torch.float64 else []
    digest = hashlib.sha256(
        json.dumps([FORMAT, list(rows.shape), settings.of_view(view), *kind], sort_keys=True).encode()
    )
    # By pieces, so that rows on a GPU, or mapped from a file, are not copied at once.
    for part in rows.split(max(1, 2**22 // max(1, rows.shape[1]))):
        digest.update(part.cpu().contiguous().numpy().data)
    if observed is not None and not bool(observed.all()):
        digest.update(b"observed" + observed.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _sum_of(facts: dict[str, Any]) -> str:
    """SHA-256 of what an entry says about itself."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _read_facts(folder: Path) -> dict[str, Any]:
    """What an entry says about itself.

    Raises:
        ValueError: it is not what was written.
    """
    facts: dict[str, Any] = json.loads((folder / _FACTS).read_text())
    if facts.pop("sum", None) != _sum_of(facts):
        raise ValueError("the facts are not those that were written")
    return facts


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


class GraphCache:
    """A folder of graphs, safe for several processes.

    Args:
        folder: created if absent.
        limit: bytes; when more lie there, graphs that were longest not asked for are removed. A process that has
            mapped one keeps it.
    Raises:
        UserError: the folder cannot be made or written.
    """

    def __init__(self, folder: str | Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = Path(folder), limit
        try:
            (self.folder / "locks").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"graph cache '{folder}' cannot be made: {error.strerror}; name a writable folder"
            ) from None

    def get_or_build(self, key: str, build: Callable[[], ViewGraph]) -> ViewGraph:
        """The graph filed under `key`, built and filed first if need be. Its memory is mapped from the file."""
        found = self.load(key)
        if found is not None:
            return found
        with self._locked(key):
            found = self.load(key)  # somebody may have filed it while we waited
            if found is not None:
                return found
            if self._is_damaged(key):
                with suppress(OSError):  # a read-only cache: the graph is built, and stays unfiled
                    set_aside(self._entry(key), f"The cached graph {key[:12]}")
            built = build()
            try:
                self._store(key, built)
            except OSError:  # a full or read-only disk costs the filing, not the graph
                return built
        self.prune(keep=key)
        return self.load(key) or built

    def load(self, key: str) -> ViewGraph | None:
        """The graph filed under `key`, or None when there is none, or it is damaged."""
        folder = self._entry(key)
        try:
            facts = _read_facts(folder)
            if first_damaged(folder, facts["sha256"]) is not None:
                return None
            # Mode "c" (private copy on write): torch wants memory that looks writable.
            parts = [np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False) for name in _ARRAYS]
            whole = [len(part) for part in parts] == [facts["rows"] + 1, facts["entries"], facts["entries"]]
            if not whole or int(parts[0][-1]) != facts["entries"]:
                return None
            indptr, indices, values = (torch.from_numpy(part) for part in parts)
            adjacency = CSR(indptr, indices, values, facts["rows"])
            # What is filed was checked when it was built, and its bytes are the same; checking again would take long.
            adjacency.__dict__["adjacency_fault"] = None
            found = ViewGraph(
                adjacency,
                float(facts["mean_distance"]),
                float(facts["recall"]),
                float(facts.get("seconds", 0.0)),
            )
            self._touch(folder)
            return found
        except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
            return None

    def _is_damaged(self, key: str) -> bool:
        """Whether an entry lies here that `load` refuses; one of before there were sums is only out of date."""
        folder = self._entry(key)
        if not folder.is_dir():
            return False
        try:
            return "sha256" in json.loads((folder / _FACTS).read_text())
        except (OSError, ValueError, TypeError):
            return True

    def _store(self, key: str, graph: ViewGraph) -> None:
        entry = self._entry(key)
        entry.parent.mkdir(exist_ok=True)
        # We hold the lock, so whoever left these was killed.
        for left in entry.parent.glob(f".{key}-*"):
            shutil.rmtree(left, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=entry.parent))
        try:
            if graph.adjacency.adjacency_fault:
                raise UserError(f"the adjacency {graph.adjacency.adjacency_fault}")
            for name in _ARRAYS:
                np.save(
                    made / f"{name}.npy", getattr(graph.adjacency, name).cpu().numpy(), allow_pickle=False
                )
            facts = {
                "format": FORMAT,
                "rows": graph.adjacency.n_rows,
                "entries": graph.adjacency.nnz,
                "mean_distance": graph.mean_distance,
                "recall": graph.recall,
                "seconds": graph.seconds,
                "sha256": sums_of(made, [f"{name}.npy" for name in _ARRAYS]),
            }
            (made / _FACTS).write_text(json.dumps({**facts, "sum": _sum_of(facts)}))
            made.chmod(0o755)
            if entry.exists():  # filed before there were sums, or we would not have built it
                os.rename(entry, Path(tempfile.mkdtemp(prefix=f".{key}-", dir=entry.parent)) / "old")
            os.rename(made, entry)
        finally:
            for left in entry.parent.glob(f".{key}-*"):
                shutil.rmtree(left, ignore_errors=True)

    def prune(self, keep: str | None = None) -> int:
        """Remove the graphs longest not asked for until no more than `limit` bytes lie here; returns how many."""
        held: list[tuple[float, int, Path]] = []
        for facts in self.folder.glob(f"??/*/{_FACTS}"):
            with suppress(OSError):  # somebody else removes too
                held.append((facts.stat().st_mtime, _bytes_in(facts.parent), facts.parent))
        for aside in self.folder.glob(
            f"??/{ASIDE}/*"
        ):  # of no use but to whoever looks for the cause: first to go
            with suppress(OSError):
                held.append((0.0, _bytes_in(aside), aside))
        excess, removed = sum(size for _, size, _ in held) - self.limit, 0
        for _, size, entry in sorted(held):
            if excess <= 0:
                break
            if entry.name == keep:
                continue
            # Away in one step, so that nobody finds half an entry.
            away = entry.with_name(f".{entry.name}-pruned-{os.getpid()}")
            with suppress(OSError):
                os.rename(entry, away)
                shutil.rmtree(away, ignore_errors=True)
                removed += 1
            excess -= size
        return removed

    @staticmethod
    def _touch(folder: Path) -> None:
        """Mark as asked for now; a folder that others own may refuse."""
        with suppress(OSError):
            os.utime(folder / _FACTS)

    def _entry(self, key: str) -> Path:
        return self.folder / key[:2] / key

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """One builder per key at a time; the system frees the lock of a killed process."""
        try:
            import fcntl
        except ImportError:  # not POSIX: several may build, the last to rename wins
            yield
            return
        with open(self.folder / "locks" / key, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
