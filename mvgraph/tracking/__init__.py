"""Tracking: the ledger mirrored into MLflow, for those who like its interface. The ledger stays the truth."""

from mvgraph.tracking.mirror import mirror

__all__ = ["mirror"]
