"""The `mvgraph` command, also `python -m mvgraph`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: words after `mvgraph`, by default those of this process.
    """
    if find_spec("typer") is None:
        print("mvgraph: the command line needs more packages: pip install 'mvgraph[bench]'.", file=sys.stderr)
        return 2
    from mvgraph.cli import run_command_line

    return run_command_line(arguments)


if __name__ == "__main__":
    sys.exit(main())
