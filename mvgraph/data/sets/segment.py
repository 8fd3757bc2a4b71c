"""UCI Image Segmentation: patches of outdoor pictures."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mvgraph.data.fetched import FetchedDataSet
from mvgraph.data.multiview import MultiViewData
from mvgraph.data.source_archive import Archive
from mvgraph.errors import UserError

_TABLE = "river/datasets/segment.csv.zip"
_SHAPE = (
    "region-centroid-col",
    "region-centroid-row",
    "short-line-density-5",
    "short-line-density-2",
    "vedge-mean",
    "vegde-sd",
    "hedge-mean",
    "hedge-sd",
)
_COLOUR = (
    "intensity-mean",
    "rawred-mean",
    "rawblue-mean",
    "rawgreen-mean",
    "exred-mean",
    "exblue-mean",
    "exgreen-mean",
    "value-mean",
    "saturation-mean",
    "hue-mean",
)
#: The class must not be a column of a view, and a constant says nothing.
_DROPPED = ("region-pixel-count", "category")


class Segment(FetchedDataSet):
    """2310 patches of 3 x 3 pixels of seven materials through two views.

    Views: shape (8: place, lines, edges), colour (10: intensity, channels, excess, hue and saturation).
    """

    name = "segment"
    title = "UCI Image Segmentation (outdoor patches)"
    source = (
        "UCI Machine Learning Repository, data set 50, https://archive.ics.uci.edu/dataset/50/image+segmentation; "
        "taken from the PyPI archive river 0.26.1 (BSD-3-Clause), river/datasets/segment.csv.zip"
    )
    licence = "CC BY 4.0"
    citation = (
        "Image Segmentation [Dataset]. UCI Machine Learning Repository, 1990. https://doi.org/10.24432/C5GP4N"
    )
    notes = (
        "region-pixel-count is 9 in every row and is left out.",
        "The patches come from seven pictures that are not told apart in the file, and the shape view holds the place "
        "in the picture: with random splits neighbouring patches lie in training and test parts.",
        "224 rows repeat an earlier row exactly.",
    )
    n_samples = 2310
    n_classes = 7
    view_dims = {"colour": 10, "shape": 8}  # noqa: RUF012
    # Every wheel holds the same file; this one is taken on all machines, whatever their system.
    archive = Archive(
        "river",
        "0.26.1",
        {_TABLE: "91e4402efcb6f6a4087e4bcfcd074976dd8e48819d290f45bae6bd652bd16d75"},
        size=2_738_776,
        tags=(
            *("--platform", "manylinux_2_28_x86_64", "--implementation", "cp"),
            *("--python-version", "311", "--abi", "cp311"),
        ),
    )

    @classmethod
    def convert(cls, files: Mapping[str, Path]) -> MultiViewData:
        with zipfile.ZipFile(files[_TABLE]) as packed, packed.open(packed.namelist()[0]) as file:
            table = pd.read_csv(file)
        strange = set(table.columns) - {*_SHAPE, *_COLOUR, *_DROPPED}
        if strange:
            raise UserError(f"Data set {cls.name!r}: unknown columns {', '.join(sorted(strange))}.")
        views = {"shape": table[list(_SHAPE)], "colour": table[list(_COLOUR)]}
        return MultiViewData.from_arrays(views, table["category"], card=cls.card())
