"""What each figure is compared with, and the ratio it should reach (at the paper's scale)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A ratio between two figures of the same run.

    Args:
        what: the benchmark group.
        ours, peer: the two participants.
        ratio: bound on the quotient.
        faster: True when `peer / ours` must be at least `ratio`; False when `ours / peer` must be at most it.
    """

    what: str
    ours: str
    peer: str
    ratio: float
    faster: bool


TARGETS = (
    Target("exact kNN", "mvgraph (with exact mu)", "faiss IndexFlatL2.search", 2.0, faster=False),
    Target("dm-gcn epoch", "mvgraph", "PyG GCNConv, sparse CSR", 8.0, faster=True),
    Target("dm-gcn epoch", "mvgraph", "PyG GCNConv, edge_index", 50.0, faster=True),
    Target("at-gcn epoch", "mvgraph", "PyG GCNConv, sparse CSR", 4.0, faster=True),
    Target("gammatonegram of a 10 s clip, one core", "mvgraph", "gammatone 1.0.3", 20.0, faster=True),
)
#: Further bounds: (group, key of extra_info or "seconds", at most, unit).
BOUNDS = (
    ("exact kNN", "extra_peak_mib", 600.0, "MiB beyond the data"),
    ("training loop on mfeat", "overhead", 0.15, "of the bare step"),
    ("whole DM-GCN fit, 500 epochs", "seconds", 180.0, "s"),
    ("convert .npz, float32", "sizes", 1.3, "of the file's 500 MB at the peak"),
    ("load .npz, float32", "sizes", 1.3, "of the file's 500 MB at the peak"),
    ("data show .npz, float32", "seconds", 3.0, "s"),
    ("graph of one view from the cache", "verifying", 0.05, "of building it, for comparing the sums"),
    ("search of 12 trials", "share", 0.05, "of the time beside its fits"),
    ("MLflow mirror of 150 short cells", "ms_a_cell", 10.0, "ms a cell"),
)
