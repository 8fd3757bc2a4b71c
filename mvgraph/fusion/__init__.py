"""Fusion methods, one file each, and what they are made of."""

from mvgraph.fusion.base import EstimatorMethod, Method, NetworkMethod, NewRows, Tags
from mvgraph.fusion.create import check_options, create
from mvgraph.fusion.search import Choice, Distribution, Float, Int

__all__ = [
    "Choice",
    "Distribution",
    "EstimatorMethod",
    "Float",
    "Int",
    "Method",
    "NetworkMethod",
    "NewRows",
    "Tags",
    "check_options",
    "create",
]
