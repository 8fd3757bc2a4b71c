"""What a search did, in figures and in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mvgraph.bench.estimate import duration
from mvgraph.tuning.record import StudyRecord


@dataclass(frozen=True)
class TuneSummary:
    """What a call of `tune` did.

    Args:
        folder: the study folder; record: the study as it stands; ran: trials ended by this call.
        seconds: wall time of the search; fit_seconds: of it inside fits; make_seconds: of it scaling data and
            building graphs.
        suite: the file with the best configuration; report: the page. None where there is none.
        notes: sentences worth telling.
    """

    folder: Path
    record: StudyRecord
    ran: int
    seconds: float
    fit_seconds: float
    make_seconds: float
    suite: Path | None
    report: Path | None
    notes: list[str] = field(default_factory=list)

    @property
    def overhead(self) -> float:
        """Share of the search's wall time that was neither fitting nor making data and graphs."""
        return (
            max(0.0, self.seconds - self.fit_seconds - self.make_seconds) / self.seconds
            if self.seconds
            else 0.0
        )

    def sentence(self) -> str:
        """The summary in words."""
        states = {s: len(self.record.of_state(s)) for s in ("complete", "pruned", "failed", "abandoned")}
        told = ", ".join(f"{n} {s}" for s, n in states.items() if n) or "none ended"
        return (
            f"{self.record.name}: {told}; {self.ran} run in {duration(self.seconds)}, "
            f"{100 * self.overhead:.1f} % of it beside fits and graphs."
        )
