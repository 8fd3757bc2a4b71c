"""The ledger of published results: figures of others, each with its source, never mixed with ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import yaml

from mvgraph.errors import UserError

TABLES = ("table1", "table2", "table3", "others")


@dataclass(frozen=True)
class Published:
    """One line. Accuracy as a share, log-loss in nats; None where the source gives none."""

    table: str
    row: str
    source: str
    accuracy: float | None = None
    log_loss: float | None = None
    average: str = ""
    parameters: str = ""
    time: str = ""


@lru_cache(maxsize=1)
def published() -> tuple[Published, ...]:
    """All lines of `published.yaml`.

    Raises:
        UserError: a line without a known source, or a value out of its range.
    """
    text = (resources.files("mvgraph.reproduce") / "published.yaml").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> tuple[Published, ...]:
    """The lines of a ledger's text; see `published`."""
    content = yaml.safe_load(text)
    lines = []
    for table in TABLES:
        for entry in content.get(table, []):
            line = Published(table, **entry)
            if line.source not in content["sources"]:
                raise UserError(f"Published results, row {line.row!r}: there is no source {line.source!r}.")
            if line.accuracy is not None and not 0 <= line.accuracy <= 1:
                raise UserError(
                    f"Published results, row {line.row!r}: accuracy is a share, not {line.accuracy}."
                )
            lines.append(line)
    return tuple(lines)


def sources() -> dict[str, str]:
    """Where the figures come from, by the name that lines use."""
    text = (resources.files("mvgraph.reproduce") / "published.yaml").read_text(encoding="utf-8")
    return {str(name): str(words) for name, words in yaml.safe_load(text)["sources"].items()}


def find(table: str, row: str) -> Published | None:
    """The published line of a row of one table."""
    return next((line for line in published() if (line.table, line.row) == (table, row)), None)
