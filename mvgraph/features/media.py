"""What both readers of media share: the lazy import of decoders and the sentence about a bad file."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from mvgraph.errors import UserError


class MissingTrack(UserError):
    """A good file that has no sound, or no picture: a missing view, not a damaged file."""


def decoder(module: str) -> ModuleType:
    """Import `av`, `soundfile` or `soxr`, which the core does not need.

    Raises:
        UserError: it is not installed; names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"Reading sound and video needs the package '{module}'; install it with pip install 'mvgraph[media]'."
        ) from error


def existing_file(path: str | Path, kind: str) -> Path:
    """The path of a file that is there and holds at least one byte.

    Raises:
        UserError: no such file, a folder, or zero bytes.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no {kind} file {str(path)!r}.")
    if path.stat().st_size == 0:
        raise UserError(f"The {kind} file {str(path)!r} is empty (0 bytes).")
    return path


def one_line(error: BaseException) -> str:
    """A library's message as part of one sentence."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
