"""What a search costs beside the fits and graphs of its trials: under 5 % of the wall time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mvgraph.tuning import TuneSummary, tune

#: The share that sampling, the journal, pruning and the record may take of a search.
ALLOWED = 0.05


def test_a_search_costs_little_beside_its_fits(tmp_path: Path, benchmark: Any, note: Any) -> None:
    """Twelve trials on mfeat, two of them drawn by the estimator, a curve reported at every epoch.

    The fits are short (40 epochs instead of 500, one inner split instead of three), so that the share is larger
    here than in earnest.
    """

    def search() -> TuneSummary:
        return tune(
            "dm-gcn",
            "mfeat",
            trials=12,
            rate=0.1,
            inner=1,
            settings={"training": {"epochs": 40, "evaluate_every": 1}},
            out=tmp_path / "study",
            progress="none",
            mirror=False,
            report=False,
        )

    summary = benchmark.pedantic(search, rounds=1, iterations=1)
    own = summary.seconds - summary.fit_seconds - summary.make_seconds
    note(
        "search of 12 trials",
        "mvgraph",
        trials=summary.ran,
        share=summary.overhead,
        own_seconds=own,
        floor_seconds=summary.fit_seconds + summary.make_seconds,
        floor_of="the seconds of its fits and graphs in the same run",
    )
    print(f"\n{summary.sentence()} That is {1000 * own / summary.ran:.0f} ms a trial.")
    assert summary.overhead < ALLOWED
