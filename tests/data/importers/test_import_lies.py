"""Files that lie, and files of noise: one sentence, no memory, no code run, no crash."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import textwrap
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_files import small_labels, small_views, write_mat73
from scipy import sparse
from scipy.io import savemat

from mvgraph.data import load
from mvgraph.errors import UserError

#: Python memory that a refusal may take.
LITTLE = 24 << 20


def header(shape: tuple[int, ...], dtype: str = "<f8") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def npz(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def array(values: object, allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(values), allow_pickle=allow_pickle)
    return stream.getvalue()


def refused(path: Path, message: str, **options: object) -> None:
    """Loading and reading every view ends in one sentence and takes next to no memory."""
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=message) as caught:
            load(path, **options).in_memory()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert peak < LITTLE


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was run')",))


Y = {"y.npy": array(small_labels())}


def test_pickles_and_objects_in_npz(tmp_path: Path) -> None:
    objects = np.empty(3, dtype=object)
    objects[:] = [Bomb(), 1, "x"]
    refused(
        npz(tmp_path / "m.npz", {"a.npy": array(objects, True), **Y}),
        r"array 'a' holds Python objects \(a pickle\)",
    )
    refused(npz(tmp_path / "m.npz", {"a.pkl": b"cos\nsystem\n", **Y}), "a.pkl is not an array")
    records = np.zeros(4, dtype=[("x", "f8"), ("y", "f8")])
    refused(npz(tmp_path / "m.npz", {"a.npy": array(records), **Y}), "neither numbers nor strings")
    refused(
        npz(tmp_path / "m.npz", {"a.npy": array(np.ones((12, 3), complex)), **Y}), "holds complex128 values"
    )


@pytest.mark.parametrize("shape", [(10**9, 3), (12, 10**9), (10**9, 10**9), (12, 4), (-12, 3), (10**30, 2)])
def test_headers_that_claim_too_much(tmp_path: Path, shape: tuple[int, ...]) -> None:
    content = header(shape) + np.ones((12, 3)).tobytes()
    refused(
        npz(tmp_path / "m.npz", {"a.npy": content, **Y}), "claims shape|is not an array in numpy's format"
    )
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.npy").write_bytes(content)
    refused(tmp_path / "set", "claims shape|is not an array in numpy's format")


def test_a_header_of_code(tmp_path: Path) -> None:
    text = b"{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (1,)}\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    refused(npz(tmp_path / "m.npz", {"a.npy": content, **Y}), "is not an array in numpy's format")


def test_zip_bombs(tmp_path: Path) -> None:
    # A central directory that claims 100 GB for a member of a few bytes, with a header that fits the claim.
    rows = 10**9
    path = npz(tmp_path / "m.npz", {"a.npy": header((rows, 12)) + b"\0" * 99, **Y}, zipfile.ZIP_DEFLATED)
    raw = path.read_bytes()
    size = len(header((rows, 12))) + 99
    claimed = struct.pack("<I", 0xFFFFFF00)
    path.write_bytes(raw.replace(struct.pack("<I", size), claimed))
    refused(path, "a.npy claims 4294967040 bytes, but the file holds")
    # Many names for the same bytes.
    with zipfile.ZipFile(tmp_path / "o.npz", "w") as archive:
        archive.writestr("a.npy", array(np.ones((12, 40))))
        first = archive.infolist()[0]
        for i in range(50):
            twin = zipfile.ZipInfo(f"b{i}.npy")
            for name in ("header_offset", "file_size", "compress_size", "CRC", "compress_type"):
                setattr(twin, name, getattr(first, name))
            archive.filelist.append(twin)
        archive._didModify = True
    refused(tmp_path / "o.npz", "claim more bytes than the file has")


def test_a_large_claim_takes_no_memory_of_the_process(tmp_path: Path) -> None:
    """Measured from outside, where memory that numpy takes by itself is seen, too."""
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header((10**5, 3 * 10**4), "|u1") + b"\0" * (4 << 20))
        archive.writestr("y.npy", array(small_labels()))
    program = textwrap.dedent(
        f"""
        import resource
        from mvgraph.data import load
        from mvgraph.errors import UserError
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            load({str(path)!r}).in_memory()
        except UserError as error:
            print(error)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    sentence, grown = done.stdout.strip().splitlines()
    assert "which takes 3000000000 bytes, but 4194304 are there" in sentence
    assert int(grown) * (1 if sys.platform == "darwin" else 1024) < LITTLE


def test_more_than_the_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvgraph.data.importers.limits.physical_memory", lambda: 100)
    np.savez(tmp_path / "m.npz", a=np.ones((12, 40)), y=small_labels())
    refused(
        tmp_path / "m.npz",
        r"array 'a' of shape \(12, 40\) would take 0 MiB as float32, but this machine has 0 MiB",
    )


@pytest.mark.parametrize("ending", [".npz", ".mat", ".h5ad", ".h5mu", ".parquet", ".csv"])
@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"MATLAB 5.0 MAT-file".ljust(126) + b"IM", b"PAR1PAR1"],
)
def test_stumps(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"m{ending}"
    path.write_bytes(content)
    refused(path, r"m\.", prefix="_" if ending in (".csv", ".parquet") else None)


def test_external_links_soft_links_and_objects_in_hdf5(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["a"] = np.ones((12, 3))
    for ending in (".mat", ".h5ad", ".h5mu"):
        path = tmp_path / f"m{ending}"
        for link, message in (
            (h5py.ExternalLink(str(secret), "/a"), "/a is an external link"),
            (h5py.SoftLink("/y"), "/a is a soft link"),
        ):
            with h5py.File(path, "w") as file:
                file["a"], file["y"] = link, small_labels()
            refused(path, message)
    with h5py.File(tmp_path / "m.mat", "w") as file:
        layout = h5py.VirtualLayout((12, 3), "f8")
        layout[...] = h5py.VirtualSource(str(secret), "a", (12, 3))
        file.create_virtual_dataset("a", layout)
        file["y"] = small_labels()
    refused(tmp_path / "m.mat", "takes its values from another file")
    with h5py.File(tmp_path / "m.mat", "w") as file:
        file.create_dataset("a", (10**9, 30), "f8", chunks=(1000, 30), compression="gzip")
        file["y"] = small_labels()
    refused(tmp_path / "m.mat", "but the file does not hold them")


def mat5_bytes(**content: object) -> bytes:
    stream = io.BytesIO()
    savemat(stream, content)
    return stream.getvalue()


def test_lying_mat5(tmp_path: Path) -> None:
    path = tmp_path / "m.mat"
    raw = mat5_bytes(a=np.ones((12, 3)), y=small_labels())
    shape = struct.pack("<ii", 12, 3)
    assert raw.count(shape) == 1
    for lie in ((10**9, 3), (12, 10**9), (12, 4), (-1, 3), (2**31 - 1, 2**31 - 1)):
        path.write_bytes(raw.replace(shape, struct.pack("<ii", *lie)))
        refused(path, "claims shape|has an array of shape")
        path.write_bytes(raw[:128] + compressed(raw[128:].replace(shape, struct.pack("<ii", *lie))))
        refused(path, "claims shape|has an array of shape")
    cells = np.empty((1, 2), dtype=object)
    cells[0, 0], cells[0, 1] = np.ones((12, 3)), np.ones((12, 5))
    raw = mat5_bytes(X=cells, y=small_labels())
    shape = struct.pack("<ii", 1, 2)
    path.write_bytes(raw.replace(shape, struct.pack("<ii", 10**9, 1), 1))
    refused(path, "a cell or struct of 1000000000 elements")
    path.write_bytes(mat5_bytes(a=np.ones((12, 3)))[:-40])
    refused(path, "truncated")
    path.write_bytes(b"\0" * 200)
    refused(path, "is not a MATLAB v5 file")


def compressed(body: bytes) -> bytes:
    """Each element of a file packed on its own."""
    result, at = b"", 0
    while at < len(body):
        length = struct.unpack_from("<I", body, at + 4)[0]
        packed = zlib.compress(body[at : at + 8 + length])
        result += struct.pack("<II", 15, len(packed)) + packed
        at += 8 + length
    return result


def test_parquet_of_many_equal_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvgraph.data.importers.limits.BELIEVED_BYTES", 1 << 10)
    monkeypatch.setattr("mvgraph.data.importers.limits.MOST_PACKED", 50)
    rows = 10**6
    pq.write_table(pa.table({"a_0": np.ones(rows), "label": np.zeros(rows, "i1")}), tmp_path / "t.parquet")
    refused(tmp_path / "t.parquet", "the table claims 2000000 bytes, but the file holds", prefix="_")


def test_parquet_of_lists_and_bytes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a_0": [[1.0], [2.0]], "label": [0, 1]}), tmp_path / "t.parquet")
    refused(tmp_path / "t.parquet", "column 'a_0' holds list", prefix="_")


def originals(folder: Path) -> dict[str, bytes]:
    """A good file of every form."""
    views, labels = small_views(), small_labels()
    np.savez(folder / "s.npz", **views, y=labels)
    np.savez_compressed(folder / "c.npz", **views, y=labels)
    cells = np.empty((1, 2), dtype=object)
    cells[0, 0], cells[0, 1] = sparse.csc_matrix(views["a"]), views["b"].T
    savemat(folder / "v5.mat", {"X": cells, "Y": labels, "s": {"t": "text"}}, do_compression=True)
    savemat(folder / "v5p.mat", {"X": cells, "Y": labels, "s": {"t": "text"}})
    write_mat73(
        folder / "v73.mat", {"X": [sparse.csc_matrix(views["a"]), views["b"].T], "Y": labels[:, None]}
    )
    table = {"label": labels, **{f"a_{i}": views["a"][:, i] for i in range(3)}}
    pq.write_table(pa.table(table), folder / "t.parquet")
    (folder / "t.csv").write_text(
        "\n".join([",".join(table), *(",".join(map(str, row)) for row in zip(*table.values(), strict=True))])
    )
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Files(dict[str, bytes]):
    """Says little when a test that was given it fails."""

    def __repr__(self) -> str:
        return f"Files({', '.join(self)})"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(originals(tmp_path_factory.mktemp("good")))


NAMES = ["s.npz", "c.npz", "v5.mat", "v5p.mat", "v73.mat", "t.parquet", "t.csv"]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.none() | st.floats(0, 1),
)
def test_noise(
    good: Files,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    places: list[tuple[float, int]],
    cut: float | None,
) -> None:
    """Bytes changed at random: either the data is still read, or one sentence says why not."""
    raw = bytearray(good[name])
    for at, value in places:
        raw[int(at * (len(raw) - 1))] = value
    if cut is not None:
        raw = raw[: int(cut * len(raw))]
    path = tmp_path_factory.mktemp("noise") / f"m{Path(name).suffix}"
    path.write_bytes(bytes(raw))
    refusal = ""
    tracemalloc.start()
    try:
        data = load(path, prefix="_" if name.startswith("t.") else None).in_memory()
        assert all(np.isfinite(view).all() for view in data.views.values())
    except UserError as error:
        refusal = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert "\n" not in refusal
    assert peak < 4 * LITTLE


def test_the_good_files_are_good(good: Files, tmp_path: Path) -> None:
    for name, content in good.items():
        (tmp_path / name).write_bytes(content)
        assert load(tmp_path / name, prefix="_" if name.startswith("t.") else None).n_samples == 12
