"""SNF: spreading over the fused graph in closed form, for rows that were there and rows that come later."""

from __future__ import annotations

import numpy as np
import pytest
from blobs import CLASSES, LATER, N, answers, later_rows, make_data, make_split

from mvgraph.errors import UserError
from mvgraph.graph import build_graph, extend_fused, fuse_snf
from mvgraph.graph.csr import CSR
from mvgraph.training import fit


def closed_form(adjacency: np.ndarray, labels: np.ndarray, rows: np.ndarray, alpha: float) -> np.ndarray:
    """(1 - alpha) (I - alpha L)^-1 Y with L of Eq. 2, rows scaled to sum 1."""
    looped = adjacency + np.eye(len(adjacency))
    scale = np.diag(looped.sum(axis=1) ** -0.5)
    y = np.zeros((len(looped), CLASSES))
    y[rows, labels[rows]] = 1.0
    f = (1 - alpha) * np.linalg.inv(np.eye(len(looped)) - alpha * scale @ looped @ scale) @ y
    return f / f.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("alpha", [0.3, 0.9])
def test_spreading_over_the_fused_graph(missing: bool, alpha: float) -> None:
    data, split = make_data(missing=missing), make_split()
    graph = build_graph(data, k=4)
    result = fit("snf", data, split, graph, options={"alpha": alpha, "k": 6, "temperature": 1.0})
    dense = fuse_snf(graph, 6).to_dense().double().numpy()
    np.testing.assert_allclose(
        result.probabilities(), closed_form(dense, data.labels, split.train, alpha), atol=1e-5
    )
    assert result.parameters == 0


@pytest.mark.parametrize("missing", [False, True])
def test_rows_that_come_later_solve_the_extended_graph(missing: bool) -> None:
    data, split = make_data(missing=missing), make_split()
    options = {"k": 6, "alpha": 0.9, "temperature": 1.0}
    model = fit("snf", data, split, build_graph(data, k=4), options=options).model
    rows = later_rows(data, missing=missing)
    assert rows.graph is not None
    attached = [CSR.from_scipy(rows.graph[view].to_scipy()[N:, :N]) for view in data.view_names]
    fused = fuse_snf(build_graph(data, k=4), 6)
    extended = np.zeros((N + LATER, N + LATER))
    extended[:N, :N] = fused.to_dense().double().numpy()
    extended[N:, :N] = extend_fused(fused, attached, 6).to_dense().double().numpy()
    expected = closed_form(extended, np.append(data.labels, np.full(LATER, -1)), split.train, 0.9)
    np.testing.assert_allclose(answers(model, rows), expected[N:], atol=1e-6)


def test_a_fused_graph_among_the_views_is_left_aside() -> None:
    data, split = make_data(), make_split()
    plain = fit("snf", data, split, build_graph(data, k=4)).probabilities()
    beside = fit("snf", data, split, build_graph(data, k=4, fused="snf")).probabilities()
    np.testing.assert_array_equal(plain, beside)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"alpha": 1.0}, "snf: alpha=1.0; give a number between 0 and 1"),
        ({"steps": 0}, "snf: steps=0"),
        ({"k": 0}, "k must be a whole number of at least 1"),
        ({"memory_mib": 0.01}, "3 views over 45 nodes takes dense N x N tables"),
    ],
)
def test_mistakes_are_named(options: dict[str, float], says: str) -> None:
    with pytest.raises(UserError, match=says):
        fit("snf", make_data(), make_split(), options=options)
