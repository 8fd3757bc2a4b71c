"""What goes wrong, in one sentence: a user's mistake ends with code 2 and without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from mvgraph.cli.application import app
from mvgraph.errors import UserError

#: Mistakes in the words of the command; typer keeps this class under a name that moved between its versions.
_USAGE: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
#: Packages of extras, by the name under which they are imported.
_EXTRAS = {
    "torch_geometric": "bench",
    "optuna": "bench",
    "mlflow": "bench",
    "rich": "bench",
    "pydantic": "bench",
    "yaml": "bench",
    "jinja2": "bench",
    "plotly": "bench",
    "matplotlib": "bench",
    "scikit_posthocs": "bench",
    "pyarrow": "bench",
    "pooch": "bench",
    "psutil": "bench",
    "av": "media",
    "soundfile": "media",
    "soxr": "media",
    "ray": "ray",
    "faiss": "faiss",
    "psycopg": "postgres",
}
_BAD_PLACES = (PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)
INTERRUPTED = 130


def run_command_line(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words after `mvgraph`, by default those of this process.
    Returns:
        The exit code: 0; 1 when a run has cells without a result because they failed; 2 after a user's mistake;
        130 when interrupted.
    """
    command = typer.main.get_command(app)
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = command.main(args=words, prog_name="mvgraph", standalone_mode=False)
        sys.stdout.flush()
    except UserError as error:
        return complain(str(error))
    except _USAGE as error:
        return complain(_usage(error))
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        return complain(f"This needs the package {error.name}: pip install 'mvgraph[{extra}]'.")
    except BrokenPipeError:
        # Whoever read our output (`| head`) has gone; the interpreter must not try to flush into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except _BAD_PLACES as error:
        if error.filename is None:
            raise
        return complain(f"{error.filename}: {error.strerror}.")
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    if code == INTERRUPTED:
        return _interrupted()
    return code if isinstance(code, int) else 0


def complain(sentence: str) -> int:
    """Print one sentence on stderr and return the exit code of a user's mistake."""
    print(f"mvgraph: {' '.join(sentence.split())}", file=sys.stderr)
    return 2


def _interrupted() -> int:
    print("mvgraph: interrupted; what was done is kept, the same command continues.", file=sys.stderr)
    return INTERRUPTED


def _usage(error: Any) -> str:
    text = str(error.format_message()).strip()
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mvgraph"
    return f"{text.rstrip('.')}; see {path} --help."
