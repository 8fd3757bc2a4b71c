"""One file a figure; each draws the same numbers twice, for paper (PNG) and for the page (plotly)."""

from mvgraph.report.figures.base import Picture

__all__ = ["Picture"]
