"""One optimisation step: run op by op, or captured once as a CUDA graph and replayed."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from mvgraph.fusion import NetworkMethod
from mvgraph.graph.propagation import Propagation
from mvgraph.training.distributed import World

#: Steps run op by op before a capture: allocators, cuSPARSE handles and Adam's state settle in them.
WARM_UP_STEPS = 3


class Step:
    """Forward, loss, backward and Adam on the training rows of one batch.

    On a CUDA device the launches of some forty small kernels cost more than the kernels, so after a few
    steps the whole step is captured and replayed; nothing in it waits for the host. A method whose forward
    cannot be captured goes on op by op, with a warning.

    Args:
        model: on the device, in training mode when called.
        propagation: whose last level holds the training rows, or all rows together with `rows`.
        targets: classes of this process's training rows, (R,).
        rows: positions of the training rows in the output; None when the output holds just them.
        optimiser: with `capturable=True` on CUDA.
        batch_size: rows of the batch over all processes; the loss is their mean.
        world: the processes that share the batch.
        capture: whether the step will be repeated as it is, so that a capture pays.
    """

    def __init__(
        self,
        model: NetworkMethod,
        propagation: Propagation | None,
        targets: Tensor,
        rows: Tensor | None,
        optimiser: torch.optim.Optimizer,
        *,
        batch_size: int | None = None,
        world: World | None = None,
        capture: bool = True,
    ) -> None:
        self.model, self.propagation, self.targets = model, propagation, targets
        self.rows, self.optimiser = rows, optimiser
        self.batch_size = batch_size or targets.numel()
        self.world = world or World()
        self._done = 0
        self._may_capture = capture and targets.device.type == "cuda" and self.world.size == 1
        self._graph: torch.cuda.CUDAGraph | None = None
        self._loss: Tensor | None = None

    def __call__(self) -> Tensor:
        """Take one step; the loss stays on the device."""
        if self._graph is not None and self._loss is not None:
            self._graph.replay()
            return self._loss
        if self._may_capture and self._done == WARM_UP_STEPS:
            return self._capture()
        self._done += 1
        return self._run()

    def _run(self) -> Tensor:
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._backward()
        self.world.add_gradients(self.model)
        self.optimiser.step()
        return self.world.total(loss)

    def _backward(self) -> Tensor:
        if self.propagation is None:
            # A process can be left without rows by a small last batch; it still takes part in the sum.
            return torch.zeros((), device=self.targets.device)
        logits = self.model(self.propagation)
        if self.rows is not None:
            logits = logits.index_select(0, self.rows)
        loss = torch.nn.functional.cross_entropy(logits, self.targets, reduction="sum") / self.batch_size
        loss.backward()
        return loss.detach()

    def _capture(self) -> Tensor:
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        try:
            with torch.cuda.graph(graph):
                self._loss = self._run()
        except RuntimeError as error:
            self._may_capture = False
            warnings.warn(
                f"{type(self.model).__name__}: the training step cannot be captured as a CUDA graph "
                f"({str(error).splitlines()[0]}); it runs op by op.",
                stacklevel=3,
            )
            return self._run()
        self._graph = graph
        graph.replay()
        return self._loss


def make_optimiser(model: NetworkMethod, lr: float, weight_decay: float) -> torch.optim.Adam:
    """Adam as published, its update one fused kernel; on CUDA fit for capture."""
    on_cuda = next(model.parameters()).device.type == "cuda"
    groups = model.parameter_groups(weight_decay)
    return torch.optim.Adam(groups, lr=lr, fused=True, capturable=on_cuda)
