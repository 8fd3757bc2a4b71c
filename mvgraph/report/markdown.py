"""The report as Markdown: `leaderboard.md` for a README, `report.md` with everything that has words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mvgraph.evaluation import RULE
from mvgraph.report import forms
from mvgraph.report.assemble import Report, SettingReport
from mvgraph.report.context import Trouble
from mvgraph.report.groups import Groups
from mvgraph.report.majority import LEGEND
from mvgraph.report.stats import Comparison

_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")
_KEEP = re.compile(r"(?<=\w)\\_(?=\w)")


def escape(text: object) -> str:
    """A cell's text, with nothing in it that Markdown or HTML would take for markup."""
    escaped = _MARKUP.sub(r"\\\1", " ".join(str(text).split()))
    # Between two letters an underscore marks nothing up, and reads better bare.
    return _KEEP.sub("_", escaped).replace("\\<", "&lt;").replace("\\>", "&gt;")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], left: int = 1) -> str:
    """A Markdown table whose first `left` columns are aligned left, the others right."""
    align = ["---" if i < left else "---:" for i in range(len(heads))]
    lines = [heads, align, *rows]
    return "\n".join("| " + " | ".join(str(c) for c in line) + " |" for line in lines) + "\n"


def leaderboard(report: Report) -> str:
    """One table a setting."""
    parts = []
    for part in report.settings:
        parts.append(f"### {escape(part.setting.title)} ({escape(part.setting.protocol)})\n")
        parts.append(_board(part))
    return "\n".join(parts) if parts else "No cell is done yet.\n"


def document(report: Report) -> str:
    """The whole report; figures are linked as the PNG files beside it."""
    name = escape(report.snapshot.title)
    parts = [f"# {name}\n", " ".join(map(escape, report.headline)) + "\n"]
    if report.verdicts:
        parts.append("## Against concat-logreg\n")
        parts.append("".join(f"- {escape(v.sentence)}\n" for v in report.verdicts))
        parts.append(f"{escape(RULE)}\n")
    for compared in report.comparisons:
        parts.append(f"## Across data sets: {escape(compared.comparison.title)}\n")
        parts.append(_ranks(compared.comparison))
        parts += [f"![{escape(p.alt)}]({p.name}.png)\n\n{escape(p.caption)}\n" for p in compared.pictures]
    for part in report.settings:
        parts.append(f"## {escape(part.setting.title)} ({escape(part.setting.protocol)})\n")
        parts.append(table(("fact", "value"), [[escape(v) for v in fact] for fact in part.facts], left=2))
        parts.append(_board(part))
        parts.append(f"\n{_rule(report, part)}\n")
        parts.append(_columns(part, forms.SELECTION))
        parts.append(_columns(part, forms.COST))
        if part.incomplete is not None:
            heads = [escape(head) for head in part.incomplete.heads]
            parts.append(table(heads, [[escape(v) for v in row] for row in part.incomplete.table]))
        parts += [f"- {escape(c.sentence)}\n" for c in part.controls]
        if part.controls:
            parts.append(f"{escape(RULE)}\n")
        if part.groups is not None:
            parts.append(_groups(part.groups))
        parts += [
            f"### {p.title}\n\n![{escape(p.alt)}]({p.name}.png)\n\n{escape(p.caption)}\n"
            for p in part.pictures
        ]
    parts.append("## Protocol\n")
    card = [
        (
            escape(x.rule),
            escape(x.value),
            escape("; ".join(f"{d.value}: {d.where}" for d in x.deviations)) or forms.DASH,
        )
        for x in report.card
    ]
    parts.append(table(("rule", "value", "cells that differ"), card, left=3))
    parts.append("## Settings of the methods\n")
    rows = [
        [escape(v) for v in (c.label, c.method, c.graph, c.scaling, c.training, c.options)]
        for c in report.configurations
    ]
    parts.append(table(("method", "class", "graph", "scaling", "training", "options"), rows, left=6))
    parts.append("## Environment\n")
    facts = [
        (escape(f), escape("; ".join(v if len(values) == 1 else f"{v} ({n} cells)" for v, n in values)))
        for f, values in report.environment
    ]
    parts.append(table(("fact", "value"), facts, left=2))
    for title, troubles in (("Failed cells", report.failures), ("Missing cells", report.missing)):
        parts.append(f"## {title}\n")
        parts.append(_troubles(troubles) if troubles else "None.\n")
    return "\n".join(parts)


def _groups(found: Groups) -> str:
    """Neighbours and scores by group, and what the graph's gain is made of."""
    parts = [f"### Groups: what a row's {escape(found.group)} is worth\n"]
    if found.sentence:
        parts.append(f"{escape(found.sentence)}\n")
    for sheet in found.sheets:
        parts.append(f"#### {escape(sheet.title)}\n")
        parts.append(table(sheet.heads, [[escape(cell) for cell in row] for row in sheet.rows]))
        parts.append(f"{escape(sheet.caption)}\n")
    return "\n".join(parts)


def _board(part: SettingReport) -> str:
    columns = [
        *forms.quality(part.measure),
        *(c for c in forms.COST if c.name in {"parameters", "training_s"}),
    ]
    heads = [*(_head(c) for c in columns)]
    # The interval stands beside the gap that it is of.
    at = next(i for i, c in enumerate(columns) if c.name == "gap") + 1
    heads.insert(at, f"{forms.INTERVAL} of the gap")
    tops = [forms.best(part.rows, c) for c in columns]
    rows = []
    for row in part.board.lines:
        texts = [c.text(row) for c in columns]
        bold = [
            f"**{t}**" if t == top and row.rank is not None else t for t, top in zip(texts, tops, strict=True)
        ]
        bold.insert(at, forms.interval(row))
        rows.append([forms.rank(row), escape(forms.name(row)), *bold, forms.cells(row)])
    return table(["rank", "method", *heads, "cells"], rows, left=2)


def _columns(part: SettingReport, columns: Sequence[forms.Column]) -> str:
    rows = [[escape(row.label), *(c.text(row) for c in columns)] for row in part.rows]
    return table(["method", *(_head(c) for c in columns)], rows)


def _head(column: forms.Column) -> str:
    return f"{column.heading} ({column.unit})" if column.unit else column.heading


def _rule(report: Report, part: SettingReport) -> str:
    """How failed and missing cells enter the table above."""
    words = [f"Ranked by mean test {part.measure.words}, selection rule: {report.snapshot.selection}."]
    if part.board.majority is not None or any(r.above_majority is False for r in part.rows):
        words.append(escape(LEGEND))
    if part.unranked:
        words.append(f"Not ranked, because cells failed: {', '.join(map(escape, part.unranked))}.")
    if part.without:
        words.append(f"Without any result: {', '.join(map(escape, part.without))}.")
    if part.imported:
        words.append(
            f"Imported, made by another tool whose training, tuning and selection are not known: "
            f"{', '.join(map(escape, part.imported))}."
        )
    if any(r.provisional for r in part.rows):
        words.append("Ranks in brackets are provisional: cells are missing.")
    return " ".join(words) + "\n"


def _ranks(comparison: Comparison) -> str:
    heads = ["method", "average rank", *map(escape, comparison.blocks)]
    rows = [
        [escape(label), f"{comparison.mean_ranks[i]:.2f}", *(f"{r:g}" for r in comparison.ranks[:, i])]
        for i, label in enumerate(comparison.labels)
    ]
    return table(heads, rows) + "\n" + " ".join(map(escape, comparison.sentences)) + "\n"


def _troubles(troubles: Sequence[Trouble]) -> str:
    rows = [
        [escape(v) for v in (t.status, t.dataset, t.label, t.split, t.seed, t.cell, t.reason or forms.DASH)]
        for t in troubles
    ]
    return table(("status", "data set", "method", "split", "seed", "cell", "reason"), rows, left=7)
