"""Files at an address (UCI, Zenodo): fetched through pooch, verified, resumed after an interruption."""

from __future__ import annotations

import contextlib
import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from mvgraph.data.cache import cache_folder, locked
from mvgraph.data.checksum import sha256_of
from mvgraph.data.integrity import set_aside
from mvgraph.data.progress import shown
from mvgraph.errors import UserError

_BLOCK = 1 << 16
_TIMEOUT_SECONDS = 30
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Url:
    """A file at an address, known by its SHA-256.

    Raises:
        UserError: an address that is neither http nor https, or a SHA-256 that is none.
    """

    address: str
    sha256: str

    def __post_init__(self) -> None:
        if urlsplit(self.address).scheme not in ("http", "https"):
            raise UserError(f"{self.address} is not an address of the web (http or https).")
        if len(self.sha256) != 64 or set(self.sha256.lower()) - set("0123456789abcdef"):
            raise UserError(f"{self.sha256!r} is not a SHA-256 in 64 hexadecimal digits.")

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return PurePosixPath(urlsplit(self.address).path).name or "file"

    def fetch(self) -> Path:
        """The verified file in the cache; what is there already is not fetched again, half a file is completed.

        Raises:
            UserError: offline, the server refuses, the file is not the one known, or pooch is not installed.
        """
        try:
            import pooch
        except ImportError:
            raise UserError(
                "Fetching from the web needs the package pooch: pip install 'mvgraph[bench]'."
            ) from None
        pooch.get_logger().setLevel("ERROR")
        # Named by its hash: what a server calls its file decides nothing about paths.
        name = self.sha256.lower()
        folder = cache_folder() / "urls"
        with locked(cache_folder() / "locks" / f"{name}.lock"):
            folder.mkdir(exist_ok=True)
            if (folder / name).is_file() and sha256_of(folder / name) != name:
                set_aside(folder / name, f"The cached file of {self.address}")
            try:
                path = pooch.retrieve(
                    self.address,
                    known_hash=f"sha256:{name}",
                    fname=name,
                    path=folder,
                    downloader=_Resuming(folder / f"{name}.part"),
                )
            except ValueError as error:
                if isinstance(error, UserError):
                    raise
                raise UserError(
                    f"{self.address} is not the file that is known: its SHA-256 is not {name}; it is not used."
                ) from None
        return Path(path)


@dataclass(frozen=True, slots=True)
class _Resuming:
    """A downloader for pooch that keeps what has come in a file of its own and asks for the rest."""

    part: Path

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> None:
        error: Exception | None = None
        for _ in range(_TRIES):
            try:
                self._complete(url)
                break
            except urllib.error.HTTPError as refusal:
                if refusal.code == 416:  # the part is as long as the file, or longer than it should be
                    break
                raise UserError(
                    f"{url} cannot be fetched: the server says {refusal.code} {refusal.reason}."
                ) from None
            except (OSError, http.client.HTTPException) as caught:
                error = caught
        else:
            raise UserError(f"{url} cannot be fetched ({error}); is this machine offline?") from None
        with open(self.part, "rb") as source, _writable(output_file) as target:
            while block := source.read(_BLOCK):
                target.write(block)
        # The hash decides whether it was right; a wrong part must not be continued.
        self.part.unlink()

    def _complete(self, url: str) -> None:
        have = self.part.stat().st_size if self.part.exists() else 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            # A server that does not know ranges sends everything again.
            have = have if answer.status == 206 else 0
            rest = answer.headers.get("Content-Length")
            total = have + int(rest) if rest else None
            with open(self.part, "ab" if have else "wb") as file, shown(url, total) as report:
                while block := answer.read(_BLOCK):
                    file.write(block)
                    have += len(block)
                    report(have)
        if total is not None and have < total:
            raise http.client.IncompleteRead(b"", total - have)


@contextlib.contextmanager
def _writable(file: Any) -> Any:
    """pooch gives a path; its own downloaders also take open files."""
    if hasattr(file, "write"):
        yield file
    else:
        with open(file, "wb") as opened:
            yield opened
