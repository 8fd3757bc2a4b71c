"""A pip of our own for tests: it hands out archives from a folder, and keeps a list of what it was asked for."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

FAKE_PIP = """
import os, pathlib, shutil, sys, time
shelf = pathlib.Path(sys.argv[1])
words = sys.argv[2:]
with open(shelf / "asked", "a") as log:
    log.write(" ".join(words) + "\\n")
time.sleep(float((shelf / "delay").read_text()) if (shelf / "delay").exists() else 0)
if (shelf / "offline").exists():
    print("WARNING: Retrying after connection broken by NewConnectionError: https://user:secret@mirror.example/simple/")
    print("ERROR: No matching distribution found for it at https://user:secret@mirror.example/simple/")
    sys.exit(1)
name, version = words[-1].split("==")
for path in shelf.iterdir():
    if path.name.startswith(f"{name.replace('-', '_')}-{version}"):
        shutil.copy(path, words[words.index("--dest") + 1])
        sys.exit(0)
print(f"ERROR: Could not find a version that satisfies the requirement {words[-1]}")
sys.exit(1)
"""


class Shelf:
    """The folder that the fake pip takes archives from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.script = folder / "pip.py"
        self.script.write_text(FAKE_PIP)

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, str(self.script), str(self.folder))

    @property
    def asked(self) -> list[str]:
        log = self.folder / "asked"
        return log.read_text().splitlines() if log.exists() else []

    def wheel(self, name: str, members: dict[str, bytes]) -> None:
        with zipfile.ZipFile(self.folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)

    def sdist(self, name: str, members: dict[str, bytes], extra: tarfile.TarInfo | None = None) -> None:
        with tarfile.open(self.folder / name, "w:gz") as archive:
            if extra is not None:
                archive.addfile(extra)
            for member, content in members.items():
                info = tarfile.TarInfo(f"{name.removesuffix('.tar.gz')}/{member}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def digest(content: bytes) -> str:
    """SHA-256 as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An empty shelf, with an empty cache."""
    made = Shelf(tmp_path / "shelf")
    monkeypatch.setenv("MVGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("mvgraph.data.source_archive.PIP", made.command)
    return made
