"""Our files in the hands of the real mudata, and back: run by `make mudata-roundtrip` in an environment of its own.

    python tests/external/mudata_roundtrip.py FOLDER

1. mvgraph writes, mudata reads: values, missing rows, labels, groups and splits are where its users look for them.
2. mudata writes that again, mvgraph reads: the same fingerprint, labels, groups, splits and card.
3. mudata sorts and cuts the samples and writes, mvgraph reads: rows, labels and splits moved together.
4. mudata and anndata write files of their own (dense, sparse, categorical, nullable), mvgraph imports them.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import anndata
import mudata
import numpy as np
import pandas as pd
from scipy import sparse

from mvgraph.data import Card, MultiViewData, Split, load, write_h5mu

N = 40


def made() -> MultiViewData:
    """Three views, one of which five samples lack; unlabelled rows, a group and a split."""
    rng = np.random.default_rng(3)
    observed = np.ones((N, 3), dtype=bool)
    observed[[2, 7, 11, 30, 39], 1] = False
    labels = np.array([("x", "yy", "z")[i % 3] for i in range(N)], dtype=object)
    labels[[0, 5]] = None
    rows = np.setdiff1d(np.arange(N), [0, 5])
    return MultiViewData.from_arrays(
        {name: rng.normal(size=(N, width)) for name, width in (("a", 3), ("b", 4), ("c", 2))},
        labels,
        ids=[f"s{i:02d}" for i in range(N)],
        groups={"city": [f"city{i % 4}" for i in range(N)]},
        observed=observed,
        official_splits={"first": Split(rows[:20], rows[20:25], rows[25:], parameters={"from": "us"})},
        card=Card("made", "Made", "here", "CC0", "Nobody.", ("A note.",)),
    )


def same(first: MultiViewData, second: MultiViewData) -> None:
    """Every part of two data sets."""
    assert first.fingerprint == second.fingerprint
    assert first.classes == second.classes
    assert first.ids.tolist() == second.ids.tolist()
    assert {k: v.tolist() for k, v in first.groups.items()} == {
        k: v.tolist() for k, v in second.groups.items()
    }
    assert dict(first.official_splits) == dict(second.official_splits)
    assert first.card == second.card


def ours_read_by_mudata(data: MultiViewData, path: Path) -> mudata.MuData:
    """Step 1."""
    read = mudata.read_h5mu(path)
    assert list(read.mod) == list(data.view_names)
    assert read.obs_names.tolist() == data.ids.tolist()
    for column, name in enumerate(data.view_names):
        present = data.observed[:, column]
        assert read[name].obs_names.tolist() == data.ids[present].tolist()
        np.testing.assert_array_equal(read[name].X, data.views[name][present])
    named = [None if pd.isna(value) else value for value in read.obs["label"]]
    assert named == [None if code < 0 else data.classes[code] for code in data.labels]
    assert read.obs["city"].astype(str).tolist() == data.groups["city"].tolist()
    assert read.obs["split:first"].value_counts().to_dict() == {"train": 20, "validation": 5, "test": 13}
    return read


def moved_by_mudata(data: MultiViewData, read: mudata.MuData, path: Path) -> None:
    """Step 3."""
    order = np.random.default_rng(0).permutation(N)[:33]
    read[data.ids[order]].copy().write(path)
    moved = load(path)
    at = pd.Index(data.ids).get_indexer(moved.ids)
    assert sorted(moved.ids) == sorted(data.ids[order])
    np.testing.assert_array_equal(moved.labels, data.labels[at])
    np.testing.assert_array_equal(moved.observed, data.observed[at])
    for name in data.view_names:
        np.testing.assert_array_equal(moved.views[name], data.views[name][at])
    before = data.official_splits["first"].assignment(N)[at]
    np.testing.assert_array_equal(moved.official_splits["first"].assignment(moved.n_samples), before)


def theirs(folder: Path) -> None:
    """Step 4."""
    rng = np.random.default_rng(5)
    ids = [f"cell{i}" for i in range(N)]
    kinds = pd.Categorical([("b", "t")[i % 2] for i in range(N)])
    obs = pd.DataFrame(
        {"celltype": kinds, "batch": pd.array([i % 3 for i in range(N)], dtype="Int64")}, index=ids
    )
    rna = anndata.AnnData(sparse.random(N, 30, 0.2, format="csr", random_state=1, dtype=np.float32), obs=obs)
    rna.obsm["X_pca"] = rng.normal(size=(N, 5))
    rna.write_h5ad(folder / "rna.h5ad")
    data = load(
        folder / "rna.h5ad", labels="celltype", group_columns="batch", views={"rna": "X", "pca": "obsm/X_pca"}
    )
    np.testing.assert_array_equal(data.views["rna"], rna.X.toarray())
    np.testing.assert_array_equal(data.views["pca"], rna.obsm["X_pca"].astype(np.float32))
    assert data.classes == ("b", "t")
    assert data.groups["batch"].tolist() == [str(i % 3) for i in range(N)]
    rows = rng.permutation(N)[:-6]
    protein = anndata.AnnData(rng.normal(size=(N - 6, 4)), obs=pd.DataFrame(index=[ids[i] for i in rows]))
    whole = mudata.MuData({"rna": rna, "protein": protein})
    whole.write(folder / "theirs.h5mu")
    data = load(folder / "theirs.h5mu", labels="rna:celltype")
    at = pd.Index(data.ids).get_indexer(ids)
    np.testing.assert_array_equal(data.views["rna"][at], rna.X.toarray())
    present = np.isin(np.arange(N), rows)
    np.testing.assert_array_equal(data.observed[at, data.view_names.index("protein")], present)
    back = pd.Index(ids).get_indexer(protein.obs_names)
    np.testing.assert_array_equal(data.views["protein"][at][back], protein.X.astype(np.float32))


def main(folder: Path) -> None:
    """All four steps; the first difference ends the program."""
    data = made()
    write_h5mu(data, folder / "ours.h5mu")
    write_h5mu(data, folder / "compact.h5mu", compact=True)
    for name in ("ours", "compact"):
        read = ours_read_by_mudata(data, folder / f"{name}.h5mu")
        read.write(folder / f"{name}-again.h5mu")
        same(load(folder / f"{name}-again.h5mu"), data)
    moved_by_mudata(data, read, folder / "moved.h5mu")
    theirs(folder)
    print(f"mudata {version('mudata')}, anndata {version('anndata')}: round trip both ways")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
