"""mixup [21]: convex combinations of samples and of their labels, with one lambda per sample as in [15]."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

ALPHA = 0.4


def mixup(
    inputs: Tensor, labels: Tensor, classes: int, rng: np.random.Generator, alpha: float = ALPHA
) -> tuple[Tensor, Tensor]:
    """Mix each sample with another one of the batch: lambda x_i + (1 - lambda) x_j, lambda ~ Beta(alpha, alpha).

    Args:
        alpha: 0 mixes nothing (labels still become one-hot).

    Shapes: inputs (N, ...), labels (N,) int64 -> (N, ...), soft labels (N, C).
    """
    soft = F.one_hot(labels, classes).to(inputs.dtype)
    if alpha <= 0:
        return inputs, soft
    weights = torch.from_numpy(rng.beta(alpha, alpha, size=len(inputs))).to(inputs.device, inputs.dtype)
    partner = torch.from_numpy(rng.permutation(len(inputs))).to(inputs.device)
    shaped = weights.reshape(-1, *[1] * (inputs.ndim - 1))
    mixed = shaped * inputs + (1 - shaped) * inputs[partner]
    return mixed, weights[:, None] * soft + (1 - weights[:, None]) * soft[partner]
