"""Tracking: the ledger mirrored into MLflow, for those who like its interface. The ledger stays the truth."""

from mvgraph.tracking.mirror import follow, mirror

__all__ = ["follow", "mirror"]
