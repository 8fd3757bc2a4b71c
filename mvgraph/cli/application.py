"""The application that commands attach themselves to."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from mvgraph import __version__


def examples(*lines: str) -> str:
    """The end of a command's help: lines to copy. The mark in front keeps them as they are written."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def new_group(help_text: str, *lines: str) -> typer.Typer:
    """A group of commands; its own help ends with the examples in `lines`."""
    return typer.Typer(
        help=help_text,
        epilog=examples(*lines),
        no_args_is_help=False,
        add_completion=False,
        # Plain help: rich would double the time of `mvgraph --help`.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


app = new_group(
    "Multi-view graph learning, benchmarked honestly.",
    "mvgraph run benchmarks/suites/quickstart.yaml",
    "mvgraph report runs/quickstart",
    "mvgraph data show mfeat",
    "mvgraph methods",
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Multi-view graph learning, benchmarked honestly."""
    if version:
        typer.echo(f"mvgraph {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
    elif (here := os.getcwd()) not in sys.path:
        # `module:Class` may name a module of the working folder; last, so that it shadows nothing.
        sys.path.append(here)
