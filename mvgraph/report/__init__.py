"""Report: from a ledger to tables, figures and one page.

A pure function of the ledger: the same ledger gives the same bytes of HTML, Markdown and CSV, nothing is trained, and a
half-finished ledger gives a report that says what is still missing.
"""

from mvgraph.report.output import write

__all__ = ["write"]
