"""What always naming the most frequent training class scores: the least that a method has to be above."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Probabilities are clipped to this inside a logarithm, as those of methods are: float32's machine epsilon.
CLIP = float(np.finfo(np.float32).eps)


def majority_metrics(train: Sequence[int], test: Sequence[int]) -> dict[str, float]:
    """Metrics of the classifier that gives every row the class frequencies among the training rows.

    Its guess is the most frequent class, the first of several. Names and conventions are those of a cell's metrics:
    macro-accuracy averages over the classes among the test rows, macro-F1 over these and the guess.

    Args:
        train: training rows of each class. Shapes: (C,).
        test: test rows of each class. Shapes: (C,).
    Raises:
        ValueError: a part has no rows, or the numbers of classes differ.
    """
    before, after = np.asarray(train, dtype=np.float64), np.asarray(test, dtype=np.float64)
    if before.shape != after.shape or before.ndim != 1 or not before.sum() > 0 or not after.sum() > 0:
        raise ValueError("The majority class needs training and test rows of the same classes.")
    frequency, share = before / before.sum(), after / after.sum()
    guess = int(before.argmax())
    present = after > 0
    loss = -np.log(np.clip(frequency, CLIP, 1.0))
    right = float(share[guess])
    named = int(present.sum()) + int(not present[guess])
    return {
        "accuracy": right,
        "macro_accuracy": float(present[guess]) / int(present.sum()),
        "macro_f1": 2 * right / (1 + right) / named,
        "log_loss": float(share @ loss),
        "macro_log_loss": float(loss[present].mean()),
        "brier": float((frequency**2).sum() + 1 - 2 * (share @ frequency)),
        "ece": abs(right - float(frequency[guess])),
    }
