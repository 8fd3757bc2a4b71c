"""`mvgraph check`: hold somebody's method or data set against the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mvgraph.cli.application import app, examples

if TYPE_CHECKING:
    from mvgraph.contract import CheckResult


@app.command(
    epilog=examples(
        "mvgraph check my_module:MyFusion",
        "mvgraph check my_module:MyScenes         # a data set",
        "mvgraph check dm-gcn",
        "mvgraph check pyg:GATConv --only shapes,save-load",
    )
)
def check(
    target: Annotated[
        str, typer.Argument(help="Class of a method or data set, or its name.", metavar="MODULE:CLASS|NAME")
    ],
    only: Annotated[str, typer.Option("--only", metavar="CHECKS", help="Names of checks, by commas.")] = "",
) -> None:
    """Run every check that applies, and say what failed and why; ends with code 1 if one does."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    results = list(run(target, names or None))
    failed = [result for result in results if not result.passed]
    seconds = sum(result.seconds for result in results)
    typer.echo(f"{target}: {len(results) - len(failed)} of {len(results)} checks passed in {seconds:.1f} s.")
    if failed:
        raise typer.Exit(1)


def run(target: str, only: list[str] | None) -> list[CheckResult]:
    """Run the checks one by one, each told as soon as it is over."""
    from mvgraph import registry
    from mvgraph.contract import DATASET_CHECKS, METHOD_CHECKS, Check
    from mvgraph.contract.case import MethodCase
    from mvgraph.contract.datasets import DataSetCase
    from mvgraph.contract.result import run_checks
    from mvgraph.data.dataset import DataSet

    class Told(Check):
        def __call__(self, case: object) -> CheckResult:
            result = super().__call__(case)
            typer.echo(str(result))
            return result

    def told(checks: tuple[Check, ...]) -> tuple[Check, ...]:
        return tuple(Told(each.name, each.run, each.applies) for each in checks)

    base = target.partition("@")[0]
    known = base in registry.methods or base.partition(":")[0] in registry.methods
    if base in registry.datasets and not known:
        return run_checks(DataSetCase(target), told(DATASET_CHECKS), only)
    if not known and ":" in base:
        found = registry.import_reference(base)
        if isinstance(found, type) and issubclass(found, DataSet):
            return run_checks(DataSetCase(target), told(DATASET_CHECKS), only)
    return run_checks(MethodCase(target), told(METHOD_CHECKS), only)
