"""The contract: what every registered method and data set has to keep, ours and everybody else's.

    for result in check_method("dm-gcn"):
        print(result)

Capability tags decide which checks a method gets. Needs nothing but the core dependencies.
"""

from mvgraph.contract.datasets import DATASET_CHECKS, check_dataset
from mvgraph.contract.methods import METHOD_CHECKS, check_method
from mvgraph.contract.result import Check, CheckFailed, CheckResult
from mvgraph.contract.testing import DataSetContract, MethodContract

__all__ = [
    "DATASET_CHECKS",
    "METHOD_CHECKS",
    "Check",
    "CheckFailed",
    "CheckResult",
    "DataSetContract",
    "MethodContract",
    "check_dataset",
    "check_method",
]
