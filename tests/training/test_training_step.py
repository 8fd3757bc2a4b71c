"""The step that CUDA can capture: its logic on a CPU with a stand-in, the real thing where there is a GPU."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
import torch

from mvgraph.contract.synthetic import blobs, graph_of, split_of, tensors
from mvgraph.fusion import NetworkMethod, create
from mvgraph.graph.propagation import Propagation
from mvgraph.training.step import WARM_UP_STEPS, Step, make_optimiser


class Counter:
    """A stand-in for `torch.cuda.CUDAGraph`: replaying runs the step again."""

    def __init__(self, run: Callable[[], object]) -> None:
        self.replays = 0
        self._run = run

    def replay(self) -> None:
        self.replays += 1
        self._run()


def a_step(device: str = "cpu", method: str = "dm-gcn") -> tuple[Step, NetworkMethod]:
    data = blobs()
    model = create(method, data, hidden=(6, 4), dropout=0.0).to(device)
    rows = torch.tensor(split_of(data).train).to(device)
    features = {view: x.to(device) for view, x in tensors(data, torch.float32).items()}
    p = Propagation(graph_of(data).to(device), features).restricted(rows, model.n_layers)
    targets = torch.tensor(data.labels).to(device)[rows]
    return Step(model, p, targets, None, make_optimiser(model, 0.01, 1e-3)), model


def losses(step: Step, n: int) -> list[float]:
    return [float(step()) for _ in range(n)]


def test_a_cpu_never_captures() -> None:
    step, _ = a_step()
    found = losses(step, WARM_UP_STEPS + 3)
    assert step._graph is None
    assert found == sorted(found, reverse=True)


def test_warm_up_then_one_capture_then_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture records without running, so the captured step itself is replayed at once: no step is lost."""
    plain, expected_model = a_step()
    expected = losses(plain, 8)
    step, model = a_step()
    step._may_capture = True
    runs: list[str] = []
    made: list[Counter] = []
    recording = False
    honest = step._run

    def run() -> torch.Tensor:
        runs.append("recorded" if recording else "run")
        return torch.zeros(()) if recording else honest()

    def replayed() -> None:
        assert step._loss is not None
        step._loss.copy_(honest())

    @contextlib.contextmanager
    def capture(graph: object) -> Iterator[None]:
        nonlocal recording
        recording = True
        yield
        recording = False

    def new_graph() -> Counter:
        made.append(Counter(replayed))
        return made[-1]

    monkeypatch.setattr(step, "_run", run)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", new_graph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert losses(step, 8) == expected
    assert runs == ["run"] * WARM_UP_STEPS + ["recorded"]
    assert [graph.replays for graph in made] == [8 - WARM_UP_STEPS]
    for a, b in zip(model.parameters(), expected_model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_cannot_be_captured_goes_on_with_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, _ = a_step()
    expected = losses(plain, 8)
    step, _ = a_step()
    step._may_capture = True

    @contextlib.contextmanager
    def refuse(graph: object) -> Iterator[None]:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "graph", refuse)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    with pytest.warns(
        UserWarning, match=r"DMGCN: .* not permitted when stream is capturing\); it runs op by op"
    ) as seen:
        assert losses(step, 8) == expected
    assert len(seen) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("method", ["dm-gcn", "at-gcn", "mean-gcn"])
def test_a_captured_step_gives_the_numbers_of_the_plain_one(method: str) -> None:
    expected = losses(a_step("cpu", method)[0], 12) if method != "at-gcn" else None
    step, _ = a_step("cuda", method)
    plain, _ = a_step("cuda", method)
    plain._may_capture = False
    found, op_by_op = losses(step, 12), losses(plain, 12)
    assert step._graph is not None
    assert plain._graph is None
    assert found == pytest.approx(op_by_op, rel=1e-4)
    if expected is not None:
        assert found == pytest.approx(expected, rel=1e-3)
