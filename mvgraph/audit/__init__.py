"""How much of a graph's gain is smoothing over clips, patients or places: figures, scores, one sentence."""

from mvgraph.audit.findings import VARIANTS, Findings, Score
from mvgraph.audit.output import write
from mvgraph.audit.run import audit, gain

__all__ = ["VARIANTS", "Findings", "Score", "audit", "gain", "write"]
