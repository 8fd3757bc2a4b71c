"""A fitted method together with all it takes to answer rows, those of the fit and new ones."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mvgraph.errors import UserError
from mvgraph.fusion import EstimatorMethod, Method, NetworkMethod, NewRows
from mvgraph.graph import CSR, MultiViewGraph
from mvgraph.graph.propagation import Propagation
from mvgraph.serving.attach import AttachableGraph

#: New rows answered at a time.
BLOCK_ROWS = 4096


@dataclass
class Fitted:
    """What `MultiViewClassifier` holds after a fit.

    Networks answer in float64: the order in which a matrix product sums depends on how many rows it has, and in
    float64 that is far below what anybody reads.

    Args:
        method: the fitted method.
        rows: view -> scaled rows of the fit.
        observed: which row has which view, views in the order of their names.
        graph: the graph with what attaching takes; None when the method uses none.
        probabilities: answers to the rows of the fit.
        digests: content of the rows of the fit as the user gave them.

    Shapes:
        rows[v]: (N, d_v) float32 or float64; observed: (N, V) bool; probabilities: (N, C) float64;
        digests: (N, 16) uint8.
    """

    method: Method
    rows: dict[str, np.ndarray]
    observed: np.ndarray
    graph: AttachableGraph | None
    probabilities: np.ndarray
    digests: np.ndarray

    def __post_init__(self) -> None:
        # Of equal rows the first one answers.
        numbers = range(len(self.digests) - 1, -1, -1)
        self._places = {self.digests[i].tobytes(): i for i in numbers}

    def answer(
        self, digests: np.ndarray, rows: Mapping[str, np.ndarray], observed: np.ndarray, device: torch.device
    ) -> np.ndarray:
        """Class probabilities: of rows of the fit what the fit gave, of others what attaching them gives.

        Shapes:
            digests: (M, 16); rows[v]: (M, d_v) float32, scaled; observed: (M, V) -> (M, C) float64
        """
        places = np.array([self._places.get(digest.tobytes(), -1) for digest in digests], dtype=np.int64)
        result = np.empty((len(places), self.probabilities.shape[1]))
        result[places >= 0] = self.probabilities[places[places >= 0]]
        unknown = np.flatnonzero(places < 0)
        for start in range(0, len(unknown), BLOCK_ROWS):
            part = unknown[start : start + BLOCK_ROWS]
            new = {view: x[part] for view, x in rows.items()}
            result[part] = self.answer_new(new, observed[part], device)
        return result

    def answer_new(
        self, rows: Mapping[str, np.ndarray], observed: np.ndarray, device: torch.device
    ) -> np.ndarray:
        """Class probabilities of rows that were not in the fit, (M, C) float64.

        Raises:
            UserError: the method answers only for the rows of its fit.
        """
        grown = None if self.graph is None else self.graph.extended(rows, observed)
        if isinstance(self.method, EstimatorMethod):
            answers = np.asarray(self.method.predict_new(NewRows(rows, observed, grown)), dtype=np.float64)
            return normalised(answers)
        assert isinstance(self.method, NetworkMethod)
        model = copy.deepcopy(self.method).double().to(device).eval()
        if grown is None:
            return _softmax(model(propagation(model, None, rows, device)))
        n = len(self.observed)
        joined = {view: np.concatenate([self.rows[view], x]) for view, x in rows.items()}
        with torch.no_grad():
            p = propagation(model, grown, joined, device)
            if model.tags.full_graph:
                return _softmax(self._answer_whole(model, p, rows, observed, device))
            asked = torch.arange(n, n + len(observed), device=device)
            field = p.restricted(asked, model.n_layers, joint=model.tags.mixes_views)
            return _softmax(model(field))

    def _answer_whole(
        self,
        model: NetworkMethod,
        p: Propagation,
        rows: Mapping[str, np.ndarray],
        observed: np.ndarray,
        device: torch.device,
    ) -> Tensor:
        """Logits of the new rows from the whole graph.

        Some convolutions weigh an edge by the edges that leave its source; then new rows change the old ones, and
        through them each other, and are answered one at a time.
        """
        n = len(self.observed)
        logits: Tensor = model(p)
        if len(observed) == 1:
            return logits[n:]
        assert self.graph is not None
        before = model(propagation(model, self.graph.graph, self.rows, device))
        if torch.allclose(before, logits[:n], rtol=1e-9, atol=1e-9):
            return logits[n:]
        alone = []
        for i in range(len(observed)):
            one = {view: x[i : i + 1] for view, x in rows.items()}
            grown = self.graph.extended(one, observed[i : i + 1])
            joined = {view: np.concatenate([self.rows[view], x]) for view, x in one.items()}
            alone.append(model(propagation(model, grown, joined, device))[n:])
        return torch.cat(alone)


def propagation(
    model: NetworkMethod, graph: MultiViewGraph | None, rows: Mapping[str, np.ndarray], device: torch.device
) -> Propagation:
    """The propagation of rows over a graph in float64; without a graph every node is alone."""
    if graph is None:
        n = len(next(iter(rows.values())))
        graph = MultiViewGraph(dict.fromkeys(rows, CSR.empty(n, n)))
    features = {view: torch.tensor(x, dtype=torch.float64, device=device) for view, x in rows.items()}
    return Propagation(model.prepare(graph).to(device, torch.float64), features)


def answers_of_the_fit(
    method: Method,
    graph: MultiViewGraph | None,
    rows: Mapping[str, np.ndarray],
    found: np.ndarray,
    device: torch.device,
) -> np.ndarray:
    """Class probabilities of the rows of the fit, (N, C) float64: a network's anew, other methods' as found."""
    if not isinstance(method, NetworkMethod):
        return normalised(found.astype(np.float64))
    model = copy.deepcopy(method).double().to(device).eval()
    graph = graph if method.tags.uses_graph else None
    with torch.no_grad():
        return _softmax(model(propagation(model, graph, rows, device)))


def digests_of(views: Mapping[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
    """16 bytes that stand for the content of each row.

    Shapes:
        views[v]: (N, d_v) float32 or float64; observed: (N, V) bool -> (N, 16) uint8
    """
    # -0.0 and 0.0 are one number; adding 0.0 makes them one pattern of bits.
    parts = [
        np.ascontiguousarray(views[name] + views[name].dtype.type(0)).view(np.uint8) for name in sorted(views)
    ]
    table = np.concatenate([*parts, observed.astype(np.uint8)], axis=1)
    found = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in table]
    return np.frombuffer(b"".join(found), dtype=np.uint8).reshape(len(table), 16).copy()


def normalised(probabilities: np.ndarray) -> np.ndarray:
    """Rows that sum to 1 in float64. Shapes: (N, C)."""
    total = probabilities.sum(axis=1, keepdims=True)
    if not (np.isfinite(total).all() and (total > 0).all()):
        raise UserError(
            "The method gave probabilities that are not finite; lower the learning rate or scale the views."
        )
    return np.asarray(probabilities / total)


def _softmax(logits: Tensor) -> Any:
    return normalised(torch.softmax(logits.detach(), dim=1).cpu().numpy())
