"""A study as plain values: what the page, the mirror and the suite file are made of."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mvgraph.bench.canonical import finite
from mvgraph.display import html_card, html_line, html_table
from mvgraph.errors import UserError

FILE = "study.json"
#: Raised when the form of the file changes.
VERSION = 1


@dataclass(frozen=True)
class TrialRecord:
    """One trial that ended.

    Args:
        number: in the study; state: complete | pruned | failed | abandoned (broken off and tried again).
        params: values drawn, by dotted name; settings: the whole point, None if it failed before.
        values: figures of the objective, empty unless complete.
        means: log_loss and accuracy over the inner splits that were finished.
        splits: figures of each finished inner split.
        curve: (step, log-loss, accuracy), as the pruner saw it.
        parameters: trainable parameters.
        seconds: of the trial; fit_seconds: of it inside fits.
        started, finished: ISO times.
        reason, traceback: of a trial that failed.
    """

    number: int
    state: str
    params: dict[str, Any]
    settings: dict[str, Any] | None = None
    values: list[float] = field(default_factory=list)
    means: dict[str, float] = field(default_factory=dict)
    splits: list[dict[str, Any]] = field(default_factory=list)
    curve: list[list[float]] = field(default_factory=list)
    parameters: int = 0
    seconds: float = 0.0
    fit_seconds: float = 0.0
    started: str | None = None
    finished: str | None = None
    reason: str | None = None
    traceback: str | None = None


@dataclass(frozen=True)
class StudyRecord:
    """A study and its trials.

    Args:
        name: of the study; spec: what identifies it (method, data, split, objective, space, ...).
        trials: those that ended, by number.
        best: numbers of the best trial, or of the Pareto front by rising log-loss.
        importances: share of the objective's variance by parameter, for each figure; empty while unknown.
        storage: where the trials are kept, without a password.
        environment, versions: of the driver that wrote this.
    """

    name: str
    spec: dict[str, Any]
    trials: list[TrialRecord]
    best: list[int]
    importances: dict[str, dict[str, float]]
    storage: str
    environment: dict[str, Any]
    versions: dict[str, Any]

    @property
    def figures(self) -> list[tuple[str, str]]:
        """Names and directions of the objective's figures."""
        return [(name, direction) for name, direction in self.spec["figures"]]

    def of_state(self, state: str) -> list[TrialRecord]:
        """Trials that ended in one way."""
        return [trial for trial in self.trials if trial.state == state]

    def trial(self, number: int) -> TrialRecord:
        """One trial by its number."""
        return next(trial for trial in self.trials if trial.number == number)

    def _repr_html_(self) -> str:
        states = dict.fromkeys(trial.state for trial in self.trials)
        counts = ", ".join(f"{len(self.of_state(state))} {state}" for state in states) or "none yet"
        names = [name.replace("_", "-") for name, _ in self.figures]
        found = [self.trial(number) for number in self.best]
        rows = ((t.number, *(f"{v:.4f}" for v in t.values), json.dumps(t.params)) for t in found)
        return html_card(
            f"Study {self.name}",
            html_line(f"trials: {counts}"),
            html_table(("best trial", *names, "values drawn"), rows) if found else "",
        )

    def to_json(self) -> dict[str, Any]:
        """Strict JSON values."""
        return {"version": VERSION, **finite(asdict(self))}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> StudyRecord:
        """What `to_json` wrote.

        Raises:
            UserError: another version, or something else.
        """
        try:
            if value["version"] != VERSION:
                raise UserError(f"This study was written in form {value['version']}, known is {VERSION}.")
            rest = {key: item for key, item in value.items() if key != "version"}
            return cls(**{**rest, "trials": [TrialRecord(**trial) for trial in rest["trials"]]})
        except (KeyError, TypeError) as error:
            raise UserError(f"This is not a study as `mvgraph tune` writes it: {error}.") from None


def write_record(record: StudyRecord, folder: Path) -> Path:
    """Write `study.json`; it appears whole or not at all."""
    path, partial = folder / FILE, folder / f".{FILE}.{os.getpid()}.partial"
    partial.write_text(json.dumps(record.to_json(), indent=1, allow_nan=False) + "\n")
    os.replace(partial, path)
    return path


def read_record(folder: str | Path) -> StudyRecord:
    """Read `study.json`.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = Path(folder) / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise UserError(
            f"There is no study at {path}; a study folder holds one once `mvgraph tune` ran."
        ) from None
    except ValueError:
        raise UserError(f"{path} is not valid JSON.") from None
    if not isinstance(content, Mapping):
        raise UserError(f"{path} is not a study as `mvgraph tune` writes it.")
    return StudyRecord.from_json(content)
