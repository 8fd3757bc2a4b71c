"""A support vector machine on the concatenated views."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mvgraph_baselines.columns import side_by_side
from mvgraph_baselines.kernel_machine import Columns, KernelMachine


class ConcatSVM(KernelMachine):
    """A support vector machine with a Gaussian kernel on all columns; what a row lacks holds zeros.

    Cost and gamma are those with the lowest log-loss in cross-validation inside the training rows; probabilities
    are the softmax of the summed one-against-one scores, their temperature fitted to out-of-fold scores.

    Args:
        cost: penalty of a row on the wrong side (scikit-learn's C); None chooses among 1, 10 and 100.
        gamma: in units of 1 / mean squared distance between training rows; None chooses among 0.3, 1 and 3.
        temperature: divides the scores; None fits it.
        memory_mib: refuse kernels over the training rows that take more.

    Raises:
        UserError: an option that is not positive, training rows of one class only, or too many of them.

    Shapes:
        predict_proba: (N, C).
    """

    name = "concat-svm"
    title = "RBF support vector machine on concatenated views"
    paper = "Boser, Guyon & Vapnik 1992; temperature after Guo et al. 2017; libsvm through scikit-learn"

    def _columns(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> Columns:
        return [side_by_side(views)], np.ones((len(observed), 1), dtype=bool)
