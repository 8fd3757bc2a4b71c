"""Test cases of two lines, for our methods and data sets and for everybody's.

    from mvgraph.contract import MethodContract

    class TestMyFusion(MethodContract):
        method = "my_module:MyFusion"

pytest then shows one test per check. Nothing here imports pytest: it finds the hook by its name, and takes
unittest's word for a skipped test.
"""

from __future__ import annotations

import os
import unittest
from functools import lru_cache
from typing import Any, ClassVar

from mvgraph.contract.case import MethodCase
from mvgraph.contract.datasets import DATASET_CHECKS, WITHOUT_DATA, DataSetCase
from mvgraph.contract.methods import METHOD_CHECKS
from mvgraph.contract.result import Check
from mvgraph.data.dataset import DataSet
from mvgraph.fusion import Method

#: Set to fetch data sets that are not in the cache, in tests.
FETCH = "MVGRAPH_TEST_FETCH"


class MethodContract:
    """One test per check that the tags of `method` ask for."""

    #: Registered name, `family:argument`, `name@control`, `module:Class`, or a class.
    method: ClassVar[str | type[Method]]

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Called by pytest: one test per check."""
        case = MethodCase(self.method)
        _parametrise(metafunc, [check for check in METHOD_CHECKS if check.applies(case)])

    def test_contract(self, check: Check[MethodCase]) -> None:
        """Fails with the reason of the check."""
        result = check(MethodCase(self.method))
        assert result.passed, f"{self.method} - {result.name}: {result.reason}"


class DataSetContract:
    """One test per check of a data set, which is read once for all of them.

    A data set that would have to be fetched is left alone, but for what it declares, unless the environment
    variable MVGRAPH_TEST_FETCH is set.
    """

    #: Registered name, `module:Class`, or a class.
    dataset: ClassVar[str | type[DataSet]]

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Called by pytest: one test per check."""
        _parametrise(metafunc, list(DATASET_CHECKS))

    def test_contract(self, check: Check[DataSetCase]) -> None:
        """Fails with the reason of the check."""
        case = _case_of(self.dataset)
        if not (check.name in WITHOUT_DATA or case.at_hand or (case.cls.fetches and os.environ.get(FETCH))):
            how = f"{FETCH}=1 fetches it" if case.cls.fetches else "its notes say where it comes from"
            raise unittest.SkipTest(f"{self.dataset} is not at hand; {how}")
        result = check(case)
        assert result.passed, f"{self.dataset} - {result.name}: {result.reason}"


@lru_cache(maxsize=1)
def _case_of(source: str | type[DataSet]) -> DataSetCase:
    return DataSetCase(source)


def _parametrise(metafunc: Any, checks: list[Any]) -> None:
    if "check" in metafunc.fixturenames:
        metafunc.parametrize("check", checks, ids=[check.name for check in checks])
