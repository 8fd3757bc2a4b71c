"""What the gain is made of: the audit's section, and what the scores alone already say.

The audit measures neighbours from the same clip, edges across the split, and scores without sibling edges and with
an inductive graph. It is called by name, so that the report stands without it and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mvgraph.data import MultiViewData, Split
from mvgraph.evaluation import LEAST_SPLITS
from mvgraph.registry import import_reference
from mvgraph.reproduce import tables
from mvgraph.reproduce.document import Section, Table
from mvgraph.reproduce.scores import Row

#: (data, split, neighbours, training, seeds, folder, methods) -> {"sentences": [text], "tables": [{"name", "title",
#: "heads", "rows", "caption"}]}, JSON values; `folder` may keep what it has computed. See `gain_section`.
AUDIT = "mvgraph.audit:gain"
Audit = Callable[..., Mapping[str, Any]]

#: Methods that are scored again without some edges; one, because each costs four more fits a seed.
METHODS = ("dm-gcn",)
TITLE = "What the gain is made of"
_ONE_SPLIT = f"These are figures of one split; a verdict on who scores higher needs {LEAST_SPLITS}."


def has_audit(reference: str = AUDIT) -> bool:
    """Whether the audit is there."""
    return find_spec(reference.partition(":")[0]) is not None


def run_audit(
    data: MultiViewData,
    split: Split,
    *,
    neighbours: int,
    training: Mapping[str, Any],
    seeds: Sequence[int],
    folder: Path,
    reference: str = AUDIT,
) -> Mapping[str, Any] | None:
    """What the audit found, or None where there is none."""
    if not has_audit(reference):
        return None
    audit: Audit = import_reference(reference)
    return audit(
        data, split, neighbours=neighbours, training=training, seeds=seeds, folder=folder, methods=METHODS
    )


def gain_section(
    found: Mapping[str, Any] | None, rows: Mapping[str, Row], mark: str, seeds: int = 1
) -> Section:
    """The section: what averaging over the clip explains, then what the audit measured.

    Args:
        seeds: that the audit looked at.
        rows: rows of Table 2 under the last epoch, the baselines without a graph among them.
        mark: stands behind the title of every table (simulated, generated).
    """
    # Nobody may take a figure out of a sentence for one on real scenes.
    front = f"{mark.strip()} " if mark else ""
    sentences = [f"{front}{text}" for text in averaging_sentences(rows)]
    own = tables.gain_table(rows, mark)
    counted = "one seed" if seeds == 1 else f"{seeds} seeds"
    if found is None:
        sentences.append(
            "Shares of neighbours from the same clip or location, edges across the split inside a group, near "
            "duplicates and homophily were not measured here; mvgraph audit does that."
        )
        return Section(TITLE, tuple(sentences), (own,))
    more = tuple(
        Table(
            str(table["name"]),
            f"{table['title']}{mark}",
            # Heads of figures carry the mark too; the first column names things.
            tuple(f"{head}{mark if number else ''}" for number, head in enumerate(table["heads"])),
            tuple(tuple(str(cell) for cell in row) for row in table["rows"]),
            str(table.get("caption", "")),
        )
        for table in found.get("tables", ())
    )
    return Section(
        TITLE,
        (
            *sentences,
            *(f"{front}{text}" for text in found.get("sentences", ())),
            f"Scores without some edges are those of {counted}, at the last epoch.",
        ),
        (own, *more),
    )


def averaging_sentences(rows: Mapping[str, Row]) -> list[str]:
    """The best graph method, the best without a graph, and the best without a graph that sees the whole clip."""
    graphs = [rows[name] for name in tables.GRAPHS if name in rows]
    rivals = [rows[name] for name in tables.RIVALS if name in rows]
    if not graphs or not rivals:
        return []
    best = max(graphs, key=lambda row: row.mean("accuracy") or 0.0)
    rival = max(rivals, key=lambda row: row.mean("accuracy") or 0.0)
    averaged = max(rivals, key=lambda row: row.mean("clip_accuracy") or 0.0)
    figures = [best.mean("accuracy"), rival.mean("accuracy"), averaged.mean("clip_accuracy")]
    if any(figure is None for figure in figures):
        return []
    graph, second, clip = (100 * figure for figure in figures if figure is not None)
    lead, smoothing = graph - second, clip - second
    text = (
        f"On single seconds {best.name} reaches {graph:.1f} % and the best method without a graph ({rival.name}) "
        f"{second:.1f} %; a method without a graph whose probabilities are averaged over the seconds of a clip "
        f"({averaged.name}) reaches {clip:.1f} %."
    )
    if lead <= 0:
        return [f"{text} {_ONE_SPLIT}"]
    share = min(100.0, max(0.0, 100 * smoothing / lead))
    return [
        f"{text} Averaging over the clip alone, without any graph, thus covers {share:.0f} % of the difference of "
        f"{lead:.1f} points between the first two; a 1 s protocol does not allow it. {_ONE_SPLIT}",
    ]
