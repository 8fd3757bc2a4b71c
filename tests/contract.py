"""Base cases of the contract, and what has no case yet.

A registered method or data set gets two lines in `test_contract.py`:

    class TestMyFusion(MethodContract):
        method = "my-fusion"
"""

from __future__ import annotations

from collections.abc import Iterable

from mvgraph.contract import DataSetContract, MethodContract
from mvgraph.registry import Resolver

__all__ = ["DataSetContract", "MethodContract", "uncovered", "uncovered_controls"]

#: Distributions whose methods and data sets this repository answers for.
OURS = ("mvgraph",)


def uncovered(resolver: Resolver, cases: Iterable[object]) -> list[str]:
    """Registered names of ours that no case names, nor a member of their family (`pyg:GATConv` covers `pyg`).

    Args:
        resolver: methods or data sets.
        cases: what the cases have as `method` or `dataset`.
    """
    texts = {str(case).partition("@")[0] for case in cases}
    families = {text.partition(":")[0] for text in texts}
    ours = [entry.name for entry in resolver if entry.origin in OURS]
    return [name for name in ours if name not in texts | families]


def uncovered_controls(resolver: Resolver, cases: Iterable[object]) -> list[str]:
    """Registered controls of ours under which no case puts any method."""
    used = {str(case).partition("@")[2] for case in cases}
    return [entry.name for entry in resolver if entry.origin in OURS and entry.name not in used]
