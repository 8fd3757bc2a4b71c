"""TCGA-LGG: lower-grade glioma through three omics."""

from __future__ import annotations

from mvgraph.data.sets import omics


class Lgg(omics.Omics):
    """511 lower-grade gliomas of two classes through methylation (400), miRNA (100) and RNA (200)."""

    name = "lgg"
    title = "TCGA-LGG (lower-grade glioma, three omics)"
    source = omics.SOURCE.format("lgg")
    licence = omics.LICENCE
    citation = omics.CITATION.format(
        "The Cancer Genome Atlas Research Network. Comprehensive, Integrative Genomic Analysis of Diffuse Lower-Grade "
        "Gliomas. New England Journal of Medicine 372, 2481-2498, 2015."
    )
    notes = (
        *omics.NOTES,
        "The archive calls the class 'target' (0 or 1) without saying what it means; patients of class 1 are older "
        "and were irradiated more often.",
        "Classes are unequal (386, 125): read macro figures beside accuracy.",
    )
    n_samples = 511
    n_classes = 2
    view_dims = {"methylation": 400, "mirna": 100, "rna": 200}  # noqa: RUF012
    archive = omics.archive_of(
        "lgg",
        methylation="698dc99b8df4146d94d3d0deef61344f58ea5330efb4d81c4f95bb22d3c4127f",
        mirna="29f15a40fab2dff46cdb6c11461ccbc5a1ac351bdb9050b729a4b20ff935d707",
        rna="63cccaeb1e8b3191d5a05004b2e4375c22439253169ad57213a592e99ce26b27",
        target="9167df967723d587b48b28247c03910ee0e8806f86dfc5ed235f202b560bc5a5",
    )
