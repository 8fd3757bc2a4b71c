"""Studies made up by hand: no search ran, and every number is known."""

from __future__ import annotations

from typing import Any

from mvgraph.tuning.record import StudyRecord, TrialRecord

HOSTILE = '"><script>alert(1)</script>|$\\frac{$`*_{label}\u202e'


def make_trial(
    number: int, state: str = "complete", values: tuple[float, ...] = (), **more: Any
) -> TrialRecord:
    """One trial; what is not given follows from its number."""
    params = {
        "graph.k": 3 + number,
        "options.hidden": "[8,8]" if number % 2 else "[16,8]",
        "training.lr": 10.0**-number,
    }
    loss, accuracy = 1.0 / (1 + number), 0.5 + 0.02 * number
    return TrialRecord(
        **{
            "number": number,
            "state": state,
            "params": params,
            "settings": {
                "options": {"hidden": [8, 8] if number % 2 else [16, 8]},
                "training": None,
                "graph": {"k": 3 + number},
                "scaling": {},
            },
            "values": list(values),
            "means": {"log_loss": loss, "accuracy": accuracy} if state == "complete" else {},
            "splits": [{"log_loss": loss, "accuracy": accuracy, "epoch": 6, "seconds": 0.5}]
            * (state == "complete"),
            "curve": [[1, 1.5, 0.3], [2, 1.2, 0.4]] if state in ("complete", "pruned") else [],
            "parameters": 100 * (number + 1) if state == "complete" else 0,
            "seconds": 1.0 + number,
            "fit_seconds": 0.9 + number,
            "started": f"2026-01-01T00:{number:02d}:00",
            "finished": f"2026-01-01T00:{number:02d}:30",
            **more,
        }
    )


def make_study(objective: str = "log-loss", hostile: bool = False) -> StudyRecord:
    """Ten complete trials, one pruned, one failed, one broken off."""
    figures = {
        "log-loss": [["log_loss", "minimize"]],
        "accuracy": [["accuracy", "maximize"]],
        "both": [["log_loss", "minimize"], ["accuracy", "maximize"]],
    }[objective]
    of = {"log_loss": lambda n: 1.0 / (1 + n), "accuracy": lambda n: 0.9 - 0.02 * n}
    trials = [make_trial(n, values=tuple(of[name](n) for name, _ in figures)) for n in range(10)]
    reason = HOSTILE if hostile else "ArithmeticError: too hot"
    trials += [
        make_trial(10, "pruned"),
        make_trial(11, "failed", reason=reason, traceback=f"Traceback\n{reason}"),
        make_trial(12, "abandoned", reason="interrupted; its point is tried again"),
    ]
    shares = {"graph.k": 0.7, "training.lr": 0.2, "options.hidden": 0.1}
    return StudyRecord(
        name="odd-tiny@0123456789ab",
        spec={
            "method": "odd",
            "label": HOSTILE if hostile else "odd",
            "dataset": "tiny",
            "source": None,
            "seen": "f" * 64,
            "views": None,
            "splits": {"scheme": "label-rate", "rate": 0.1, "n": 1, "seed": 0},
            "split": {"hash": "a" * 64, "sizes": {"train": 8, "validation": 2, "test": 90}},
            "inner": 3,
            "objective": objective,
            "figures": figures,
            "selection": "last",
            "seed": 0,
            "base": {"options": {"hidden": [16, 8]}, "training": None, "graph": {"k": 3}, "scaling": {}},
            "space": {
                "graph.k": {"kind": "int", "low": 3, "high": 60, "step": 1, "log": True},
                "options.hidden": {"kind": "choice", "options": [[8, 8], [16, 8]]},
                "training.lr": {"kind": "float", "low": 1e-9, "high": 1.0, "log": True},
            },
            "rungs": 10,
        },
        trials=trials,
        best={"log-loss": [9], "accuracy": [0], "both": [9, 5, 0]}[objective],
        importances={name: shares for name, _ in figures},
        storage="journal in the study folder",
        environment={"cpu": "a cpu", "cores": 2},
        versions={"python": "3.11"},
    )
