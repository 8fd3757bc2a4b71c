"""A run of MLflow as plain values, and the two ways in which it is written; MLflow is not needed here."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mvgraph.tracking.entries import Point

CELL, STAMP, SUITE, STATUS = "mvgraph.cell", "mvgraph.stamp", "mvgraph.suite", "mvgraph.status"
PARENT, RUN_NAME = "mlflow.parentRunId", "mlflow.runName"
#: A parameter or tag is cut to this many characters; files hold all of it.
TEXT_LENGTH = 5000


@dataclass(frozen=True)
class DataInput:
    """A data set that a run read: name, digest (36 characters at most), what it came from, and JSON about it."""

    name: str
    digest: str
    source: str
    profile: str | None = None
    kind: str = "mvgraph"
    context: str = "evaluation"


@dataclass(frozen=True)
class MirrorRun:
    """One run to be.

    Args:
        key: what it stands for (a cell's id, say); stamp: changes when it has to be written anew.
        name: shown; status: in MLflow's words; start, end: milliseconds since 1970, or None.
        params, tags: texts; points: metrics with steps; files: artifacts, texts or JSON values.
        inputs: data sets read.
    """

    key: str
    stamp: str
    name: str
    status: str
    start: int | None = None
    end: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    points: Sequence[Point] = ()
    files: Mapping[str, Any] = field(default_factory=dict)
    inputs: Sequence[DataInput] = ()


@dataclass(frozen=True)
class Known:
    """A run that is there: its id, the stamp it carries, and its status."""

    id: str
    stamp: str
    status: str


class Store(Protocol):
    """Runs of one experiment: a parent and its children."""

    #: Tracking URI, and name of the experiment.
    uri: str
    experiment: str

    def change(self) -> AbstractContextManager[None]:
        """Hold the store for what is read and written inside; where it can, all of it is kept or nothing."""
        ...

    def parents(self) -> list[Known]:
        """Runs that stand for the whole."""
        ...

    def children(self) -> dict[str, list[Known]]:
        """Runs of parts by key, whatever parent they were written under."""
        ...

    def add(self, runs: Sequence[MirrorRun], parent: str | None) -> list[str]:
        """Write runs, below a parent or as one, and return their ids."""
        ...

    def update(self, run_id: str, run: MirrorRun) -> None:
        """Give a run that is there other content."""
        ...

    def remove(self, run_ids: Sequence[str]) -> None:
        """Delete runs as MLflow's interface does; one that says it is running was killed."""
        ...

    def clear_orphans(self) -> None:
        """Remove files of runs that are not there, inside `change`."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


def write_files(folder: Path, files: Mapping[str, Any]) -> None:
    """Write artifacts, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content, sort_keys=True)
        # Not atomic_path: it asks the disk to confirm each file, which a mirror can do without.
        partial = folder / f".{name}.{secrets.token_hex(4)}.partial"
        partial.write_text(text + "\n", encoding="utf-8")
        os.replace(partial, folder / name)
