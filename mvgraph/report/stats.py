"""Comparing methods over several data sets: average ranks, Friedman, Wilcoxon with Holm's correction.

Source: Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7 (2006), with the pairwise
Wilcoxon tests that Benavoli et al. (JMLR 17, 2016) recommend in place of Nemenyi's. One block is one data set, since
splits of one data set are not independent. A method whose cells failed on a data set takes the last rank there
(dropping the block would reward crashing) and has no value for the Wilcoxon tests; a data set that some method has not
finished is no block yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats as scipy_stats

from mvgraph.evaluation import LEAST_SPLITS
from mvgraph.report.ranking import ACCURACY, Measure
from mvgraph.report.scores import spread
from mvgraph.report.tables import Setting

#: With fewer data sets there is no verdict.
FRIEDMAN_BLOCKS = LEAST_SPLITS
WILCOXON_BLOCKS = LEAST_SPLITS


@dataclass(frozen=True)
class Comparison:
    """Ranks of K methods over B blocks (1 = best).

    Shapes:
        scores: (B, K) mean of the figure that ranks, negated where less is better; -inf where the method failed.
        ranks: (B, K).
        mean_ranks: (K,).  p_values: (K, K) Holm-corrected, symmetric, one on the diagonal; None with few blocks.
    """

    title: str
    blocks: tuple[str, ...]
    labels: tuple[str, ...]
    scores: np.ndarray
    ranks: np.ndarray
    mean_ranks: np.ndarray
    friedman: tuple[float, float] | None
    p_values: np.ndarray | None
    waiting: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def smallest_p(self) -> float:
        """The smallest two-sided p that an exact Wilcoxon test on B blocks can give, before correction."""
        return min(1.0, 2.0 ** (1 - len(self.blocks)))

    @property
    def sentences(self) -> list[str]:
        """What the tests say, and what they cannot say."""
        words = []
        if self.friedman is None:
            words.append(
                f"{len(self.blocks)} data sets and {len(self.labels)} methods are too few for a Friedman test."
            )
        else:
            statistic, p = self.friedman
            says = "differ" if p < 0.05 else "cannot be told apart as a group"
            words.append(f"Friedman: chi-squared {statistic:.2f}, p = {p:.2g}; the methods {says} at 0.05.")
        if self.p_values is None:
            words.append(f"Pairwise Wilcoxon tests need at least {WILCOXON_BLOCKS} data sets.")
        else:
            pairs = len(self.labels) * (len(self.labels) - 1) // 2
            reach = self.smallest_p * pairs
            words.append(
                f"Pairwise: Wilcoxon signed-rank tests over {len(self.blocks)} data sets, {pairs} pairs, "
                "Holm-corrected."
            )
            if reach >= 0.05:
                words.append(
                    f"With {len(self.blocks)} data sets the smallest p a pair can reach after correction is "
                    f"{min(1.0, reach):.2g}: "
                    "no pair can be significant at 0.05 here, so read the ranks, not the stars."
                )
        if np.isneginf(self.scores).any():
            words.append(
                "A method whose cells failed on a data set has the last rank there and no value in the pairwise tests."
            )
        if self.waiting:
            words.append(
                f"Not counted yet, because cells or their figures are missing: {', '.join(self.waiting)}."
            )
        if self.absent:
            words.append(f"Left out, because they were not run on every data set: {', '.join(self.absent)}.")
        return words


def comparisons(found: Sequence[Setting], selection: str, measure: Measure = ACCURACY) -> list[Comparison]:
    """One comparison a split protocol with at least two data sets; one over everything when none is shared."""
    groups: dict[str, list[Setting]] = {}
    for setting in found:
        groups.setdefault(setting.protocol, []).append(setting)
    chosen = {title: group for title, group in groups.items() if len({s.dataset for s in group}) > 1}
    if not chosen and len({s.dataset for s in found}) == len(found) > 1:
        chosen = {"all data sets, each under its own split protocol": list(found)}
    results = [_compare(title, group, selection, measure) for title, group in chosen.items()]
    return [r for r in results if r is not None]


def _compare(title: str, group: Sequence[Setting], selection: str, measure: Measure) -> Comparison | None:
    shared = [label for label in group[0].runs if all(label in s.runs for s in group)]
    absent = sorted({label for s in group for label in s.runs} - set(shared))
    scores: dict[str, dict[str, float]] = {}
    waiting = []
    for setting in group:
        runs = [setting.runs[label] for label in shared]
        if any(r.missing for r in runs) or not any(r.complete for r in runs):
            waiting.append(setting.title)
            continue
        means = {
            r.label: measure.sense * spread(r.done, selection, measure.key).mean
            if r.complete
            else float("-inf")
            for r in runs
        }
        # A figure that some method's records lack ranks nobody on this data set.
        if any(value != value for value in means.values()):
            waiting.append(setting.title)
            continue
        scores[setting.title] = means
    if len(scores) < 2 or len(shared) < 2:
        return None
    return compare(title, scores, waiting=waiting, absent=absent)


def compare(
    title: str,
    scores: Mapping[str, Mapping[str, float]],
    *,
    waiting: Sequence[str] = (),
    absent: Sequence[str] = (),
) -> Comparison:
    """``scores[block][label]``: higher is better, -inf for a failure; all blocks name the same labels."""
    blocks = tuple(scores)
    labels = tuple(scores[blocks[0]])
    values = np.array([[scores[b][label] for label in labels] for b in blocks], dtype=np.float64)
    ranks = scipy_stats.rankdata(-values, axis=1)
    friedman = None
    # Identical ranks everywhere leave the statistic 0/0.
    if len(blocks) >= FRIEDMAN_BLOCKS and len(labels) >= 3 and bool(np.any(ranks != ranks[:, :1])):
        result = scipy_stats.friedmanchisquare(*ranks.T)
        friedman = (float(result.statistic), float(result.pvalue))
    p_values = wilcoxon_holm(values) if len(blocks) >= WILCOXON_BLOCKS else None
    order = np.lexsort((np.arange(len(labels)), ranks.mean(axis=0)))
    if p_values is not None:
        p_values = p_values[np.ix_(order, order)]
    return Comparison(
        title,
        blocks,
        tuple(labels[i] for i in order),
        values[:, order],
        ranks[:, order],
        ranks.mean(axis=0)[order],
        friedman,
        p_values,
        tuple(waiting),
        tuple(absent),
    )


def wilcoxon_holm(scores: np.ndarray) -> np.ndarray:
    """Two-sided Wilcoxon signed-rank tests of every pair, corrected together by Holm's step-down rule.

    Shapes:
        scores: (B, K), -inf or NaN where a method has no value; returns (K, K).
    """
    n_methods = scores.shape[1]
    pairs = [(i, j) for i in range(n_methods) for j in range(i + 1, n_methods)]
    raw = []
    for i, j in pairs:
        both = np.isfinite(scores[:, i]) & np.isfinite(scores[:, j])
        # Rounded, so that equal differences are ties in spite of floating point.
        delta = np.round(scores[both, i] - scores[both, j], 12)
        # scipy has no answer for differences that are all zero; two equal methods are not different.
        raw.append(float(scipy_stats.wilcoxon(delta).pvalue) if np.any(delta) else 1.0)
    result = np.ones((n_methods, n_methods))
    for (i, j), p in zip(pairs, holm(np.array(raw)), strict=True):
        result[i, j] = result[j, i] = p
    return result


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's (1979) adjusted p: the running maximum of (m - rank) p over rising p, at most one."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty_like(p_values)
    m = len(p_values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate((m - np.arange(m)) * p_values[order]))
    return adjusted
