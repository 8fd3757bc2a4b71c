"""HTAD: tasks at home, heard and felt at the wrist."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mvgraph.data.fetched import FetchedDataSet
from mvgraph.data.multiview import MultiViewData
from mvgraph.data.source_archive import Archive

_TABLE = "multiviewstacking/data/htad.csv"


class Htad(FetchedDataSet):
    """1386 windows of seven home tasks through two views.

    Views: audio (36 summaries of 12 mel-frequency cepstral coefficients), acceleration (16 summaries of a wrist
    accelerometer).
    """

    name = "htad"
    title = "HTAD (home tasks: audio and wrist acceleration)"
    source = "PyPI archive multiviewstacking 0.7.5 (MIT), multiviewstacking/data/htad.csv"
    licence = (
        "free for research and education; other use needs written permission of the authors; cite the article"
    )
    citation = (
        "E. Garcia-Ceja, V. Thambawita, S. A. Hicks, D. Jha, P. Jakobsen, H. L. Hammer, P. Halvorsen and "
        "M. A. Riegler. HTAD: A Home-Tasks Activities Dataset with Wrist-Accelerometer and Audio Features. "
        "MultiMedia Modeling (MMM), 2021. https://doi.org/10.1007/978-3-030-67835-7_17"
    )
    notes = (
        "The file has no subject id, so that splits by person cannot be made; with random splits one person is in "
        "all parts, which flatters every method.",
        "Rows come in 22 runs of one task each: never split by position.",
    )
    n_samples = 1386
    n_classes = 7
    view_dims = {"acceleration": 16, "audio": 36}  # noqa: RUF012
    archive = Archive(
        "multiviewstacking",
        "0.7.5",
        {_TABLE: "eedeef7290720759a6e4851c18eb6bc93cfc839f563098d5f1588a4e3dc47bce"},
        size=429_343,
    )

    @classmethod
    def convert(cls, files: Mapping[str, Path]) -> MultiViewData:
        table = pd.read_csv(files[_TABLE])
        views = {
            view: table.loc[:, table.columns.str.startswith(mark)]
            for view, mark in (("audio", "v1_"), ("acceleration", "v2_"))
        }
        return MultiViewData.from_arrays(views, table["class"], card=cls.card())
