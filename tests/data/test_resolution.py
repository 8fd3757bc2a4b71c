"""Which views stay float64, through every way in, and that all others are float32 as ever."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.data import Card, MultiViewData, convert, load, scale_views
from mvgraph.data.fingerprint import view_hash
from mvgraph.data.h5mu import read_h5mu
from mvgraph.data.h5mu_write import write_h5mu
from mvgraph.data.lazy import LazyViews
from mvgraph.data.resolution import BLOCK_VALUES, Resolution, float64_notes, lost_in_float32
from mvgraph.errors import UserError
from mvgraph.graph import build_graph

N, K = 120, 10
LABELS = np.arange(N) % 3
OFFSETS = (0.0, 1e6, 1e7, 1e8)


def stamps(offset: float, n: int = N, width: int = 3, seed: int = 0) -> np.ndarray:
    """Standard normal columns at an offset. Shapes: (n, width) float64."""
    return np.random.default_rng(seed).normal(size=(n, width)) + offset


def nearest(x: np.ndarray) -> list[set[int]]:
    """The K nearest of every row, in long double."""
    wide = x.astype(np.longdouble)
    distance = np.sqrt(((wide[:, None] - wide[None]) ** 2).sum(axis=2))
    np.fill_diagonal(distance, np.inf)
    return [set(row[:K].tolist()) for row in np.argsort(distance, axis=1, kind="stable")]


def recall(data: MultiViewData, x: np.ndarray, view: str = "a") -> float:
    a = build_graph(data, k=K, symmetrise="directed")[view]
    found = [set(a.indices[a.indptr[i] : a.indptr[i + 1]].tolist()) for i in range(len(x))]
    return float(np.mean([len(f & w) / K for f, w in zip(found, nearest(x), strict=True)]))


def make(x: object, **more: object) -> MultiViewData:
    return MultiViewData.from_arrays({"a": x}, LABELS, **more)  # type: ignore[arg-type]


# -- the decision -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (stamps(1e8), "offset of 1e\\+08 and a spread of"),
        (np.where(np.arange(N)[:, None] % 3 == 0, 0.0, stamps(1e8)), "offset"),
        (np.where(np.arange(N)[:, None] % 2 == 0, 1.5e9, 1.6e9) + 3600 * stamps(0), "offset"),
        (np.arange(N)[:, None] + 2.0**24, "the integer 16777217, which float32 rounds"),
        (np.arange(N)[:, None] + 2**24, "the integer 16777217, which float32 rounds"),
        (-(np.arange(N)[:, None] + 2**24).astype(np.int32), "the integer -16777217"),
        (np.arange(N)[:, None].astype(np.uint64) * 4096 + 2**63, "the integer 92233720368547"),
        (1e-300 * (1 + np.arange(N)[:, None]), "1e-300, which is closer to 0 than"),
        (np.where(np.arange(N)[:, None] == 7, 1e-40, 0.5), "1e-40, which is closer to 0 than"),
        (np.where(np.arange(N)[:, None] == 7, -1e39, 0.5), "-1e\\+39, which is beyond"),
        (np.where(np.arange(N)[:, None] == 7, 1e39, 0.5).astype(np.longdouble), "1e\\+39, which is beyond"),
    ],
    ids=range(11),
)
def test_what_float32_would_lose_stays_float64(values: np.ndarray, why: str) -> None:
    both = np.concatenate([stamps(0, width=1), values.astype(np.float64)], axis=1)
    data = make(values)
    assert data.views["a"].dtype == np.float64
    np.testing.assert_array_equal(data.views["a"], values.astype(np.float64))
    assert len(np.unique(data.views["a"])) == len(np.unique(values))
    assert not data.views["a"].flags.writeable
    (note,) = float64_notes(data)
    assert note.startswith("View 'a' is held in float64: column 0 has") or "column 0 holds" in note
    loss = lost_in_float32(both) if values.dtype.kind == "f" else lost_in_float32(values)
    assert loss is not None
    assert loss.column == (1 if values.dtype.kind == "f" else 0)
    assert re.search(why, loss.why), loss.why


@pytest.mark.parametrize(
    "values",
    [
        stamps(0),
        stamps(0) * 1e18,
        stamps(0) * 1e-30,
        stamps(30),
        stamps(1e8).astype(np.float32).astype(np.float64),
        np.exp(5 * stamps(0)),
        np.round(stamps(0), 2),
        # What another program rounded to nine digits: not information, and not more than float32's error anywhere.
        np.repeat([0.0555, 1.2777, 27.2], N // 3)[:, None] + 1e-8 * stamps(0),
        np.arange(N)[:, None] * 2**20,
        np.arange(N)[:, None] == 3,
        np.full((N, 1), 1e8 + 0.3),
        stamps(0).astype(np.float16),
    ],
    ids=range(12),
)
def test_everything_else_is_float32_as_ever(values: np.ndarray) -> None:
    data = make(values)
    assert data.views["a"].dtype == np.float32
    np.testing.assert_array_equal(data.views["a"], values.astype(np.float32))
    assert data.fingerprint == make(values.astype(np.float32)).fingerprint
    assert float64_notes(data) == ()


def test_rows_without_the_view_do_not_count() -> None:
    x = stamps(0)
    x[3] = 1e300
    x[4] = np.nan
    seen = ~np.isin(np.arange(N), (3, 4))
    data = MultiViewData.from_arrays({"a": x, "b": np.ones((N, 1))}, LABELS, observed={"a": seen})
    assert data.views["a"].dtype == np.float32
    few = np.isin(np.arange(N), np.arange(20))
    held = MultiViewData.from_arrays({"a": stamps(1e8), "b": np.ones((N, 1))}, LABELS, observed={"a": few})
    assert held.views["a"].dtype == np.float64
    assert not held.views["a"][~few].any()


def test_rows_of_nan_do_not_hide_a_loss() -> None:
    """They may be said to be missing later."""
    for x in (stamps(1e8), 2.0**24 + np.arange(N)[:, None]):
        x[::3] = np.nan
        assert lost_in_float32(x) is not None
    x = stamps(0)
    x[::3] = np.nan
    assert lost_in_float32(x) is None


def test_hidden_rows_of_a_file_do_not_count(tmp_path: Path) -> None:
    seen = np.arange(N) % 3 > 0
    for offset in (0.0, 1e8):
        x = np.where(seen[:, None], stamps(offset), np.nan)
        np.savez(tmp_path / "m.npz", a=x, b=np.ones((N, 2)), y=LABELS)
        data = load(tmp_path / "m.npz", nan_is_missing=True)
        assert data.views["a"].dtype == (np.float64 if offset else np.float32)
        np.testing.assert_array_equal(data.observed[:, 0], seen)
        np.testing.assert_array_equal(
            data.views["a"][seen], stamps(offset)[seen].astype(data.views["a"].dtype)
        )


def test_nan_and_inf_are_still_refused() -> None:
    x = stamps(1e8)
    x[5, 1] = np.inf
    with pytest.raises(UserError, match=r"row 5 .*column 1: the value is Inf"):
        make(x)


@given(seed=st.integers(0, 100), n=st.integers(2, 60), width=st.integers(1, 7), rows_first=st.booleans())
@settings(max_examples=25, deadline=None)
def test_blocks_of_any_shape_decide_alike(seed: int, n: int, width: int, rows_first: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, width)) + rng.choice([0.0, 1e4, 1e8], size=width)
    watch = Resolution(x.shape)
    at = 0
    while at < (n if rows_first else width):
        size = int(rng.integers(1, 5))
        if rows_first:
            watch.look(x[at : at + size], at)
        else:
            watch.look(x[:, at : at + size], 0, at)
        at += size
    assert watch.loss() == lost_in_float32(x)


def test_tables_of_many_blocks_are_looked_at_to_their_end() -> None:
    x = np.ones((BLOCK_VALUES + 5, 2))
    x[-1, 1] = 1e39
    loss = lost_in_float32(x)
    assert loss is not None
    assert loss.column == 1


# -- fingerprints and files ---------------------------------------------------------------------


def test_fingerprints_tell_float64_views_apart() -> None:
    x = stamps(1e8)
    y = x.copy()
    y[0, 0] += 1e-6
    full = np.ones(N, dtype=bool)
    assert view_hash(x, full) != view_hash(y, full)
    assert view_hash(x, full) == view_hash(x.copy(order="F").copy(), full)
    narrow = stamps(0).astype(np.float32)
    assert view_hash(narrow, full) != view_hash(narrow.astype(np.float64), full)


@pytest.mark.parametrize("compact", [False, True])
def test_files_keep_float64(tmp_path: Path, compact: bool) -> None:
    seen = np.arange(N) % 4 > 0
    views = {"a": stamps(1e8), "b": stamps(0), "c": 2**24 + np.arange(N)[:, None]}
    data = MultiViewData.from_arrays(views, LABELS, observed={"a": seen}, card=Card(name="mine"))
    write_h5mu(data, tmp_path / "m.h5mu", compact)
    again = read_h5mu(tmp_path / "m.h5mu")
    assert isinstance(again.views, LazyViews)
    assert again.views.wide == {"a", "c"}
    assert again.select_views(["a", "b"]).views.wide == {"a", "c"}  # type: ignore[attr-defined]
    assert len(float64_notes(again, read=False)) == 2
    for name in views:
        assert again.views[name].dtype == data.views[name].dtype
        np.testing.assert_array_equal(again.views[name], data.views[name])
    assert again.fingerprint == data.fingerprint
    with h5py.File(tmp_path / "m.h5mu") as file:
        assert [file[f"mod/{name}/X"].dtype for name in "abc"] == [np.float64, np.float32, np.float64]


def test_a_file_in_float64_without_need_is_float32(tmp_path: Path) -> None:
    """Other tools write float64 into our files."""
    data = make(stamps(0))
    write_h5mu(data, tmp_path / "m.h5mu")
    with h5py.File(tmp_path / "m.h5mu", "r+") as file:
        values = file["mod/a/X"][()]
        del file["mod/a/X"]
        file["mod/a/X"] = values.astype(np.float64)
    again = read_h5mu(tmp_path / "m.h5mu")
    assert again.views["a"].dtype == np.float32
    assert again.fingerprint == data.fingerprint


def as_npz(x: np.ndarray, folder: Path) -> MultiViewData:
    np.savez(folder / "m.npz", a=x, y=LABELS)
    return load(folder / "m.npz")


def as_flat_npz(x: np.ndarray, folder: Path) -> MultiViewData:
    np.savez_compressed(folder / "m.npz", a=np.asfortranarray(x).T.copy(), y=LABELS)
    return load(folder / "m.npz", transpose=True)


def as_folder(x: np.ndarray, folder: Path) -> MultiViewData:
    np.save(folder / "a.npy", np.asfortranarray(x))
    np.save(folder / "labels.npy", LABELS)
    return load(folder)


def as_csv(x: np.ndarray, folder: Path) -> MultiViewData:
    frame = pd.DataFrame(x).add_prefix("a_").assign(label=LABELS)
    frame.to_csv(folder / "m.csv", index=False)
    return load(folder / "m.csv", prefix="_")


def as_parquet(x: np.ndarray, folder: Path) -> MultiViewData:
    pytest.importorskip("pyarrow")
    pd.DataFrame(x).add_prefix("a_").assign(label=LABELS).to_parquet(folder / "m.parquet")
    return load(folder / "m.parquet", prefix="_")


def as_mat(x: np.ndarray, folder: Path) -> MultiViewData:
    scipy.io.savemat(folder / "m.mat", {"a": x, "y": LABELS})
    return load(folder / "m.mat")


def as_sparse_mat(x: np.ndarray, folder: Path) -> MultiViewData:
    scipy.io.savemat(folder / "m.mat", {"a": scipy.sparse.csc_matrix(x), "y": LABELS})
    return load(folder / "m.mat")


def annotated(group: h5py.Group, x: object) -> None:
    group.attrs["encoding-type"] = "anndata"
    if isinstance(x, scipy.sparse.csr_matrix):
        matrix = group.create_group("X")
        matrix.attrs["encoding-type"], matrix.attrs["shape"] = "csr_matrix", x.shape
        matrix["data"], matrix["indices"], matrix["indptr"] = x.data, x.indices, x.indptr
    else:
        group["X"] = x
    obs = group.create_group("obs")
    obs.attrs["_index"] = "_index"
    obs["_index"] = [f"s{i}" for i in range(N)]
    obs["label"] = LABELS


def as_h5ad(x: np.ndarray, folder: Path) -> MultiViewData:
    with h5py.File(folder / "m.h5ad", "w") as file:
        annotated(file, x)
    return load(folder / "m.h5ad", views={"a": "X"})


def as_sparse_h5ad(x: np.ndarray, folder: Path) -> MultiViewData:
    with h5py.File(folder / "m.h5ad", "w") as file:
        annotated(file, scipy.sparse.csr_matrix(x))
    return load(folder / "m.h5ad", views={"a": "X"})


def as_foreign_h5mu(x: np.ndarray, folder: Path) -> MultiViewData:
    with h5py.File(folder / "m.h5mu", "w") as file:
        annotated(file.create_group("mod/a"), x)
        obs = file.create_group("obs")
        obs.attrs["_index"] = "_index"
        obs["_index"] = [f"s{i}" for i in range(N)]
    return load(folder / "m.h5mu", labels="a:label")


WAYS = [
    as_npz, as_flat_npz, as_folder, as_csv, as_parquet, as_mat, as_sparse_mat, as_h5ad, as_sparse_h5ad,
    as_foreign_h5mu,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_keeps_neighbours(
    way: Callable[[np.ndarray, Path], MultiViewData], tmp_path: Path
) -> None:
    for offset in (0.0, 1e8):
        x = stamps(offset)
        data = way(x, tmp_path)
        view = data.view_names[0]
        assert data.views[view].dtype == (np.float64 if offset else np.float32)
        assert recall(data, x, view) == 1.0
        np.testing.assert_array_equal(data.views[view], x.astype(data.views[view].dtype))


def test_converting_tells_and_keeps(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", a=stamps(1e8), y=LABELS)
    convert(tmp_path / "m.npz", tmp_path / "m.h5mu")
    again = load(tmp_path / "m.h5mu")
    np.testing.assert_array_equal(again.views["a"], stamps(1e8))
    assert len(float64_notes(again, read=False)) == 1
    assert float64_notes(load(tmp_path / "m.npz"), read=False) == ()
    assert len(float64_notes(load(tmp_path / "m.npz"))) == 1


# -- graphs and scaling -------------------------------------------------------------------------


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("kind", ["none", "zscore", "minmax", "l2"])
def test_scaling_and_graph_keep_neighbours(offset: float, kind: str) -> None:
    x = stamps(offset)
    wide = x.astype(np.longdouble)
    wanted = {
        "none": wide,
        "zscore": (wide - wide.mean(axis=0)) / wide.std(axis=0),
        "minmax": (wide - wide.min(axis=0)) / (wide.max(axis=0) - wide.min(axis=0)),
        "l2": wide / np.sqrt((wide**2).sum(axis=1))[:, None],
    }[kind]
    scaled = scale_views(make(x), kind)
    view = scaled.views["a"]
    assert view.dtype == (np.float64 if offset and kind in ("none", "l2") else np.float32)
    if kind in ("zscore", "minmax"):
        # An offset of 1e8 leaves float64 eight digits of a spread of 1.
        np.testing.assert_allclose(view, wanted.astype(np.float64), atol=3e-7)
    assert recall(scaled, wanted) >= (0.999 if kind == "l2" else 1.0)


def test_statistics_of_the_training_rows() -> None:
    from mvgraph.data import Split

    x = stamps(1e8)
    split = Split(np.arange(40), np.arange(40, 60), np.arange(60, N))
    found = scale_views(make(x), "zscore", "train", split).views["a"]
    shifted = x - 1e8
    np.testing.assert_allclose(
        found, (shifted - shifted[:40].mean(axis=0)) / shifted[:40].std(axis=0), atol=3e-7
    )


@pytest.mark.parametrize("size", [1e-300, 1e-40, 1e39, 1e200, 1e307])
@pytest.mark.parametrize("kind", ["zscore", "minmax", "l2"])
def test_tiny_and_huge_columns_scale_like_others(size: float, kind: str) -> None:
    x = stamps(0)
    found = scale_views(make(x * size), kind).views["a"]
    assert found.dtype == np.float32
    # l2 and the others are blind to a factor.
    wanted = scale_views(make(x.astype(np.float32)), kind).views["a"]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_column_that_is_constant_at_an_offset_becomes_0() -> None:
    x = stamps(1e8)
    x[:, 1] = 1e8 + 0.3
    for kind in ("zscore", "minmax"):
        assert not scale_views(make(x), kind).views["a"][:, 1].any()


def test_a_range_beyond_float64_is_refused() -> None:
    x = np.where(np.arange(N)[:, None] % 2 == 0, 1.7e308, -1.7e308)
    with pytest.raises(UserError, match=r"Column 0 of a view reaches from -1.7e\+308 to 1.7e\+308"):
        scale_views(make(x), "zscore")


def test_scaled_views_that_float32_cannot_hold_stay_float64() -> None:
    """A few rows at 0 among time stamps: z-scores of all others lie within 1e-7."""
    x = stamps(1e8)
    x[:12] = 0.0
    scaled = scale_views(make(x), "zscore")
    assert scaled.views["a"].dtype == np.float64
    assert recall(scaled, x) >= 0.999


def test_subsets_and_masks_carry_float64() -> None:
    data = MultiViewData.from_arrays({"a": stamps(1e8), "b": stamps(0)}, LABELS)
    rows = np.arange(30)
    np.testing.assert_array_equal(data.subset(rows).views["a"], stamps(1e8)[:30])
    seen = np.ones((N, 2), dtype=bool)
    seen[:10, 0] = False
    assert data.with_observed(seen).views["a"].dtype == np.float64
