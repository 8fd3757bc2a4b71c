"""One epoch of training: a single step on all labelled rows, or one step a mini-batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mvgraph.fusion import NetworkMethod
from mvgraph.graph.propagation import Propagation
from mvgraph.training.distributed import World
from mvgraph.training.options import TrainingOptions
from mvgraph.training.step import Step

#: One epoch: takes its number, returns the mean training log-loss on the device.
Epoch = Callable[[int], Tensor]


def full_batch_epoch(
    model: NetworkMethod,
    everything: Propagation,
    rows: Tensor,
    labels: Tensor,
    optimiser: torch.optim.Optimizer,
    world: World,
) -> Epoch:
    """Every epoch the same step, on the receptive field of the labelled rows.

    Args:
        rows: training rows, ascending.
        labels: (N,).
    """
    mine = world.share(rows)
    if model.tags.full_graph:
        step = Step(model, everything, labels[mine], mine, optimiser, batch_size=rows.numel(), world=world)
    else:
        field = (
            everything.restricted(mine, model.n_layers, joint=model.tags.mixes_views)
            if mine.numel()
            else None
        )
        step = Step(model, field, labels[mine], None, optimiser, batch_size=rows.numel(), world=world)
    return lambda epoch: step()


def mini_batch_epoch(
    model: NetworkMethod,
    everything: Propagation,
    rows: Tensor,
    labels: Tensor,
    optimiser: torch.optim.Optimizer,
    world: World,
    options: TrainingOptions,
    seed: int,
) -> Epoch:
    """Every epoch the training rows in a new order, `options.batch_size` at a time.

    A batch computes its exact receptive field, or with `options.fan_out` a sampled one. Order and draws come
    from (seed, epoch) alone, so an epoch is the same however it was reached.

    Args:
        rows: training rows, ascending.
        labels: (N,).
    """
    assert options.batch_size is not None
    size = options.batch_size

    def epoch_of(epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(rows.numel(), generator=generator).to(rows.device)
        total = torch.zeros((), device=rows.device)
        for start in range(0, rows.numel(), size):
            batch = rows[order[start : start + size]].sort().values
            mine = world.share(batch)
            step = Step(
                model,
                _field(model, everything, mine, options, generator),
                labels[mine],
                mine if model.tags.full_graph else None,
                optimiser,
                batch_size=batch.numel(),
                world=world,
                capture=False,
            )
            total += step() * (batch.numel() / rows.numel())
        return total

    return epoch_of


def _field(
    model: NetworkMethod,
    everything: Propagation,
    rows: Tensor,
    options: TrainingOptions,
    generator: torch.Generator,
) -> Propagation | None:
    if rows.numel() == 0:
        return None
    if model.tags.full_graph:
        return everything
    joint = model.tags.mixes_views
    if options.fan_out is None or model.n_layers == 0:
        return everything.restricted(rows, model.n_layers, joint=joint)
    return everything.sampled(rows, options.fan_out_of(model.n_layers), generator, joint=joint)
