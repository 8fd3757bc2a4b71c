"""Methods with habits: they fail, kill or wait on certain calls, told by files in the working folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.fusion import Distribution, EstimatorMethod, Float, Tags
from mvgraph.graph import MultiViewGraph


class Nearest(EstimatorMethod):
    """Softmax of negative distances to the class means, at a temperature that is worth searching."""

    name = "nearest"
    title = "nearest mean"
    paper = "a test"
    tags = Tags(uses_graph=False, transductive=False, inductive=True)

    def __init__(self, *, temperature: float = 1.0) -> None:
        self.temperature = temperature

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> Nearest:
        x = np.concatenate([data.views[v] for v in data.view_names], axis=1)
        rows = split.train
        means = np.stack([x[rows[data.labels[rows] == c]].mean(0) for c in range(data.n_classes)])
        scores = -((x[:, None] - means) ** 2).sum(2) / self.temperature
        scores = np.exp(scores - scores.max(1, keepdims=True))
        self.p = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
        return self

    def predict_proba(self) -> np.ndarray:
        return self.p

    def parameter_count(self) -> int:
        return 1

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {"temperature": Float(0.1, 100.0, log=True)}


class Stuck(Nearest):
    """Waits for ever in fit number $STUCK_AT, which it tells by a file called `stuck`."""

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> Nearest:
        count = Path("fits")
        done = int(count.read_text()) if count.exists() else 0
        count.write_text(str(done + 1))
        if done == int(os.environ.get("STUCK_AT", "-1")):
            Path("stuck").write_text("here")
            time.sleep(600)
        return super().fit(data, split, graph, seed)


class Moody(Nearest):
    """Fails whenever the temperature is above 3."""

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> Nearest:
        if self.temperature > 3:
            raise ArithmeticError(f"too hot: {self.temperature:.1f}")
        return super().fit(data, split, graph, seed)


class Hopeless(Nearest):
    """Always fails."""

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> Nearest:
        raise MemoryError("never enough")


class Interrupted(Nearest):
    """Is broken off by Ctrl-C in fit number 4, once."""

    calls = 0

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> Nearest:
        Interrupted.calls += 1
        if Interrupted.calls == 4:
            raise KeyboardInterrupt
        return super().fit(data, split, graph, seed)


class Slow(Nearest):
    """Takes its time, so that others can work beside it."""

    def fit(self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int) -> Nearest:
        time.sleep(0.4)
        return super().fit(data, split, graph, seed)
