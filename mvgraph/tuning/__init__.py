"""Tuning: search a method's settings, the graph's among them, on training and validation rows alone.

from mvgraph.tuning import tune

summary = tune("dm-gcn", "mfeat", trials=50, rate=0.1)
"""

from mvgraph.tuning.record import StudyRecord, TrialRecord, read_record
from mvgraph.tuning.space import Settings, Space
from mvgraph.tuning.study import tune
from mvgraph.tuning.summary import TuneSummary

__all__ = ["Settings", "Space", "StudyRecord", "TrialRecord", "TuneSummary", "read_record", "tune"]
