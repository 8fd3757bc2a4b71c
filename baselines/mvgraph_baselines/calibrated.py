"""Networks whose probabilities are calibrated once they are trained.

For those whose own probabilities are known to be off, such as a mean of several answers. A network trained on the
cross-entropy of its own answer is better left alone: a temperature from a few dozen validation rows is mostly noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import chi2
from torch import Tensor

from mvgraph.fusion import NetworkMethod
from mvgraph.graph.propagation import Propagation
from mvgraph_baselines.inner_cv import fit_temperature, smoothed_log_loss


class CalibratedNetwork(NetworkMethod):
    r"""A network that answers softmax(logits / T), T fitted to the validation rows after training.

    T is 1 while it trains, where there are no validation rows, and where these do not clearly ask for another: a
    likelihood-ratio test at 0.05 decides, for a T from a few dozen rows alone makes good probabilities worse.

    Source: Guo, Pleiss, Sun, Weinberger 2017, "On Calibration of Modern Neural Networks", section 4.2.

    Shapes:
        temperature: () buffer, no parameter.
    """

    temperature: Tensor

    def __init__(
        self, view_dims: Mapping[str, int], n_classes: int, graph_views: Sequence[str] | None = None
    ) -> None:
        super().__init__(view_dims, n_classes, graph_views)
        self.register_buffer("temperature", torch.ones(()))

    def tempered(self, logits: Tensor) -> Tensor:
        """What `forward` returns. Shapes: (rows, C)."""
        return logits / self.temperature

    def calibrate(self, logits: Tensor, labels: Tensor) -> None:
        z = logits.double().cpu().numpy() * float(self.temperature)
        truth, every = labels.cpu().numpy(), np.arange(self.n_classes)
        fitted = fit_temperature(z, truth, every)
        gain = smoothed_log_loss(z, truth, every, 1.0) - smoothed_log_loss(z, truth, every, fitted)
        asked_for = 2.0 * len(truth) * gain > chi2.ppf(0.95, df=1)
        self.temperature.fill_(fitted if asked_for else 1.0)

    def diagnostics(self, p: Propagation) -> dict[str, Any]:
        return {"temperature": float(self.temperature)}
