"""Data: what was measured of each sample, in views; files, splits, scaling and fingerprints."""

from mvgraph.data.card import Card
from mvgraph.data.convert import convert
from mvgraph.data.dataset import DataSet
from mvgraph.data.fingerprint import Fingerprint
from mvgraph.data.h5mu import read_h5mu
from mvgraph.data.h5mu_write import write_h5mu
from mvgraph.data.importers.options import ImportOptions
from mvgraph.data.lazy import LazyViews
from mvgraph.data.load import load
from mvgraph.data.multiview import MultiViewData
from mvgraph.data.scaling import scale_views
from mvgraph.data.split import Split
from mvgraph.data.splits import (
    group_splits,
    kfold_splits,
    label_rate_splits,
    make_splits,
    official_splits,
)

__all__ = [
    "Card",
    "DataSet",
    "Fingerprint",
    "ImportOptions",
    "LazyViews",
    "MultiViewData",
    "Split",
    "convert",
    "group_splits",
    "kfold_splits",
    "label_rate_splits",
    "load",
    "make_splits",
    "official_splits",
    "read_h5mu",
    "scale_views",
    "write_h5mu",
]
