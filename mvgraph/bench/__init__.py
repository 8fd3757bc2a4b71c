"""Bench: suite file -> plan -> cells -> executor -> ledger.

from mvgraph.bench import run_suite

summary = run_suite("benchmarks/suites/quickstart.yaml")
"""

from mvgraph.bench.exported import export_predictions
from mvgraph.bench.imported import ImportSummary, import_predictions
from mvgraph.bench.ledger import Ledger
from mvgraph.bench.plan import Cell, make_plan
from mvgraph.bench.runner import RunSummary, run_suite
from mvgraph.bench.suite import Suite, load_suite, parse_suite

__all__ = [
    "Cell",
    "ImportSummary",
    "Ledger",
    "RunSummary",
    "Suite",
    "export_predictions",
    "import_predictions",
    "load_suite",
    "make_plan",
    "parse_suite",
    "run_suite",
]
