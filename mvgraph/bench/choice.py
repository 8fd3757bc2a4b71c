"""Which cells of a plan a call of `run_suite` computes: those without a result, narrowed or repeated on request."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence

from mvgraph.bench.plan import Cell
from mvgraph.bench.schema import FAILURES
from mvgraph.errors import UserError


def check_choice(
    cells: Sequence[Cell],
    limit: int | None,
    retry: Collection[str],
    rerun: Collection[str],
    only: Collection[str],
) -> None:
    """Refuse what names nothing.

    Raises:
        UserError: a negative limit, a status that cannot be tried again, or a method or data set not in the plan.
    """
    if limit is not None and limit < 0:
        raise UserError(f"limit is {limit}: give 0 or more cells.")
    for status in [retry] if isinstance(retry, str) else retry:
        if status not in FAILURES or status == "skipped" or isinstance(retry, str):
            raise UserError(f"retry is '{status}': give a list of failed, timeout and oom.")
    known = sorted({name for cell in cells for name in (cell.label, cell.method, cell.dataset)})
    for what, names in (("rerun", rerun), ("only", only)):
        if isinstance(names, str):
            raise UserError(f"{what} is '{names}': give a list of methods and data sets.")
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"the plan has {', '.join(known)}."
                raise UserError(f"{what} names '{name}', which is no method or data set of the suite; {hint}")


def chosen_cells(
    cells: Sequence[Cell],
    statuses: Mapping[str, str],
    *,
    limit: int | None = None,
    retry: Collection[str] = (),
    rerun: Collection[str] = (),
    only: Collection[str] = (),
) -> list[Cell]:
    """Cells never tried, broken off, or asked for again; in the order of the plan.

    Args:
        cells: the plan; statuses: status by cell id.
        limit: at most so many.
        retry: statuses to try again.
        rerun: labels, methods or data sets whose cells run again, done or not.
        only: labels, methods or data sets; a cell must be of every kind that is named (methods, data sets).
    """
    wanted = {"planned", "running", *retry}
    named = _Named(cells)
    chosen = [
        cell
        for cell in cells
        if cell.skip is None
        and (statuses.get(cell.id, "planned") in wanted or any(named.fits(cell, name) for name in rerun))
        and named.is_within(cell, only)
    ]
    return chosen if limit is None else chosen[:limit]


class _Named:
    """What a name of the plan stands for: a label, else all labels of a method, else a data set."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._labels = {cell.label for cell in cells}
        self._methods = {cell.method for cell in cells} | self._labels

    def fits(self, cell: Cell, name: str) -> bool:
        if name in self._labels:
            return cell.label == name
        return name in ((cell.method,) if name in self._methods else (cell.dataset,))

    def is_within(self, cell: Cell, only: Collection[str]) -> bool:
        """Methods are alternatives, and so are data sets; one of each kind that is named must fit."""
        for kind in (
            [name for name in only if name in self._methods],
            [name for name in only if name not in self._methods],
        ):
            if kind and not any(self.fits(cell, name) for name in kind):
                return False
        return True
