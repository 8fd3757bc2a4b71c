"""Fit one method on one data set and split."""

from mvgraph.training.checkpoint import load as load_checkpoint
from mvgraph.training.checkpoint import save as save_checkpoint
from mvgraph.training.distributed import World, join_world
from mvgraph.training.fit import fit
from mvgraph.training.options import TrainingOptions
from mvgraph.training.result import FitResult, Selection

__all__ = [
    "FitResult",
    "Selection",
    "TrainingOptions",
    "World",
    "fit",
    "join_world",
    "load_checkpoint",
    "save_checkpoint",
]
