"""Generalised CCA: classical CCA for two views, an N x N eigenvalue problem for any, missing views included."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from blobs import answers, later_rows, make_data, make_split
from hypothesis import given
from hypothesis import strategies as st
from mvgraph_baselines.gcca import maxvar
from sklearn.linear_model import LogisticRegression

from mvgraph.data import MultiViewData
from mvgraph.errors import UserError
from mvgraph.training import fit


def centred(n: int, widths: list[int], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 2))
    views = [common @ rng.standard_normal((2, d)) + 0.7 * rng.standard_normal((n, d)) for d in widths]
    return [x - x.mean(axis=0) for x in views]


@given(seed=st.integers(0, 1000), widths=st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_two_views_are_classical_cca(seed: int, widths: tuple[int, int]) -> None:
    """Eigenvalues are (1 + rho) / 2, and X_v U_v are the canonical variates, rho by whitening (Hotelling 1936)."""
    n, r = 40, min(widths)
    x, y = centred(n, list(widths), seed)
    inverse = [np.linalg.inv(scipy.linalg.sqrtm(v.T @ v).real) for v in (x, y)]
    left, rho, right = np.linalg.svd(inverse[0] @ x.T @ y @ inverse[1])
    _, eigenvalues, maps = maxvar([x, y], np.ones((n, 2), dtype=bool), r, 0.0)
    np.testing.assert_allclose(eigenvalues, (1 + rho[:r]) / 2, atol=1e-8)
    for i in range(r):
        if np.min(np.abs(np.delete(rho, i) - rho[i]), initial=1.0) < 1e-3 or rho[i] < 1e-3:
            continue
        for view, whitening, vector, u in (
            (x, inverse[0], left[:, i], maps[0]),
            (y, inverse[1], right[i], maps[1]),
        ):
            expected, found = view @ whitening @ vector, view @ u[:, i]
            cosine = expected @ found / np.linalg.norm(expected) / np.linalg.norm(found)
            assert abs(cosine) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("regularisation", [0.0, 0.5])
def test_any_number_of_views_is_the_dense_eigenvalue_problem(missing: bool, regularisation: float) -> None:
    n, widths, r = 30, [3, 5, 4], 3
    observed = np.ones((n, 3), dtype=bool)
    if missing:
        observed = np.random.default_rng(5).random((n, 3)) > 0.3
        observed[~observed.any(axis=1), 1] = True
    views = [np.where(observed[:, [v]], x, 0.0) for v, x in enumerate(centred(n, widths, 3))]
    shared, eigenvalues, maps = maxvar(views, observed, r, regularisation)

    total = np.zeros((n, n))
    ridges = []
    for v, x in enumerate(views):
        ridges.append(regularisation * np.trace(x.T @ x) / x.shape[1])
        k = np.diag(observed[:, v].astype(float))
        total += k @ x @ np.linalg.inv(x.T @ x + ridges[v] * np.eye(x.shape[1])) @ x.T @ k
    k_root = np.diag(observed.sum(axis=1) ** -0.5)
    values, vectors = np.linalg.eigh(k_root @ total @ k_root)
    np.testing.assert_allclose(eigenvalues, values[::-1][:r], rtol=1e-9)
    expected = k_root @ vectors[:, ::-1][:, :r]
    expected *= np.sign((expected * shared).sum(axis=0))
    np.testing.assert_allclose(shared, expected, atol=1e-7)
    np.testing.assert_allclose(shared.T @ np.diag(observed.sum(axis=1)) @ shared, np.eye(r), atol=1e-9)
    for v, x in enumerate(views):
        solved = np.linalg.solve(x.T @ x + ridges[v] * np.eye(x.shape[1]), x.T @ shared)
        np.testing.assert_allclose(maps[v], solved, atol=1e-8)


@pytest.mark.parametrize("missing", [False, True])
def test_a_row_is_the_mean_of_what_its_views_say(missing: bool) -> None:
    data, split = make_data(missing=missing), make_split()
    result = fit("gcca", data, split, options={"components": 3, "regularisation": 0.2, "strength": 0.5})
    views = []
    for v, name in enumerate(data.view_names):
        x = data.views[name].astype(np.float64)
        views.append(np.where(data.observed[:, [v]], x - x[data.observed[:, v]].mean(axis=0), 0.0))
    _, _, maps = maxvar(views, data.observed, 3, 0.2)
    z = sum(x @ u for x, u in zip(views, maps, strict=True)) / data.observed.sum(axis=1, keepdims=True)
    z = z / np.sqrt((z**2).mean(axis=0))
    reference = LogisticRegression(C=0.5, max_iter=5000, tol=1e-10).fit(
        z[split.train], data.labels[split.train]
    )
    np.testing.assert_allclose(result.probabilities(), reference.predict_proba(z), atol=1e-5)
    assert len(result.diagnostics["eigenvalues"]) == 3
    assert result.parameters == (3 + 5 + 2) * 3 + (3 + 1) * 3


@pytest.mark.parametrize("missing", [False, True])
def test_rows_that_come_later(missing: bool) -> None:
    data, split = make_data(missing=missing), make_split()
    result = fit("gcca", data, split, options={"components": 3})
    answers(result.model, later_rows(data, missing=missing))
    rows = later_rows(data)
    old = type(rows)({name: data.views[name][:6] for name in data.view_names}, data.observed[:6], None)
    np.testing.assert_allclose(
        result.model.predict_new(old),  # type: ignore[attr-defined]
        result.probabilities()[:6],
        atol=1e-6,
    )


def test_more_components_than_rank_are_cut() -> None:
    data, split = make_data(), make_split()
    assert len(fit("gcca", data, split, options={"components": 500}).diagnostics["eigenvalues"]) == 3 + 5 + 2


@pytest.mark.parametrize(
    ("options", "says"),
    [({"components": 0}, "gcca: components=0"), ({"regularisation": -0.1}, "gcca: regularisation=-0.1")],
)
def test_mistakes_are_named(options: dict[str, float], says: str) -> None:
    with pytest.raises(UserError, match=says):
        fit("gcca", make_data(), make_split(), options=options)


def test_constant_views_are_refused() -> None:
    data = MultiViewData.from_arrays({"a": np.ones((45, 2)), "b": np.zeros((45, 1))}, make_data().labels)
    with pytest.raises(UserError, match="gcca: every view is constant"):
        fit("gcca", data, make_split())
