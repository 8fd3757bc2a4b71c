"""Serving: a fitted method in the hands of others, with scikit-learn's manners."""

from mvgraph.serving.classifier import MultiViewClassifier
from mvgraph.serving.inputs import join_views

__all__ = ["MultiViewClassifier", "join_views"]
