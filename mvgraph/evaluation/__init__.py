"""Statistical rules: pure functions of stored scores. Nothing here reads a file, draws or trains."""

from mvgraph.evaluation.majority import majority_metrics
from mvgraph.evaluation.paired import LEAST_SPLITS, LEVEL, RULE, PairedTest, paired_test

__all__ = ["LEAST_SPLITS", "LEVEL", "RULE", "PairedTest", "majority_metrics", "paired_test"]
