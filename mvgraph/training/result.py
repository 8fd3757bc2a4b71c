"""What a fit leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mvgraph.display import html_card, html_line, html_table
from mvgraph.errors import UserError
from mvgraph.fusion import Method


@dataclass(frozen=True)
class Selection:
    """The class probabilities that one selection rule chose.

    Args:
        epoch: the epoch they come from; 0 for a method without epochs.
        probabilities: (N, C) float32.
        state: the network's weights at that epoch; None for a method without weights.
    """

    epoch: int
    probabilities: np.ndarray
    state: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class FitResult:
    """A fitted method with everything that was recorded on the way.

    Args:
        method: the method's text.
        model: the fitted object, at its last epoch.
        options: the method's options.
        view_dims: view -> d_v.
        classes: names of the C classes.
        selections: "last" (last epoch, as published) and "validation" (lowest validation log-loss).
        curves: one list per quantity, one value per evaluated epoch; the test-oracle figure is the best of
            `test_accuracy` and never ranks anything.
        parameters: trainable parameters.
        seconds: "training" and "inference".
        peak_memory_mib: "device" (None on a CPU).
        diagnostics: what the method tells about itself: theta per layer, mean attention per view.
        training: the training options, JSON-able; empty for a method that fits itself.
        seed: of weights and dropout.
    """

    method: str
    model: Method
    options: Mapping[str, Any]
    view_dims: Mapping[str, int]
    classes: tuple[str, ...]
    selections: Mapping[str, Selection]
    curves: Mapping[str, list[float]]
    parameters: int
    seconds: Mapping[str, float]
    peak_memory_mib: Mapping[str, float | None]
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def probabilities(self, selection: str = "last") -> np.ndarray:
        """Class probabilities of all rows, (N, C).

        Raises:
            UserError: unknown selection rule.
        """
        if selection not in self.selections:
            raise UserError(f"selection='{selection}': choose one of {', '.join(self.selections)}.")
        return self.selections[selection].probabilities

    def predict(self, selection: str = "last") -> np.ndarray:
        """The most probable class of every row, (N,) int64."""
        return self.probabilities(selection).argmax(axis=1)

    def accuracy(self, labels: np.ndarray, rows: np.ndarray, selection: str = "last") -> float:
        """Share of `rows` predicted right.

        Args:
            labels: (N,) of the data.
            rows: the rows to score, e.g. `split.test`.
        """
        return float((self.predict(selection)[rows] == labels[rows]).mean())

    def _repr_html_(self) -> str:
        seconds = ", ".join(f"{name} {value:.2f} s" for name, value in self.seconds.items())
        ends = (
            (name, f"{values[-1]:.4f}") for name, values in self.curves.items() if values and name != "epoch"
        )
        return html_card(
            f"FitResult of {self.method}",
            html_line(f"{self.parameters} parameters, seed {self.seed}, {seconds}"),
            html_table(("selection", "epoch"), ((name, s.epoch) for name, s in self.selections.items())),
            html_table(("curve", "last value"), ends) if self.curves else "",
        )
