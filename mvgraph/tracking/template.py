"""An empty database as the installed MLflow makes it, kept in the cache: making one takes MLflow seconds.

It is made by MLflow's public client in a process of its own, so that a run neither waits for it nor has MLflow (some
100 MiB) in its memory while cells are measured.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from mvgraph.data.cache import cache_folder, locked
from mvgraph.data.checksum import sha256_of
from mvgraph.errors import UserError

_PROGRAM = """
import os, sys
with __import__("contextlib").suppress(OSError, AttributeError):
    os.nice(10)
from mlflow.tracking import MlflowClient
MlflowClient(tracking_uri="sqlite:///" + sys.argv[1]).search_experiments()
"""


def mlflow_version() -> str:
    """Version of the installed MLflow.

    Raises:
        UserError: there is none.
    """
    try:
        return importlib.metadata.version("mlflow")
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            "MLflow is not installed, so the run was not mirrored: pip install 'mvgraph[bench]' and run the "
            "suite again, which computes nothing."
        ) from None


class Template:
    """The empty database of the installed MLflow; made while others work, if the cache has none.

    Raises:
        UserError: MLflow is not installed.
    """

    def __init__(self) -> None:
        version = mlflow_version()
        self._work: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            folder = cache_folder() / "mlflow"
            folder.mkdir(parents=True, exist_ok=True)
        except (UserError, OSError):
            # Without a cache it serves this process alone.
            folder = self._scratch()
        self.path = folder / f"empty-{version}.db"
        self._sum = self.path.with_suffix(".sha256")
        if not self._is_whole():
            self._made = self._scratch() / "empty.db"
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(self._made)],
                cwd=self._made.parent,
                env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )

    def _scratch(self) -> Path:
        if self._work is None:
            self._work = Path(tempfile.mkdtemp(prefix="mvgraph-mlflow-"))
        return self._work

    def _is_whole(self) -> bool:
        try:
            return self._sum.read_text(encoding="ascii").strip() == sha256_of(self.path)
        except (OSError, UnicodeDecodeError):
            return False

    def ready(self) -> bool:
        """Whether `wait` would return at once."""
        return self._process is None or self._process.poll() is not None

    def wait(self) -> Path:
        """The path of the empty database.

        Raises:
            RuntimeError: MLflow could not make one.
        """
        if self._process is not None:
            _, errors = self._process.communicate()
            code, self._process = self._process.returncode, None
            if code != 0 or not self._made.is_file():
                lines = errors.decode("utf-8", "replace").strip().splitlines()
                raise RuntimeError(
                    f"MLflow could not make a database: {lines[-1] if lines else f'exit code {code}'}"
                )
            self._publish()
        return self.path

    def _publish(self) -> None:
        """Move what was made to its place; of several processes the last one wins."""
        with closing(sqlite3.connect(self._made)) as database:
            database.execute("PRAGMA journal_mode = DELETE")
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        try:
            # Two databases differ in their times, so file and checksum have to be of the same process.
            with locked(self.path.with_suffix(".lock")):
                shutil.copyfile(self._made, partial)
                text = sha256_of(partial)
                os.replace(partial, self.path)
                partial.write_text(text + "\n", encoding="ascii")
                os.replace(partial, self._sum)
        except (OSError, UserError):
            self.path = self._made

    def close(self) -> None:
        """Stop what is still being made, and remove what only this process had."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._work is not None:
            with suppress(OSError):
                shutil.rmtree(self._work)
