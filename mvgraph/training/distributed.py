"""Data-parallel training: every process takes a share of each batch, gradients are added up.

Start it with torchrun, and join before fitting:

    # train.py:  torchrun --nproc-per-node 2 train.py
    from mvgraph.training import join_world
    with join_world():
        result = mv.fit("dm-gcn", data, split, graph)

Every process holds the data and computes only the receptive field of its own rows. Losses and weights are
those of one process with the same global batch (dropout draws differ between processes, so they are equal
up to rounding with dropout 0).
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mvgraph.errors import UserError


@dataclass(frozen=True)
class World:
    """The processes that train together; one process alone is a world of size 1."""

    rank: int = 0
    size: int = 1

    def share(self, rows: Tensor) -> Tensor:
        """Every `size`-th row, from `rank` on; ascending if `rows` is."""
        return rows[self.rank :: self.size].contiguous()

    def add_gradients(self, model: nn.Module) -> None:
        """Replace every gradient by its sum over the processes, in one message."""
        if self.size == 1:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        for parameter, summed in zip(parameters, flat.split([g.numel() for g in gradients]), strict=True):
            parameter.grad = summed.view_as(parameter).clone()

    def total(self, value: Tensor) -> Tensor:
        """The sum of `value` over the processes."""
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value


def current_world() -> World:
    """The world this process has joined, or a world of its own."""
    if dist.is_available() and dist.is_initialized():
        return World(dist.get_rank(), dist.get_world_size())
    return World()


@contextlib.contextmanager
def join_world(device: str = "cpu") -> Iterator[World]:
    """Join the processes that torchrun started: gloo on CPUs, NCCL on GPUs. Alone, nothing happens.

    Args:
        device: "cpu", or "cuda" to give process number i of a machine its GPU number i.

    Raises:
        UserError: CUDA is asked for and not there.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World()
        return
    if device == "cuda":
        if not torch.cuda.is_available():
            raise UserError("join_world(device='cuda'): this torch sees no CUDA device; use device='cpu'.")
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # Its functions take the group of the moment they are imported as their default, and the first optimiser imports
    # them. Imported now, they hold none; later they would keep ours and its threads alive until the interpreter ends,
    # where a thread that still holds a tensor aborts the process.
    importlib.import_module("torch.distributed.nn.functional")
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield current_world()
    finally:
        dist.destroy_process_group()
