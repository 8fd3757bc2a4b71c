"""Every registered method and data set keeps the contract; and the contract notices who does not."""

from __future__ import annotations

import json
import re
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contract import DataSetContract, MethodContract, uncovered, uncovered_controls

from mvgraph.contract import DATASET_CHECKS, METHOD_CHECKS, check_dataset, check_method
from mvgraph.contract.memory import peak_bytes
from mvgraph.contract.synthetic import relabelled
from mvgraph.data import MultiViewData
from mvgraph.data.sets.mfeat import Mfeat
from mvgraph.errors import UserError
from mvgraph.fusion import EstimatorMethod, Float, NetworkMethod, Tags
from mvgraph.registry import Resolver, controls, datasets, methods


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# -- methods ------------------------------------------------------------------------------------


class TestSingleGCN(MethodContract):
    method = "single-gcn"


class TestMeanGCN(MethodContract):
    method = "mean-gcn"


class TestDMGCN(MethodContract):
    method = "dm-gcn"


class TestATGCN(MethodContract):
    method = "at-gcn"


class TestGATConv(MethodContract):
    method = "pyg:GATConv"


class TestGCNConv(MethodContract):
    method = "pyg:GCNConv"


class TestSAGEConv(MethodContract):
    method = "pyg:SAGEConv"


class TestConcatMLP(MethodContract):
    method = "concat-mlp"


class TestConcatLogisticRegression(MethodContract):
    method = "concat-logreg"


class TestLateFusion(MethodContract):
    method = "late-fusion"


class TestBestView(MethodContract):
    method = "best-view"


class TestLabelSpreading(MethodContract):
    method = "label-spreading"


class TestSimilarityNetworkFusion(MethodContract):
    method = "snf"


class TestLateMLP(MethodContract):
    method = "mlp-late"


class TestHistGradientBoosting(MethodContract):
    method = "hist-gradient-boosting"


class TestConcatNearestNeighbours(MethodContract):
    method = "knn-concat"


class TestGeneralisedCCA(MethodContract):
    method = "gcca"


class TestSIGN(MethodContract):
    method = "sign"


class TestConcatSVM(MethodContract):
    method = "concat-svm"


class TestAverageKernelSVM(MethodContract):
    method = "average-kernel-svm"


class TestExtraTrees(MethodContract):
    method = "extra-trees"


class TestStacking(MethodContract):
    method = "stacking"


class TestMajorityClass(MethodContract):
    method = "majority-class"


class TestIdentityControl(MethodContract):
    method = "dm-gcn@identity"


class TestShuffledControl(MethodContract):
    method = "at-gcn@shuffled"


class TestNoSiblingsControl(MethodContract):
    method = "mean-gcn@no-siblings"


class TestInductiveControl(MethodContract):
    method = "dm-gcn@inductive"


class TestControlledEstimator(MethodContract):
    method = "label-spreading@shuffled"


# -- data sets ----------------------------------------------------------------------------------


class TestMfeat(DataSetContract):
    dataset = "mfeat"


class TestSimulatedTau(DataSetContract):
    dataset = "avsc-simulated"


class TestTauAvsc(DataSetContract):
    dataset = "tau-avsc"


class TestBrca(DataSetContract):
    dataset = "brca"


class TestFlavia(DataSetContract):
    dataset = "flavia"


class TestHtad(DataSetContract):
    dataset = "htad"


class TestKipan(DataSetContract):
    dataset = "kipan"


class TestLgg(DataSetContract):
    dataset = "lgg"


class TestMnistHog(DataSetContract):
    dataset = "mnist-hog"


class TestSegment(DataSetContract):
    dataset = "segment"


# -- nobody is left out -------------------------------------------------------------------------


def _methods_with_a_case() -> list[object]:
    return [case.method for case in MethodContract.__subclasses__()]


def test_every_registered_method_has_a_case() -> None:
    assert uncovered(methods, _methods_with_a_case()) == []


def test_every_registered_data_set_has_a_case() -> None:
    assert uncovered(datasets, [case.dataset for case in DataSetContract.__subclasses__()]) == []


def test_every_registered_control_has_a_case() -> None:
    assert uncovered_controls(controls, _methods_with_a_case()) == []


def test_a_method_without_a_case_is_noticed() -> None:
    more = Resolver("method", "mvgraph.methods", {**methods.builtin, "brand-new": "somewhere:BrandNew"})
    assert "brand-new" in uncovered(more, _methods_with_a_case())
    assert uncovered_controls(Resolver("control", "none", {"noisy": "somewhere:noisy"}), ["a@shuffled"]) == [
        "noisy"
    ]


# -- the contract notices -----------------------------------------------------------------------


class Sound(NetworkMethod):
    """A method that keeps the contract.

    Shapes:
        forward: logits (rows, C).
    """

    name = "sound"
    title = "sound"
    paper = "none"
    tags = Tags(uses_graph=True)

    def __init__(self, view_dims: dict[str, int], n_classes: int, *, scale: float = 1.0) -> None:
        super().__init__(view_dims, n_classes)
        self.scale = scale
        self.weight = torch.nn.Parameter(torch.randn(sum(self.view_dims.values()), n_classes))

    @property
    def n_layers(self) -> int:
        return 1

    def forward(self, p: Any) -> torch.Tensor:
        share = self.weight.new_full((len(p.view_names),), 1.0 / len(p.view_names))
        return self.scale * p.mixture(1, share, p.concatenated(), self.weight)


def failures(cls: type) -> dict[str, str]:
    return {result.name: result.reason for result in check_method(cls) if not result.passed}


def test_a_sound_method_passes_every_check_that_applies() -> None:
    results = check_method(Sound)
    assert [result.name for result in results] == [check.name for check in METHOD_CHECKS]
    assert failures(Sound) == {}


class NoShapes(Sound):
    """Says nothing about its arrays."""

    title = ""


class Forgetful(Sound):
    __doc__ = Sound.__doc__

    def __init__(self, view_dims: dict[str, int], n_classes: int, *, scale: float = 2.0) -> None:
        super().__init__(view_dims, n_classes)
        self.scale = np.float32(scale)  # type: ignore[assignment]


class SwallowsOptions(Sound):
    __doc__ = Sound.__doc__

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        return {"scale": 1.0, "no_such_option": None}

    def __init__(self, view_dims: dict[str, int], n_classes: int, **options: Any) -> None:
        super().__init__(view_dims, n_classes)
        self.no_such_option = None


class WrongSpace(Sound):
    __doc__ = Sound.__doc__

    @classmethod
    def search_space(cls) -> dict[str, Any]:
        return {"depth": Float(0.0, 1.0)}


class BadRange(Sound):
    __doc__ = Sound.__doc__

    @classmethod
    def search_space(cls) -> dict[str, Any]:
        return {"scale": Float(0.0, 1.0, log=True)}


class DeadParameter(Sound):
    __doc__ = Sound.__doc__

    def __init__(self, view_dims: dict[str, int], n_classes: int, *, scale: float = 1.0) -> None:
        super().__init__(view_dims, n_classes, scale=scale)
        self.unused = torch.nn.Parameter(torch.zeros(3))


class TwoViewsOnly(Sound):
    __doc__ = Sound.__doc__

    def forward(self, p: Any) -> torch.Tensor:
        if len(p.view_names) > 2:
            raise IndexError("view 2 of 2")
        return super().forward(p)


class GlobalRandom(Sound):
    __doc__ = Sound.__doc__

    def prepare(self, graph: Any) -> Any:
        np.random.rand()  # noqa: NPY002
        return graph


class Unseeded(Sound):
    __doc__ = Sound.__doc__

    def __init__(self, view_dims: dict[str, int], n_classes: int, *, scale: float = 1.0) -> None:
        super().__init__(view_dims, n_classes, scale=scale)
        noise = np.random.default_rng().standard_normal(tuple(self.weight.shape))
        self.weight.data = torch.tensor(noise, dtype=torch.float32)


class DeeperThanSaid(Sound):
    __doc__ = Sound.__doc__

    def forward(self, p: Any) -> torch.Tensor:
        csr = p.graph.laplacian(p.view_names[0]).to_torch()
        everything = csr @ (csr @ (csr @ p.concatenated().value)) @ self.weight
        rows = p.rows(1)
        return everything if rows is None else 0.5 * everything[rows]


class NodeNumbers(Sound):
    __doc__ = Sound.__doc__

    def forward(self, p: Any) -> torch.Tensor:
        rows = p.rows(1)
        rows = torch.arange(p.graph.n_nodes) if rows is None else rows
        return super().forward(p) * (1.0 + 0.1 * rows.to(self.weight.dtype).unsqueeze(1))


class UnsortedViews(Sound):
    __doc__ = Sound.__doc__

    def __init__(self, view_dims: dict[str, int], n_classes: int, *, scale: float = 1.0) -> None:
        super().__init__(view_dims, n_classes, scale=scale)
        first = list(view_dims.values())[0]  # noqa: RUF015 - the mistake on purpose
        self.weight.data *= first


class CountsWeights(Sound):
    __doc__ = Sound.__doc__

    def parameter_count(self) -> int:
        return super().parameter_count() + int(1000 * self.weight.detach().abs().sum())


class NotInState(Sound):
    __doc__ = Sound.__doc__

    def __init__(self, view_dims: dict[str, int], n_classes: int, *, scale: float = 1.0) -> None:
        super().__init__(view_dims, n_classes, scale=scale)
        self.bias = 0.0

    def forward(self, p: Any) -> torch.Tensor:
        if self.training:
            self.bias += 1.0
        return super().forward(p) + torch.linspace(0, self.bias, self.n_classes, dtype=self.weight.dtype)


class AllPairs(Sound):
    __doc__ = Sound.__doc__

    def forward(self, p: Any) -> torch.Tensor:
        x = p.concatenated().value
        assert (x @ x.T).shape[0] == len(x)
        return super().forward(p)


class NoGraph(Sound):
    __doc__ = Sound.__doc__
    tags = Tags(uses_graph=False)


class SaysItKnowsNothing(Sound):
    __doc__ = Sound.__doc__
    tags = Tags(informed=False)


class BadEstimator(EstimatorMethod):
    """Reads what it must not and answers what it should not.

    Shapes:
        predict_proba: (N, C).
    """

    name = "bad-estimator"
    title = "bad"
    paper = "none"
    tags = Tags(uses_graph=False, missing_views=False)

    def __init__(self, *, weight: float = 1.0) -> None:
        self.weight = weight

    def fit(self, data: MultiViewData, split: Any, graph: Any, seed: int) -> BadEstimator:
        self._answer = np.eye(data.n_classes, dtype=np.float32)[np.maximum(data.labels, 0)] * 0.9
        x = data.views[data.view_names[0]]
        assert (x @ x.T).shape[0] == data.n_samples
        return self

    def predict_proba(self) -> np.ndarray:
        return self._answer

    def parameter_count(self) -> int:
        return -1

    def diagnostics(self) -> dict[str, Any]:
        return {"theta": [{"a": 0.5}]}


@pytest.mark.parametrize(
    ("cls", "check", "says"),
    [
        (NoShapes, "metadata", "give the method its title"),
        (Forgetful, "options", "cannot be written as JSON"),
        (SwallowsOptions, "unknown-option", "accepted in silence"),
        (WrongSpace, "search-space", "'depth', which is no option"),
        (BadRange, "search-space", "must start above 0"),
        (DeadParameter, "gradients", "no gradient reaches the parameter 'unused'"),
        (TwoViewsOnly, "shapes", "IndexError.*view 2 of 2"),
        (GlobalRandom, "global-generators", "random generator of numpy"),
        (Unseeded, "same-seed", "draw every random number from the seed"),
        (DeeperThanSaid, "receptive-field", "say so in n_layers"),
        (NodeNumbers, "sample-order", "renumbering the samples"),
        (UnsortedViews, "view-order", "view_dims in reverse order"),
        (CountsWeights, "parameter-count", "seeds 0 and 1 give"),
        (NotInState, "save-load", "after loading differ"),
        (AllPairs, "memory", "bytes per pair of samples"),
        (NoGraph, "graph-tag", "tagged uses_graph=False"),
        (SaysItKnowsNothing, "learns", "tagged informed=False, but does not answer all rows alike"),
        (BadEstimator, "probabilities", "sum to 0.9"),
        (BadEstimator, "test-labels", "reads labels of test rows"),
        (BadEstimator, "unlabelled-rows", "no part of the split"),
        (BadEstimator, "parameter-count", "at least 0"),
        (BadEstimator, "missing-views", "in silence"),
        (BadEstimator, "diagnostics", "theta of layer 1 sums to 0.5"),
        (BadEstimator, "memory", "bytes per pair of samples"),
    ],
)
def test_a_broken_promise_is_noticed_and_named(cls: type, check: str, says: str) -> None:
    (result,) = check_method(cls, only=[check])
    assert not result.passed
    assert result.seconds > 0
    assert result.name == check
    assert re.search(says, result.reason), result.reason
    assert "\n" not in result.reason


def test_what_is_no_method_and_no_check_is_refused() -> None:
    with pytest.raises(UserError, match="neither a NetworkMethod nor an EstimatorMethod"):
        check_method(dict)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="Unknown method 'dm-gnc'; did you mean"):
        check_method("dm-gnc")
    with pytest.raises(UserError, match="no check 'shape'; there are metadata"):
        check_method(Sound, only=["shape"])


def test_peak_bytes_counts_tensors_and_arrays_that_live_together() -> None:
    def together() -> None:
        tensor, array = torch.zeros(1000, 1000), np.zeros((1000, 1000))
        assert tensor.shape == array.shape

    def in_turn() -> None:
        for _ in range(5):
            torch.zeros(1000, 1000)

    assert 12e6 <= peak_bytes(together) < 12.5e6
    assert 4e6 <= peak_bytes(in_turn) < 4.5e6


# -- data sets that break it --------------------------------------------------------------------


class Changing(Mfeat):
    """Reads something else each time, under another name."""

    name = "changing"
    licence = ""
    calls = 0

    @classmethod
    def read(cls) -> MultiViewData:
        cls.calls += 1
        data = Mfeat.read()
        return relabelled(data, np.roll(data.labels, cls.calls))


def test_a_broken_data_set_is_noticed_and_named() -> None:
    reasons = {result.name: result.reason for result in check_dataset(Changing) if not result.passed}
    assert set(reasons) == {"listing", "card", "fingerprint"}
    assert "Changing.card() has no licence" in reasons["listing"]
    assert "the name on the card of the data" in reasons["card"]
    assert "two loads have different fingerprints" in reasons["fingerprint"]


def test_a_data_set_that_is_not_at_hand_is_skipped_but_for_its_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Far(Mfeat):
        """On another continent."""

        name = "far"
        fetches = True

        @classmethod
        def read(cls) -> MultiViewData:
            raise AssertionError("nothing may be fetched")

        @classmethod
        def converted_path(cls) -> Path:
            return tmp_path / "far.h5mu"

    class Case(DataSetContract):
        dataset = Far

    monkeypatch.delenv("MVGRAPH_TEST_FETCH", raising=False)
    for check in DATASET_CHECKS:
        if check.name == "listing":
            Case().test_contract(check)
        else:
            with pytest.raises(unittest.SkipTest, match="not at hand; MVGRAPH_TEST_FETCH=1"):
                Case().test_contract(check)


def test_what_is_no_data_set_is_refused() -> None:
    with pytest.raises(UserError, match="not a class derived from"):
        check_dataset(dict)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="Unknown data set 'mfaet'; did you mean mfeat"):
        check_dataset("mfaet")


def test_results_read_well() -> None:
    results = check_method("dm-gcn", only=["metadata", "options"])
    assert [str(result) for result in results] == ["ok    metadata", "ok    options"]
    assert json.dumps([result.__dict__ for result in results])
    (failed,) = check_method(WrongSpace, only=["search-space"])
    assert str(failed).startswith("FAIL  search-space: search_space() has 'depth'")
