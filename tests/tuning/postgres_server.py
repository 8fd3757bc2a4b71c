"""A PostgreSQL server of our own: in a folder of its own, reached by a socket there, gone afterwards."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: on the path, or where Debian puts them."""
    places = [os.path.dirname(os.path.realpath(found))] if (found := shutil.which("initdb")) else []
    places += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    return next((Path(p) for p in places if all(Path(p, n).exists() for n in ("initdb", "postgres"))), None)


def _user() -> dict[str, Any]:
    """Who runs the server: it refuses root, so root starts it as nobody."""
    if os.getuid() != 0:
        return {}
    found = pwd.getpwnam("nobody")
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


@contextmanager
def server() -> Iterator[str]:
    """A running server; yields the address of its database.

    Raises:
        RuntimeError: it did not start; the message holds what it said.
    """
    place = binaries()
    assert place is not None
    user = _user()
    # Under the system's temporary folder, whose path is open to others and short enough for a socket.
    folder = Path(tempfile.mkdtemp(prefix="mvgraph-pg-"))
    data = folder / "data"
    name = pwd.getpwuid(user.get("user", os.getuid())).pw_name
    process = None
    try:
        if user:
            os.chown(folder, user["user"], user["group"])
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
        common: dict[str, Any] = {**user, "cwd": folder, "env": environment, "text": True}
        words = ["-D", str(data), "-U", name, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"]
        made = subprocess.run(
            [place / "initdb", *words], capture_output=True, timeout=120, check=False, **common
        )
        if made.returncode:
            raise RuntimeError(made.stdout + made.stderr)
        options = (
            "listen_addresses=",
            f"unix_socket_directories={folder}",
            "fsync=off",
            "shared_buffers=16MB",
        )
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [place / "postgres", "-D", data, *(w for option in options for w in ("-c", option))],
                stdout=log,
                stderr=subprocess.STDOUT,
                **common,
            )
        _wait(folder / "log", process)
        yield f"postgresql://{name}@/postgres?host={folder}"
    finally:
        if process is not None:
            # A fast shutdown; SIGTERM would wait for every pooled connection to go.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(log: Path, process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 60
    while "ready to accept connections" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text())
        time.sleep(0.1)
