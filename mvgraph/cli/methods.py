"""`mvgraph methods`: what can stand under `methods:` in a suite."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mvgraph.cli.application import app, examples
from mvgraph.cli.output import facts
from mvgraph.errors import UserError


@app.command(epilog=examples("mvgraph methods", "mvgraph methods dm-gcn", "mvgraph methods --json"))
def methods(
    name: Annotated[str | None, typer.Argument(help="Only this method.", metavar="[NAME]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the methods: title, capabilities, options with their defaults, origin and paper."""
    from mvgraph import registry

    if name is not None:
        registry.resolve_method(name)  # refuses an unknown one with the nearest names
    base = None if name is None else name.partition("@")[0]
    names = registry.methods.names() if base is None else [base]
    described = [describe(each) for each in names]
    if as_json:
        typer.echo(json.dumps(described, indent=2))
        return
    for about in described:
        typer.secho(f"{about['name']}", bold=True)
        facts(
            [
                ("  title", about.get("title")),
                ("  tags", ", ".join(k.replace("_", " ") for k, on in about.get("tags", {}).items() if on)),
                ("  options", ", ".join(f"{k}={_plain(v)}" for k, v in about.get("options", {}).items())),
                ("  search", ", ".join(about.get("search_space", {}))),
                ("  origin", about["origin"]),
                ("  paper", about.get("paper")),
                ("  problem", about.get("problem")),
            ]
        )
    if name is None:
        controls = " and ".join(f"@{control}" for control in registry.controls.names())
        typer.echo(f"\nControls, written behind a method that uses the graph: {controls or 'none'}.")


def describe(name: str) -> dict[str, Any]:
    """One method as JSON values; a method of another package that cannot be imported says why."""
    from mvgraph import registry

    base = name.partition(":")[0]
    origin = registry.methods.origin(base) if base in registry.methods else base
    try:
        spec = registry.resolve_method(name)
    except UserError as error:
        return {"name": name, "origin": origin, "problem": str(error)}
    family = spec.cls.family_option
    return {
        "name": f"{name}:<{family}>" if family and ":" not in name else name,
        "title": spec.cls.title,
        "tags": asdict(spec.cls.tags),
        "options": {**spec.cls.defaults(), **spec.options},
        "search_space": {
            key: {"kind": type(value).__name__.lower(), **asdict(value)}
            for key, value in spec.cls.search_space().items()
        },
        "origin": origin,
        "paper": spec.cls.paper,
    }


def _plain(value: Any) -> str:
    return json.dumps(value) if not isinstance(value, str) else value
