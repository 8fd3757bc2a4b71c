"""When one method may be said to score higher than another: the corrected resampled t-test.

Splits of one data set share rows, so their scores are not independent and a plain paired t-test finds differences that
are none. Nadeau and Bengio ("Inference for the Generalization Error", Machine Learning 52, 2003, section 5) replace the
variance of the mean over J splits, s^2 / J, by

    s^2 (1 / J + n_test / n_train),

and compare the mean with Student's t of J - 1 degrees of freedom. n_train counts the rows that methods are fitted on;
validation rows are left out of it, which can only widen the interval. In k-fold cross-validation n_test is one fold and
n_train the rest without its validation part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

#: With fewer splits there is no verdict.
LEAST_SPLITS = 5
#: Two-sided level of the test; the interval holds 1 - LEVEL.
LEVEL = 0.05
#: Deviations below this part of the largest difference are rounding.
_ROUNDING = 1e-9

RULE = (
    f"A verdict needs at least {LEAST_SPLITS} splits that both methods have done, and a corrected resampled t-test "
    "(Nadeau and Bengio 2003: variance times 1/J + test rows/training rows, J splits) that is significant at "
    f"{LEVEL:g}, two-sided; the interval is the {100 * (1 - LEVEL):g} % one of the same test."
)


@dataclass(frozen=True)
class PairedTest:
    """A test of paired differences, or why there is none.

    Args:
        splits: differences it is made of.
        mean: their mean.
        low, high: ends of the 1 - LEVEL interval of the mean, None without a test.
        p: two-sided, None without a test.
        verdict: "higher", "lower", "level" (tested, not significant) or "none" (not tested).
        reason: why it was not tested, or "".
    """

    splits: int
    mean: float
    low: float | None
    high: float | None
    p: float | None
    verdict: str
    reason: str = ""


def paired_test(
    differences: Sequence[float], train: Sequence[float | None], test: Sequence[float | None]
) -> PairedTest:
    """The corrected resampled t-test of paired differences, one a split.

    Args:
        differences: score of one method minus that of the other, one a split (a mean over seeds).
        train, test: training and test rows of each split, None where they are not known. Where splits differ in size
            the sums count, so that folds that are a row larger than others change nothing.
    Raises:
        ValueError: there are no differences, one is not finite, or the lengths differ.
    """
    splits = len(differences)
    if not splits or not all(map(math.isfinite, differences)) or {len(train), len(test)} != {splits}:
        raise ValueError("A paired test needs finite differences, and training and test rows for each.")
    mean = fmean(differences)

    def untested(reason: str) -> PairedTest:
        return PairedTest(splits, mean, None, None, None, "none", reason)

    if splits < LEAST_SPLITS:
        return untested(f"{splits} split{'s' * (splits > 1)}: no verdict from fewer than {LEAST_SPLITS}")
    trained, tested = [n for n in train if n], [n for n in test if n]
    if len(trained) < splits or len(tested) < splits:
        return untested("no verdict: the sizes of the splits were not recorded")
    largest = max(map(abs, differences))
    if largest == 0:
        return PairedTest(splits, 0.0, 0.0, 0.0, 1.0, "level")
    deviation = stdev(differences)
    if deviation <= _ROUNDING * largest:
        return untested(
            "no verdict: the difference is the same on every split, so there is no spread to judge it by"
        )
    from scipy.special import stdtr, stdtrit

    error = deviation * math.sqrt(1 / splits + sum(tested) / sum(trained))
    half = float(stdtrit(splits - 1, 1 - LEVEL / 2)) * error
    p = 2 * float(stdtr(splits - 1, -abs(mean) / error))
    verdict = "level" if p >= LEVEL else "higher" if mean > 0 else "lower"
    return PairedTest(splits, mean, mean - half, mean + half, p, verdict)
