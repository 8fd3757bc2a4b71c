"""An audit's figures and scores as tables of text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from mvgraph.audit.findings import VARIANTS, Findings
from mvgraph.report.groups import Sheet, figure_sheets


def sheets(found: Findings) -> list[Sheet]:
    """The scores, then the figures of the graph."""
    group = found.group
    scores = Sheet(
        "audit-scores",
        f"Scores without edges inside a {group}, inductively, and averaged over it",
        (
            "method",
            "graph",
            "accuracy (%)",
            "log-loss",
            f"accuracy averaged over the {group} (%)",
            f"log-loss averaged over the {group}",
        ),
        tuple(_score_rows(found)),
        f"Test rows; averaged: every row has the mean probabilities of the test rows of its {group}. A protocol "
        "that shows one row at a time allows neither averaging nor sibling edges.",
    )
    return [scores, *figure_sheets(found.figures)]


def tables(found: Findings) -> list[dict[str, Any]]:
    """All tables as JSON values: `name`, `title`, `heads`, `rows` of text, `caption`."""
    return [
        {**asdict(sheet), "heads": list(sheet.heads), "rows": [list(row) for row in sheet.rows]}
        for sheet in sheets(found)
    ]


def _score_rows(found: Findings) -> Iterator[tuple[str, ...]]:
    for score in found.scores:
        yield (
            score.method,
            VARIANTS[score.variant].format(group=found.group) if score.variant else "uses none",
            score.text(),
            score.text("log_loss", 1.0, 3),
            score.text("averaged_accuracy"),
            score.text("averaged_log_loss", 1.0, 3),
        )
