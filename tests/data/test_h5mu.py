"""The native file: round trips, laziness, layout, atomic writing, and files that lie."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.data import Card, LazyViews, MultiViewData, Split, h5mu, hdf5, read_h5mu, write_h5mu
from mvgraph.errors import UserError

N = 10
CARD = Card("toy", "Toy", "made up", "CC0", "Nobody, 2024.", ("One note.", "Zwei Anmerkungen für später."))


def make(seed: int = 0, observed: np.ndarray | None = None) -> MultiViewData:
    rng = np.random.default_rng(seed)
    views = {
        "audio": rng.normal(size=(N, 3)),
        "video": rng.integers(0, 300, size=(N, 5)),
        "z": np.ones((N, 1)),
    }
    labels = ["bus", "tram", None, "bus", "tram", "bus", "tram", "métro", "métro", None]
    return MultiViewData.from_arrays(
        views,
        labels,
        ids=[f"clip-{i}" for i in range(N)],
        groups={"city": ["Porto"] * 4 + ["Łódź"] * 6},
        observed=observed,
        official_splits={
            "fold1": Split([0, 1, 7], [3], [4, 8], scheme="published", parameters={"note": "x"})
        },
        card=CARD,
    )


def same(found: MultiViewData, expected: MultiViewData) -> None:
    assert found.fingerprint == expected.fingerprint
    assert found.view_names == expected.view_names
    for name in expected.view_names:
        np.testing.assert_array_equal(found.views[name], expected.views[name])
    assert found.classes == expected.classes
    assert found.labels.tolist() == expected.labels.tolist()
    assert found.ids.tolist() == expected.ids.tolist()
    assert {k: v.tolist() for k, v in found.groups.items()} == {
        k: v.tolist() for k, v in expected.groups.items()
    }
    np.testing.assert_array_equal(found.observed, expected.observed)
    assert dict(found.official_splits) == dict(expected.official_splits)
    assert found.card == expected.card


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.lists(st.integers(0, N * 2 - 1), max_size=8))
def test_round_trip_with_missing_rows(seed: int, compact: bool, hidden: list[int]) -> None:
    mask = np.ones((N, 3), dtype=bool)
    for entry in hidden:  # the third view stays whole, so that no sample is lost
        mask[entry // 2, entry % 2] = False
    data = make(seed, mask)
    with tempfile.TemporaryDirectory() as folder:
        write_h5mu(data, Path(folder) / "a.h5mu", compact=compact)
        same(read_h5mu(Path(folder) / "a.h5mu"), data)


def test_the_same_bytes_each_time_and_through_a_reader(tmp_path: Path) -> None:
    write_h5mu(make(), tmp_path / "a.h5mu")
    write_h5mu(make(), tmp_path / "b.h5mu")
    write_h5mu(read_h5mu(tmp_path / "a.h5mu"), tmp_path / "c.h5mu")
    assert len({(tmp_path / f"{name}.h5mu").read_bytes() for name in "abc"}) == 1


def test_unlabelled_data_without_groups_and_card(tmp_path: Path) -> None:
    data = MultiViewData.from_arrays({"a": np.ones((3, 2))}, None)
    write_h5mu(data, tmp_path / "a.h5mu")
    same(read_h5mu(tmp_path / "a.h5mu"), data)


def test_the_layout_is_that_of_mudata(tmp_path: Path) -> None:
    mask = np.ones((N, 3), dtype=bool)
    mask[[0, 4], 0] = False
    path = tmp_path / "a.h5mu"
    write_h5mu(make(observed=mask), path)
    assert path.read_bytes().startswith(b"MuData (format-version=0.1.0;creator=mvgraph;")
    kinds = {
        "/": ("MuData", "0.1.0"),
        "mod/audio": ("anndata", "0.1.0"),
        "mod/audio/X": ("array", "0.2.0"),
        "mod/audio/obs": ("dataframe", "0.2.0"),
        "mod/audio/obs/_index": ("string-array", "0.2.0"),
        "mod/audio/uns": ("dict", "0.1.0"),
        "obs": ("dataframe", "0.2.0"),
        "obs/label": ("categorical", "0.2.0"),
        "obs/label/codes": ("array", "0.2.0"),
        "obsmap": ("dict", "0.1.0"),
        "uns/mvgraph/card/title": ("string", "0.2.0"),
    }
    with h5py.File(path) as file:
        for place, (kind, version) in kinds.items():
            assert file[place].attrs["encoding-type"] == kind, place
            assert file[place].attrs["encoding-version"] == version, place
        assert file.attrs["axis"] == 0
        assert file["mod"].attrs["mod-order"].tolist() == ["audio", "video", "z"]
        assert file["obs"].attrs["_index"] == "_index"
        assert file["obs"].attrs["column-order"].tolist() == ["label", "city", "split:fold1"]
        assert file["obsmap/audio"][()].tolist() == [0, 1, 2, 3, 0, 4, 5, 6, 7, 8]
        assert file["obsmap/video"][()].tolist() == list(range(1, N + 1))
        assert file["mod/audio/X"].shape == (N - 2, 3)
        assert file["mod/audio/obs/_index"].asstr()[0] == "clip-1"
        assert file["varmap/video"][()].tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 0]


def test_compact_files_hold_small_integers(tmp_path: Path) -> None:
    write_h5mu(make(), tmp_path / "a.h5mu", compact=True)
    with h5py.File(tmp_path / "a.h5mu") as file:
        assert file["mod/video/X"].dtype == np.uint16
        assert file["mod/z/X"].dtype == np.uint8
        assert file["mod/audio/X"].dtype == np.float32
        assert file["mod/audio/X"].compression == "gzip"
    negative = MultiViewData.from_arrays({"a": -np.ones((4, 1)), "b": np.full((4, 1), -300.0)}, [0, 0, 1, 1])
    write_h5mu(negative, tmp_path / "b.h5mu", compact=True)
    with h5py.File(tmp_path / "b.h5mu") as file:
        assert (file["mod/a/X"].dtype, file["mod/b/X"].dtype) == (np.int8, np.int16)
    huge = MultiViewData.from_arrays({"a": np.full((4, 1), 2.0**40)}, [0, 0, 1, 1])
    write_h5mu(huge, tmp_path / "c.h5mu", compact=True)
    same(read_h5mu(tmp_path / "c.h5mu"), huge)


def test_views_are_read_one_by_one(tmp_path: Path) -> None:
    write_h5mu(make(), tmp_path / "a.h5mu")
    data = read_h5mu(tmp_path / "a.h5mu")
    assert isinstance(data.views, LazyViews)
    assert data.view_dims == {"audio": 3, "video": 5, "z": 1}
    assert data.views.loaded == ()
    assert data.views["video"].shape == (N, 5)
    assert data.views.loaded == ("video",)
    assert not data.views["video"].flags.writeable
    again = pickle.loads(pickle.dumps(data))
    assert again.views.loaded == ()
    same(again, data)


def test_a_relative_path_survives_a_change_of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_h5mu(make(), tmp_path / "a.h5mu")
    monkeypatch.chdir(tmp_path)
    data = read_h5mu("a.h5mu")
    monkeypatch.chdir("/")
    same(data, make())


def test_a_file_replaced_after_opening_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5mu"
    write_h5mu(make(), path)
    data = read_h5mu(path)
    write_h5mu(MultiViewData.from_arrays({"audio": np.ones((4, 1))}, [0, 0, 1, 1]), path)
    with pytest.raises(UserError, match="has changed since it was opened"):
        data.views["audio"]


def test_rows_in_another_order_and_small_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.h5mu"
    data = make()
    write_h5mu(data, path)
    with h5py.File(path, "r+") as file:
        order = np.random.default_rng(0).permutation(N)
        file["mod/video/X"][...] = data.views["video"][order]
        file["obsmap/video"][...] = np.argsort(order) + 1
    monkeypatch.setattr(h5mu, "BLOCK_VALUES", 15)
    same(read_h5mu(path), data)


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.h5mu"
    write_h5mu(make(), path)
    before = path.read_bytes()

    def broken(name: str) -> np.ndarray:
        raise OSError("disk full")

    good = make(1)
    bad = MultiViewData(
        views=LazyViews(good.view_dims, N, broken),
        labels=good.labels,
        classes=good.classes,
        ids=good.ids,
        groups={},
        observed=good.observed,
    )
    with pytest.raises(OSError, match="disk full"):
        write_h5mu(bad, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5mu"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        write_h5mu(make(), tmp_path / "nowhere" / "a.h5mu")
    with pytest.raises(UserError, match="it is a folder"):
        write_h5mu(make(), tmp_path)
    with pytest.raises(UserError, match="Class 'bus' has one member only"):
        write_h5mu(make().subset([0, 1, 4]), tmp_path / "a.h5mu")


def replace(file: h5py.File, name: str, values: object) -> None:
    del file[name]
    file[name] = values


def external(file: h5py.File) -> None:
    del file["mod/audio/X"]
    file["mod/audio/X"] = h5py.ExternalLink("/etc/other.h5", "/X")


def soft(file: h5py.File) -> None:
    del file["mod/audio/X"]
    file["mod/audio/X"] = h5py.SoftLink("/mod/video/X")


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(N, 3), dtype="f4")
    layout[...] = h5py.VirtualSource("other.h5", "X", shape=(N, 3))
    del file["mod/audio/X"]
    file.create_virtual_dataset("mod/audio/X", layout)


def raw_storage(file: h5py.File) -> None:
    del file["mod/audio/X"]
    file.create_dataset("mod/audio/X", (N, 3), "f4", external=[("other.bin", 0, N * 12)])


def references(file: h5py.File) -> None:
    file.create_dataset("mod/audio/uns/r", (2,), dtype=h5py.ref_dtype)


def opaque(file: h5py.File) -> None:
    del file["mod/audio/X"]
    file.create_dataset("mod/audio/X", data=np.full((N, 3), b"gASV", dtype="S4"))


def huge(file: h5py.File) -> None:
    del file["mod/audio/X"]
    file.create_dataset("mod/audio/X", shape=(10**9, 3), dtype="f4", chunks=(1000, 3))


def sparse(file: h5py.File) -> None:
    del file["mod/audio/X"]
    file.create_group("mod/audio/X")


LIES: list[tuple[str, Callable[[h5py.File], object], str]] = [
    ("external link", external, "/mod/audio/X is an external link"),
    ("soft link", soft, "/mod/audio/X is a soft link"),
    ("virtual", virtual, "/mod/audio/X takes its values from another file"),
    ("raw storage", raw_storage, "/mod/audio/X takes its values from another file"),
    ("references", references, "holds objects or references"),
    ("bytes", opaque, "view 'audio' must be a table of numbers"),
    ("huge header", huge, r"/mod/audio/X declares \(1000000000, 3\) values, but the file does not hold them"),
    ("sparse", sparse, "lacks the array /mod/audio/X"),
    ("vector", lambda f: replace(f, "mod/audio/X", np.ones(N)), "must be a table of numbers"),
    (
        "no columns",
        lambda f: replace(f, "mod/audio/X", np.ones((N, 0))),
        "'audio' is empty: it has no columns",
    ),
    ("obsmap twice", lambda f: replace(f, "obsmap/audio", np.ones(N, int)), "/obsmap/audio does not fit"),
    ("obsmap short", lambda f: replace(f, "obsmap/audio", np.arange(3)), "/obsmap/audio does not fit"),
    (
        "obsmap floats",
        lambda f: replace(f, "obsmap/audio", np.ones(N)),
        "/obsmap/audio must be a list of integers",
    ),
    (
        "codes",
        lambda f: replace(f, "obs/label/codes", np.full(N, 9)),
        "/obs/label has code 9 at row 0 for 3 categories",
    ),
    ("ids", lambda f: replace(f, "obs/_index", np.ones(N)), "/obs/_index must be a list of strings"),
    ("no obs", lambda f: f.__delitem__("obs"), "lacks the group /obs"),
    ("no views", lambda f: replace(f, "mod", np.ones(3)), "lacks the group /mod"),
    ("no mark", lambda f: f.__delitem__("uns/mvgraph"), "was not written by mvgraph"),
    ("other kind", lambda f: f.attrs.__setitem__("encoding-type", "anndata"), "encoding-type is 'anndata'"),
    (
        "format",
        lambda f: replace(f, "uns/mvgraph/format", 2),
        "has format 2, but .* reads format 1",
    ),
    ("card", lambda f: replace(f, "uns/mvgraph/card/title", np.ones(3)), "card/title must be one string"),
    (
        "split codes",
        lambda f: replace(f, "obs/split:fold1/codes", np.full(N, -2)),
        "/obs/split:fold1 has code -2 at row 0 for 3 categories",
    ),
    (
        "split",
        lambda f: replace(f, "uns/mvgraph/splits/fold1", "{"),
        "official split 'fold1' is damaged",
    ),
    (
        "split seed",
        lambda f: replace(f, "uns/mvgraph/splits/fold1", json.dumps([1])),
        "'fold1' is damaged",
    ),
]


@pytest.mark.parametrize(("lie", "message"), [case[1:] for case in LIES], ids=[case[0] for case in LIES])
def test_files_that_lie_are_refused(tmp_path: Path, lie: Callable[[h5py.File], object], message: str) -> None:
    path = tmp_path / "a.h5mu"
    write_h5mu(make(), path)
    with h5py.File(path, "r+") as file:
        lie(file)
    with pytest.raises(UserError, match=message) as caught:
        read_h5mu(path)
    assert "\n" not in str(caught.value)


def sort_rows_as_other_tools_do(file: h5py.File, order: np.ndarray) -> None:
    """Rows of obs and obsmap in another order, X untouched, strings as a categorical, the index under a new name."""
    ids = file["obs/_index"].asstr()[()][order]
    file["obs/cell"] = ids.tolist()
    file["obs"].attrs["_index"] = "cell"
    for column in ("label", "split:fold1"):
        file[f"obs/{column}/codes"][...] = file[f"obs/{column}/codes"][()][order]
    cities = file["obs/city"].asstr()[()][order]
    names, codes = np.unique(cities, return_inverse=True)
    del file["obs/city"]
    file["obs/city/codes"] = codes
    file["obs/city/categories"] = names.tolist()
    for view in file["obsmap"]:
        file[f"obsmap/{view}"][...] = file[f"obsmap/{view}"][()][order]


def test_a_file_whose_rows_another_tool_has_sorted(tmp_path: Path) -> None:
    path = tmp_path / "a.h5mu"
    mask = np.ones((N, 3), dtype=bool)
    mask[[0, 4], 0] = False
    data = make(observed=mask)
    write_h5mu(data, path)
    order = np.random.default_rng(1).permutation(N)
    with h5py.File(path, "r+") as file:
        sort_rows_as_other_tools_do(file, order)
    found = read_h5mu(path)
    assert found.ids.tolist() == data.ids[order].tolist()
    back = found.subset(np.argsort(order))
    assert back.fingerprint == data.fingerprint
    assert back.groups["city"].tolist() == data.groups["city"].tolist()
    split, original = found.official_splits["fold1"], data.official_splits["fold1"]
    for part in ("train", "validation", "test"):
        assert set(found.ids[getattr(split, part)]) == set(data.ids[getattr(original, part)])
    with h5py.File(path, "r+") as file:
        file["obs/city/codes"][0] = -1
    with pytest.raises(UserError, match="/obs/city has a row without a value"):
        read_h5mu(path)


def test_an_empty_mod_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5mu"
    write_h5mu(make(), path)
    with h5py.File(path, "r+") as file:
        for name in list(file["mod"]):
            del file["mod"][name]
    with pytest.raises(UserError, match="holds no view"):
        read_h5mu(path)


def test_values_are_checked_when_a_view_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5mu"
    write_h5mu(make(), path)
    with h5py.File(path, "r+") as file:
        file["mod/audio/X"][3, 1] = np.nan
    data = read_h5mu(path)
    assert data.views["video"].shape == (N, 5)
    with pytest.raises(UserError, match=r"View 'audio', row 3 \(id 'clip-3'\), column 1: the value is NaN"):
        data.views["audio"]


def test_a_loop_of_hard_links_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.h5mu"
    write_h5mu(make(), path)
    with h5py.File(path, "r+") as file:
        file["uns/self"] = file["uns"]
    same(read_h5mu(path), make())
    monkeypatch.setattr(hdf5, "MOST_OBJECTS", 20)
    with pytest.raises(UserError, match="more than 20 objects"):
        read_h5mu(path)


def test_truncated_missing_and_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "a.h5mu"
    write_h5mu(make(), path)
    whole = path.read_bytes()
    for size in (0, 100, 2000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="is damaged, truncated or not an HDF5 file"):
            read_h5mu(path)
    path.write_text("fac,fou\n1,2\n")
    with pytest.raises(UserError, match="not an HDF5 file"):
        read_h5mu(path)
    with pytest.raises(UserError, match="There is no file"):
        read_h5mu(tmp_path / "b.h5mu")
