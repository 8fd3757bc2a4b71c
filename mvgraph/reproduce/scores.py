"""Scores of one row of a table: one per seed, on seconds and on whole clips, from probabilities of test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvgraph.bench.ledger import Ledger
from mvgraph.bench.metrics import part_metrics

SELECTIONS = ("last", "validation")


@dataclass(frozen=True)
class Score:
    """One seed.

    Args:
        second, clip: metrics of `mvgraph.bench.metrics` on single seconds, and on clips by the mean of the
            probabilities of their seconds.
        oracle: accuracy on seconds at the epoch that the test rows would have chosen; never ranks.
        parameters: of what the row is about; seconds: by phase; threads: that computed it, where recorded.
    """

    seed: int
    second: Mapping[str, float | None]
    clip: Mapping[str, float | None]
    oracle: float | None = None
    parameters: int | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    threads: int | None = None
    diagnostics: Mapping[str, Any] = field(default_factory=dict)

    def value(self, name: str) -> float | None:
        """A metric by name; `clip_...` for that of whole clips, `oracle`, `parameters`, `seconds/<phase>`."""
        if name.startswith("clip_"):
            return self.clip.get(name.removeprefix("clip_"))
        if name.startswith("seconds/"):
            return self.seconds.get(name.removeprefix("seconds/"))
        if name in ("oracle", "parameters"):
            found = getattr(self, name)
            return None if found is None else float(found)
        return self.second.get(name)


@dataclass(frozen=True)
class Row:
    """All seeds of one row.

    Args:
        name: as in tables; what: in words, how the figures come about.
        selection: which epoch answers: last, validation; "" for rows without epochs.
    """

    name: str
    what: str
    selection: str
    scores: tuple[Score, ...]

    def values(self, name: str) -> list[float]:
        """One metric over the seeds, those without it left out."""
        return [v for score in self.scores if (v := score.value(name)) is not None]

    def mean(self, name: str) -> float | None:
        found = self.values(name)
        return float(np.mean(found)) if found else None

    def deviation(self, name: str) -> float | None:
        """Sample deviation over the seeds; None for fewer than two."""
        found = self.values(name)
        return float(np.std(found, ddof=1)) if len(found) > 1 else None

    def timed_with(self, threads: int | None) -> Row:
        """Without the seconds of scores that another number of threads computed."""
        return replace(
            self,
            scores=tuple(s if s.threads in (threads, None) else replace(s, seconds={}) for s in self.scores),
        )


def clip_means(
    probabilities: NDArray[Any], labels: NDArray[np.int64], clips: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The 10 s protocol. Shapes: (n, C), (n,), (n,) -> (clips, C), (clips,), clips in order of their names."""
    _, first, which = np.unique(clips, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), probabilities.shape[1]))
    np.add.at(sums, which.reshape(-1), probabilities.astype(np.float64))
    return sums / np.bincount(which.reshape(-1))[:, None], labels[first]


def score(
    seed: int, probabilities: NDArray[Any], labels: NDArray[np.int64], clips: NDArray[Any], **more: Any
) -> Score:
    """Judge probabilities of test rows.

    Raises:
        ValueError: they are not finite, or do not fit the labels.
    """
    return Score(
        seed,
        part_metrics(probabilities, labels),
        part_metrics(*clip_means(probabilities, labels, clips)),
        **more,
    )


def ledger_rows(run: Path, clips: NDArray[Any], words: Mapping[str, str], selection: str) -> dict[str, Row]:
    """Rows of a run by the labels of its methods; figures of test rows under one selection.

    Args:
        run: a run folder of `mvgraph.bench`.
        clips: the clip of every node, (N,).
        words: label -> how its figures come about; other labels take their method's name.
    """
    found: dict[str, list[Score]] = {}
    with Ledger(run / "ledger.sqlite") as ledger:
        for record in ledger.records():
            cell = record["cell"]
            answers, truth = ledger.probabilities(cell["id"], selection), ledger.labels(cell["id"])
            if answers is None:
                continue
            found.setdefault(cell["label"], []).append(
                score(
                    cell["seed"],
                    answers["test"],
                    truth["test"],
                    clips[answers["test_rows"]],
                    oracle=_oracle(record),
                    parameters=record["parameters"],
                    seconds=record["seconds"],
                    threads=record["environment"].get("threads"),
                    diagnostics=record["diagnostics"],
                )
            )
    return {
        label: Row(label, words.get(label, label), selection, tuple(sorted(scores, key=lambda s: s.seed)))
        for label, scores in found.items()
    }


def _oracle(record: Mapping[str, Any]) -> float | None:
    """The oracle's accuracy; none for a method whose epochs were not looked at."""
    found = record["metrics"]["oracle"]["test"]
    return None if found["epoch"] is None else float(found["accuracy"])


def long_table(rows: Sequence[tuple[str, Row]], data: str) -> list[dict[str, Any]]:
    """Every figure as a line of its own: table, row, selection, seed, protocol, metric, value, data."""
    lines = []
    for table, row in rows:
        for one in row.scores:
            figures = [("1 s", name, value) for name, value in one.second.items()]
            figures += [("10 s", name, value) for name, value in one.clip.items()]
            figures += [("1 s", "oracle_accuracy", one.oracle), ("", "parameters", one.parameters)]
            figures += [("", f"seconds_{name}", value) for name, value in one.seconds.items()]
            lines += [
                {
                    "table": table,
                    "row": row.name,
                    "selection": row.selection,
                    "seed": one.seed,
                    "protocol": protocol,
                    "metric": name,
                    "value": value,
                    "data": data,
                }
                for protocol, name, value in figures
                if value is not None
            ]
    return lines
