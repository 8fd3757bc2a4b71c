"""The command line: thin commands, one file each, that import the rooms they call when they run.

A new command is one function under `@app.command` in a file of its own, imported below.
"""

from mvgraph.cli import (
    audit,
    check,
    convert,
    data,
    embed,
    env,
    leaderboard,
    methods,
    new,
    predictions,
    report,
    reproduce,
    run,
    tau,
    tune,
)
from mvgraph.cli.application import app
from mvgraph.cli.errors import run_command_line

__all__ = [
    "app",
    "audit",
    "check",
    "convert",
    "data",
    "embed",
    "env",
    "leaderboard",
    "methods",
    "new",
    "predictions",
    "report",
    "reproduce",
    "run",
    "run_command_line",
    "tau",
    "tune",
]
