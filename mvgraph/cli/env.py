"""`mvgraph env`: what a result would be recorded with."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, metadata, version
from typing import Annotated

import typer

from mvgraph.cli.application import app, examples
from mvgraph.cli.output import facts, heading


@app.command(epilog=examples("mvgraph env", "mvgraph env --json"))
def env(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the machine, the versions and the extras that are installed; names no person, host or path."""
    from mvgraph.bench.environment import environment, versions

    machine, packages, extras = environment(), versions(), installed_extras()
    if as_json:
        typer.echo(json.dumps({"environment": machine, "versions": packages, "extras": extras}, indent=2))
        return
    heading("Machine")
    facts([(name, "none" if value is None else value) for name, value in machine.items()])
    heading("Versions")
    facts([(name, value or "not installed") for name, value in packages.items()])
    heading("Extras")
    facts([(name, f"lacks {', '.join(lacks)}" if lacks else "installed") for name, lacks in extras.items()])


def installed_extras() -> dict[str, list[str]]:
    """Each extra of mvgraph with the packages that are missing from it."""
    import re

    # Only names are wanted from lines like `av>=14; extra == 'media'`, so that no parser of requirements is needed.
    line = re.compile(r"(?P<name>[A-Za-z0-9._-]+).*;.*extra == ['\"](?P<extra>[^'\"]+)['\"]")
    about = metadata("mvgraph")
    found: dict[str, list[str]] = {extra: [] for extra in about.get_all("Provides-Extra") or []}
    for requirement in about.get_all("Requires-Dist") or []:
        match = line.match(requirement)
        if match and not _is_installed(match["name"]):
            found[match["extra"]].append(match["name"])
    return found


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
