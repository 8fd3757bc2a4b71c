"""What an audit found: figures of the graph, scores with and without edges, and the sentence they come down to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from mvgraph.evaluation import paired_test
from mvgraph.report.groups import gain_sentence

#: Graphs that a method is scored on, in words.
VARIANTS: Mapping[str, str] = {
    "whole": "whole graph",
    "no-siblings": "no edges inside a {group}",
    "inductive": "test rows hang on the others",
    "none": "no edges at all",
}


@dataclass(frozen=True)
class Score:
    """Test figures of one method on one graph, one number a seed.

    Args:
        variant: key of `VARIANTS`, or "" for a method that uses no graph.
        averaged_accuracy, averaged_log_loss: of probabilities averaged over the test rows of a group.
    """

    method: str
    variant: str
    accuracy: tuple[float, ...]
    log_loss: tuple[float, ...]
    averaged_accuracy: tuple[float, ...]
    averaged_log_loss: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.accuracy)

    def text(self, what: str = "accuracy", scale: float = 100.0, digits: int = 1) -> str:
        """Mean over seeds, with the deviation where there are several."""
        values = [scale * value for value in getattr(self, what)]
        deviation = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
        return f"{fmean(values):.{digits}f}{deviation}"


@dataclass(frozen=True)
class Findings:
    """The whole audit.

    Args:
        group: the kind of group whose edges were taken away.
        figures: see `mvgraph.graph.audit.graph_figures`.
        settings: k, seeds and the like, JSON values.
    """

    data: str
    title: str
    group: str
    figures: Mapping[str, Any]
    scores: tuple[Score, ...]
    settings: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        """What the graph's difference is made of, for the method whose is largest; one split gives no verdict."""
        return best_gain(self.scores, self.group)

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "scores": [asdict(score) for score in self.scores], "sentence": self.sentence}


def best_gain(scores: tuple[Score, ...], group: str) -> str:
    """The sentence about the method with the largest difference between its whole graph and none."""
    found = {(score.method, score.variant): score.mean for score in scores}
    methods = [score.method for score in scores if score.variant == "whole"]
    if not methods:
        return "No method that uses a graph was scored, so there is nothing to take apart."
    best = max(methods, key=lambda name: found[name, "whole"] - found[name, "none"])
    rivals = [
        (f"{s.method} without a graph" if s.variant else s.method, fmean(s.averaged_accuracy))
        for s in scores
        if s.variant in ("", "none")
    ]
    whole, siblings, inductive, none = (found[best, variant] for variant in VARIANTS)
    # One split, however many seeds: seeds on the same rows tell nothing about other rows.
    test = paired_test([whole - none], [None], [None])
    return gain_sentence(
        group, best, whole, siblings, none, inductive, max(rivals, key=lambda rival: rival[1]), test
    )
