"""What a leaderboard stands on: rows, splits, classes and views of one setting, as its cells recorded them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from mvgraph.report.majority import Majority, majority_by_split
from mvgraph.report.ranking import ACCURACY
from mvgraph.report.scores import split_key
from mvgraph.report.tables import Setting

Fact = tuple[str, str]


def facts(setting: Setting, majority: Majority) -> list[Fact]:
    """(name, value) of everything that is known; planned and failed cells tell it too."""
    cells = [
        record["cell"]
        for runs in setting.runs.values()
        for record in (*runs.done, *runs.failed, *runs.missing)
    ]
    splits = {split_key(cell): (cell.get("protocol") or {}).get("labelled") or {} for cell in cells}
    labelled = list(splits.values())
    found = [("Rows", _range(one.get("rows") for one in labelled))]
    parts = [(_range(one.get(part) for one in labelled), words) for part, words in _PARTS]
    several = f"{len(splits)} split{'s' * (len(splits) > 1)}"
    each = ", ".join(f"{count} {words}" for count, words in parts if count)
    found.append(("Splits", f"{several} of {each}" if each else several))
    found.append(
        ("Classes", _range(len(one["train_per_class"]) for one in labelled if one.get("train_per_class")))
    )
    if majority:
        share = fmean(majority_by_split(majority, ACCURACY.key).values())
        found.append(("Majority class", f"{ACCURACY.amount(share)} of the test rows"))
    views = list(dict.fromkeys(str(view) for cell in cells for view in cell.get("views") or ()))
    found.append(("Views", ", ".join(views)))
    shares = observed(cells)
    if shares:
        found.append(
            ("Rows that have the view", ", ".join(f"{v} {100 * s:.1f} %" for v, s in shares.items()))
        )
    return [(name, value) for name, value in found if value]


_PARTS = (("train", "to train on"), ("validation", "to validate"), ("test", "to test"))


def observed(cells: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """View -> share of the rows that have it; empty where every row has every view."""
    for cell in cells:
        shares = (cell.get("protocol") or {}).get("observed")
        if shares:
            return {str(view): float(share) for view, share in shares.items()}
    return {}


def _range(values: Iterable[Any]) -> str:
    known = sorted({value for value in values if isinstance(value, int)})
    if not known:
        return ""
    return f"{known[0]:,}" if len(known) == 1 else f"{known[0]:,} to {known[-1]:,}"
