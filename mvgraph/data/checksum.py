"""SHA-256 of files, and refusing those that are not what they should be."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO

from mvgraph.data.atomic import atomic_path
from mvgraph.errors import UserError

_BLOCK = 1 << 20


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_checked(stream: IO[bytes], target: Path, sha256: str, most: int, what: str) -> None:
    """Copy a stream into a file that appears only if it is what it should be.

    Parameters:
        most: bytes after which the copy is given up.

    Raises:
        UserError: too long, or another SHA-256.
    """
    digest, length = hashlib.sha256(), 0
    with atomic_path(target) as temporary:
        with open(temporary, "wb") as file:
            while block := stream.read(_BLOCK):
                length += len(block)
                if length > most:
                    raise UserError(f"{what} is larger than the {most} bytes it should have at most.")
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != sha256:
            raise UserError(
                f"{what} has SHA-256 {digest.hexdigest()}, but {sha256} is known to be right; it is not used."
            )
        os.chmod(temporary, 0o644)
