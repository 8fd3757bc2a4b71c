"""The leaderboard as plain lines, for those who show it elsewhere (MLflow, a script)."""

from __future__ import annotations

from typing import Any

from mvgraph.report.snapshot import from_ledger
from mvgraph.report.tables import leaderboard, settings


def leaderboard_lines(ledger: Any) -> list[dict[str, Any]]:
    """One line a method and setting, in the order of the leaderboard; figures as shares, not per cent.

    Args:
        ledger: an open `mvgraph.bench.Ledger`.
    Returns:
        Lines with equal keys; None where there is no figure.
    """
    snapshot = from_ledger(ledger)
    return [
        {
            "setting": setting.title,
            "protocol": setting.protocol,
            "rank": row.rank,
            "method": row.label,
            "accuracy": row.accuracy.mean,
            "split_deviation": row.accuracy.split,
            "init_deviation": row.accuracy.init,
            **{name: row.metrics.get(name) for name in ("macro_f1", "log_loss", "brier", "ece")},
            "gap": row.gap.mean if row.gap else None,
            "parameters": row.parameters,
            "training_seconds": row.seconds["training"],
            "cells": f"{row.done}/{row.planned}",
        }
        for setting in settings(snapshot)
        for row in leaderboard(setting, snapshot.selection)
    ]
