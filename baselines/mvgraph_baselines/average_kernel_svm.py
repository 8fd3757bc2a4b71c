"""A support vector machine on the sum of the views' kernels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mvgraph_baselines.kernel_machine import Columns, KernelMachine


class AverageKernelSVM(KernelMachine):
    r"""Intermediate fusion without a graph: a support vector machine over the mean of per-view Gaussian kernels.

    .. math::

        K(x, y) = \frac{\sum_{v \in V(x) \cap V(y)} \exp(-\gamma \lVert x_v - y_v \rVert^2 / s_v)}
                       {\sqrt{|V(x)| \, |V(y)|}}

    s_v is the mean squared distance between training rows in view v, so that no view outweighs another by its
    number of columns. V(x) are the views a row has.

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

    name = "average-kernel-svm"
    title = "support vector machine on the sum of per-view RBF kernels"
    paper = (
        "Pavlidis et al. 2001 and Gonen & Alpaydin 2011, the unweighted sum of kernels; "
        "temperature after Guo et al. 2017"
    )

    def _columns(self, views: Mapping[str, np.ndarray], observed: np.ndarray) -> Columns:
        return [views[name] for name in sorted(views)], observed
