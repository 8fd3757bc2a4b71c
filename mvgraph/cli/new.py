"""`mvgraph new`: begin a method or a data set of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvgraph.cli.application import app, examples, new_group
from mvgraph.cli.output import facts, heading, short

new = new_group(
    "Begin a method or a data set of your own.",
    "mvgraph new method my-fusion",
    "mvgraph new dataset my-scenes",
)
app.add_typer(new, name="new")

_Name = Annotated[str, typer.Argument(help="The name it is to have, e.g. my-fusion.", metavar="NAME")]
_Out = Annotated[Path, typer.Option("--out", help="Folder to write to.")]


@new.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@new.command(epilog=examples("mvgraph new method my-fusion", "mvgraph new method my-fusion --out my_package"))
def method(name: _Name, out: _Out = Path(".")) -> None:
    """Write the file of a fusion method and its two-line test."""
    _begin("method", name, out)


@new.command(
    epilog=examples("mvgraph new dataset my-scenes", "mvgraph new dataset my-scenes --out my_package")
)
def dataset(name: _Name, out: _Out = Path(".")) -> None:
    """Write the file of a data set and its two-line test."""
    _begin("dataset", name, out)


def _begin(kind: str, name: str, out: Path) -> None:
    from mvgraph.contract.scaffold import scaffold

    file, test, registration = scaffold(kind, name, out)
    cls = registration.rpartition(":")[2].strip('"')
    facts([("written", short(file)), ("test", short(test))])
    heading("Next")
    where = "" if out == Path(".") else f"cd {short(out)} && "
    facts(
        [
            ("check it", f"{where}mvgraph check {file.stem}:{cls}"),
            ("test it", f"{where}python -m pytest {test.name}"),
        ]
    )
    heading("To give it its name in a package of yours, add to its pyproject.toml")
    typer.echo(registration)
