"""`MultiViewData` objects among a suite's data sets: known by name and fingerprint, the rows kept in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mvgraph.data import MultiViewData
from mvgraph.errors import UserError

#: What the text of such a data set begins with; no registered name or path of a suite does.
PREFIX = "object:"
#: Digits of the fingerprint in the text.
DIGITS = 16


def set_aside(suite: Any) -> tuple[Any, dict[str, MultiViewData]]:
    """The suite with a text in place of every object, and the objects by that text.

    Raises:
        UserError: an object without a name, or two objects of one name.
    """
    if not isinstance(suite, Mapping) or "datasets" not in suite:
        return suite, {}
    listed = suite["datasets"]
    one = isinstance(listed, MultiViewData)
    if not one and not isinstance(listed, list | tuple):
        return suite, {}
    given: dict[str, MultiViewData] = {}
    texts: list[Any] = []
    names: set[str] = set()
    for position, entry in enumerate([listed] if one else listed):
        if not isinstance(entry, MultiViewData):
            texts.append(entry)
            continue
        if not entry.name:
            raise UserError(
                f"suite: data set {position} is an object without a name; give it one with "
                "data.with_card(Card(name=...))."
            )
        if entry.name in names:
            raise UserError(f"suite: two data sets given as objects are named '{entry.name}'; rename one.")
        names.add(entry.name)
        text = f"{PREFIX}{entry.name}#{entry.fingerprint.digest[:DIGITS]}"
        given[text] = entry
        texts.append(text)
    return {**suite, "datasets": texts}, given


def refuse_absent(text: str) -> None:
    """Refuse a data set that is an object of another process.

    Raises:
        UserError: `text` stands for an object.
    """
    if text.startswith(PREFIX):
        name, _, digest = text.removeprefix(PREFIX).rpartition("#")
        raise UserError(
            f"Data set '{name}' (fingerprint {digest}) was given as an object, which no file holds; "
            "call run_suite with that object again, or save it and name the file."
        )
