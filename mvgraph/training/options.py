"""How a network is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mvgraph.errors import UserError
from mvgraph.graph.precision import PRECISIONS

#: Nodes from which a hidden layer outgrows the caches, so that the order of nodes is felt.
REORDER_FROM = 20_000


@dataclass(frozen=True)
class TrainingOptions:
    """Full-batch Adam as published (Section 3.2).

    Args:
        lr: learning rate.
        weight_decay: L2 term in the gradient, as Adam had it in 2014; view-weight logits are exempt by default.
        epochs: number of epochs; a fixed schedule is the default, because early stopping on the 7 to 40
            validation rows of a small label rate is itself noise.
        early_stopping: None, or the number of epochs without a lower validation log-loss after which to stop.
        evaluate_every: epochs between two evaluations on all rows; the last epoch is always evaluated.
        device: "cpu", "cuda", "cuda:1".
        batch_size: None for full batches as published, or the number of training rows a step.
        fan_out: with batches, neighbours that a row reads at most in each view and layer: one number, or one
            per layer; None computes the exact receptive field of a batch.
        precision: of the dense products: "float32", "tf32" or "bfloat16" (see `mvgraph.graph.precision`); the
            lower ones report their error in the diagnostics.
        reorder: number the nodes so that neighbours lie close in memory; the results stay in the data's order.
            "auto" does so for full batches on a CPU from 20,000 nodes on, where it pays within a few epochs.

    Raises:
        UserError: a value outside its range.
    """

    lr: float = 5e-4
    weight_decay: float = 1e-4
    epochs: int = 500
    early_stopping: int | None = None
    evaluate_every: int = 10
    device: str = "cpu"
    batch_size: int | None = None
    fan_out: int | tuple[int, ...] | None = None
    precision: str = "float32"
    reorder: bool | str = "auto"

    def __post_init__(self) -> None:
        self._check_types()
        if not self.lr > 0:
            raise UserError(f"training.lr={self.lr}: give a positive learning rate, e.g. 5e-4.")
        if not self.weight_decay >= 0:
            raise UserError(f"training.weight_decay={self.weight_decay}: give 0 or more.")
        for name in ("epochs", "evaluate_every"):
            if getattr(self, name) < 1:
                raise UserError(f"training.{name}={getattr(self, name)}: give a whole number of at least 1.")
        if self.early_stopping is not None and self.early_stopping < 1:
            raise UserError(f"training.early_stopping={self.early_stopping}: give null or at least 1 epoch.")

        if self.precision not in PRECISIONS:
            raise UserError(f"training.precision='{self.precision}': choose one of {', '.join(PRECISIONS)}.")
        if not (isinstance(self.reorder, bool) or self.reorder == "auto"):
            raise UserError(f"training.reorder={self.reorder!r}: give true, false or auto.")
        if self.batch_size is not None and self.batch_size < 1:
            raise UserError(f"training.batch_size={self.batch_size}: give null or at least 1 row.")
        if isinstance(self.fan_out, list):
            object.__setattr__(self, "fan_out", tuple(self.fan_out))
        if self.fan_out is not None:
            if self.batch_size is None:
                raise UserError(
                    "training.fan_out samples neighbours of a batch; give training.batch_size too."
                )
            if min(self.fan_out_of(1) if isinstance(self.fan_out, int) else self.fan_out) < 1:
                raise UserError(f"training.fan_out={self.fan_out}: give at least 1 neighbour a layer.")

    def _check_types(self) -> None:
        for name in ("lr", "weight_decay"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UserError(
                    f"training.{name}={value!r} is not a number (YAML reads 5e-4 as text; write 5.0e-4)."
                )
        for name in ("epochs", "evaluate_every", "early_stopping", "batch_size"):
            value = getattr(self, name)
            optional = name in ("early_stopping", "batch_size")
            if value is None and optional:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                raise UserError(
                    f"training.{name}={value!r}: give a whole number{' or null' if optional else ''}."
                )

    def reorders(self, n_nodes: int) -> bool:
        """Whether a graph of so many nodes is renumbered."""
        if isinstance(self.reorder, bool):
            return self.reorder
        return n_nodes >= REORDER_FROM and self.batch_size is None and self.device.startswith("cpu")

    def fan_out_of(self, n_layers: int) -> tuple[int, ...]:
        """The fan-out of every layer.

        Raises:
            UserError: as many numbers as layers are needed.
        """
        assert self.fan_out is not None
        if isinstance(self.fan_out, int):
            return (self.fan_out,) * n_layers
        if len(self.fan_out) != n_layers:
            raise UserError(
                f"training.fan_out={list(self.fan_out)}: the method has {n_layers} layers; give one number for each."
            )
        return self.fan_out

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> TrainingOptions:
        """Options from a suite or a search.

        Raises:
            UserError: an unknown key.
        """
        known = [f.name for f in fields(cls)]
        for name in options:
            if name not in known:
                raise UserError(f"training has no option '{name}'; it has {', '.join(known)}.")
        return cls(**options)

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)
