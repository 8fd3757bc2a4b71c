"""TCGA-KIPAN: kidney cancers through three omics."""

from __future__ import annotations

from mvgraph.data.sets import omics


class Kipan(omics.Omics):
    """633 kidney tumours of two classes through methylation (400), miRNA (100) and RNA (200)."""

    name = "kipan"
    title = "TCGA-KIPAN (kidney cancers, three omics)"
    source = omics.SOURCE.format("kipan")
    licence = omics.LICENCE
    citation = omics.CITATION.format(
        "C. J. Ricketts et al. The Cancer Genome Atlas Comprehensive Molecular Characterization of Renal Cell "
        "Carcinoma. Cell Reports 23(1), 313-326, 2018."
    )
    notes = (
        *omics.NOTES,
        "The archive calls the class 'target' (0 or 1) without saying what it means; it does not follow the "
        "histological type, which is mixed in both classes.",
        "Classes are unequal (417, 216): read macro figures beside accuracy.",
    )
    n_samples = 633
    n_classes = 2
    view_dims = {"methylation": 400, "mirna": 100, "rna": 200}  # noqa: RUF012
    archive = omics.archive_of(
        "kipan",
        methylation="702b61232b1b764aa3cde004fa90157c8bc27f017c005c66e8ba02806a1e573d",
        mirna="f47d286b0deaf2c0da11774a1aa5020b3417089094778c904153e79f223d4288",
        rna="bc777679ac721763e47b4d93a365cb458b45082dc32d03dff88e7e199004b8b4",
        target="c4df05d34d71d5f2d973a8f8d42a5bf587147ea77a0c9034c3bf5ba714c271a0",
    )
