"""TCGA-BRCA: breast cancer subtypes through three omics."""

from __future__ import annotations

from mvgraph.data.sets import omics


class Brca(omics.Omics):
    """769 breast tumours of five PAM50 subtypes through methylation (400), miRNA (100) and RNA (200)."""

    name = "brca"
    title = "TCGA-BRCA (breast cancer, PAM50 subtypes, three omics)"
    source = omics.SOURCE.format("brca")
    licence = omics.LICENCE
    citation = omics.CITATION.format(
        "The Cancer Genome Atlas Network. Comprehensive molecular portraits of human breast tumours. Nature 490, "
        "61-70, 2012."
    )
    notes = (
        *omics.NOTES,
        "The archive numbers the subtypes without naming them; means of ESR1, FOXA1 and FOXC1 suggest 0 luminal A, "
        "1 HER2-enriched, 2 luminal B, 3 basal-like, 4 normal-like.",
        "PAM50 is itself computed from RNA, so that the RNA view is close to the definition of the class.",
        "Classes are unequal (419, 46, 140, 130, 34): read macro figures beside accuracy.",
    )
    n_samples = 769
    n_classes = 5
    view_dims = {"methylation": 400, "mirna": 100, "rna": 200}  # noqa: RUF012
    archive = omics.archive_of(
        "brca",
        methylation="e969912dd9ec26b909bbdec168e1f406ec9795665540921042a26b8dfa3f0118",
        mirna="fceb0f11a5ca4910f92c33d5e3e41d64757a7ed20fe4b38a29a5ad02e4d69982",
        rna="1631ef3ae031055593502df49c689947cf4bf625b0ae2da22731c38c06e7b822",
        target="0e3877686bb5ee0bb820d0913dc33181999e28dac757f4c4018eeb82786cb978",
    )
