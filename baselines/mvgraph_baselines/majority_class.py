"""The class frequencies of the training rows, whatever a row looks like."""

from __future__ import annotations

import numpy as np

from mvgraph.data import MultiViewData, Split
from mvgraph.fusion import EstimatorMethod, NewRows, Tags
from mvgraph.graph import MultiViewGraph


class MajorityClass(EstimatorMethod):
    """No view is read: every row gets the share of each class among the training rows.

    Its accuracy is the share of the most frequent class, and its log-loss the entropy of the classes: what does
    not beat both has learned nothing.

    Shapes:
        predict_proba: (N, C).
    """

    name = "majority-class"
    title = "class frequencies of the training rows"
    paper = "the rate without information; scikit-learn's DummyClassifier (strategy prior)"
    tags = Tags(uses_graph=False, transductive=False, inductive=True, informed=False)

    def __init__(self) -> None:
        pass

    def fit(
        self, data: MultiViewData, split: Split, graph: MultiViewGraph | None, seed: int
    ) -> MajorityClass:
        counts = np.bincount(data.labels[split.train], minlength=data.n_classes)
        self.frequencies_ = counts / counts.sum()
        self.n_samples_ = data.n_samples
        return self

    def predict_proba(self) -> np.ndarray:
        return np.tile(self.frequencies_, (self.n_samples_, 1)).astype(np.float32)

    def predict_new(self, rows: NewRows) -> np.ndarray:
        return np.tile(self.frequencies_, (rows.n_rows, 1))

    def parameter_count(self) -> int:
        return len(self.frequencies_)
