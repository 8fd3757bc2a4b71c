"""What is recorded at every evaluation: curves, and the weights each selection rule keeps."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from mvgraph.data import Split
from mvgraph.fusion import NetworkMethod

#: Probabilities below this count as this in a log-loss, so that one sure mistake stays finite in float32.
SMALLEST_PROBABILITY = 1e-12


class History:
    """Curves over the evaluated epochs, and the epoch and weights that validation selects.

    Validation rows choose (lowest log-loss); test rows are only written down, for the oracle figure that is
    shown beside the others and never ranks. Without validation rows the last epoch is selected.

    Args:
        split: validation and test rows.
        labels: (N,) on the device.
    """

    def __init__(self, split: Split, labels: Tensor) -> None:
        self.curves: dict[str, list[float]] = defaultdict(list)
        self.best_epoch = 0
        self.last_epoch = 0
        self.best_state: dict[str, Tensor] = {}
        self._best_loss = float("inf")
        parts = {"validation": split.validation, "test": split.test}
        rows = np.concatenate(list(parts.values())).astype(np.int64)
        order = np.argsort(rows, kind="stable")
        #: Rows that an evaluation has to answer, ascending; the device's tensor.
        self.rows = torch.as_tensor(rows[order]).to(labels.device)
        self._positions = {
            name: torch.as_tensor(np.searchsorted(rows[order], np.array(chosen))).to(labels.device)
            for name, chosen in parts.items()
            if len(chosen)
        }
        self._labels = labels

    def record(
        self, epoch: int, train_log_loss: float, probabilities: Tensor, model: NetworkMethod
    ) -> dict[str, float]:
        """Write one evaluation down.

        Args:
            epoch: counted from 1.
            train_log_loss: mean cross-entropy of the training rows in this epoch's step, dropout on.
            probabilities: of `self.rows`, (rows, C).
            model: asked for theta, and for its weights when this epoch is the best so far.

        Returns:
            The figures of this epoch.
        """
        figures: dict[str, float] = {"train_log_loss": train_log_loss}
        for part, positions in self._positions.items():
            chosen, truth = probabilities[positions], self._labels[self.rows[positions]]
            right = chosen.gather(1, truth.unsqueeze(1)).double().clamp_min(SMALLEST_PROBABILITY)
            figures[f"{part}_log_loss"] = float(-right.log().mean())
            figures[f"{part}_accuracy"] = float((chosen.argmax(1) == truth).double().mean())
        for layer, weights in enumerate(model.theta(), start=1):
            for view, weight in weights.items():
                figures[f"theta/{layer}/{view}"] = weight
        self.curves["epoch"].append(float(epoch))
        for name, value in figures.items():
            self.curves[name].append(value)
        self.last_epoch = epoch
        loss = figures.get("validation_log_loss")
        # The first evaluation counts even when a diverged run has no finite loss, so that there is a best one.
        if loss is None or loss < self._best_loss or not self.best_state:
            if loss is not None and loss < self._best_loss:
                self._best_loss = loss
            self.best_epoch, self.best_state = epoch, copy_state(model)
        return figures


def copy_state(model: NetworkMethod) -> dict[str, Tensor]:
    """A copy of the model's weights that training will not change."""
    return {key: value.detach().clone() for key, value in model.state_dict().items()}
