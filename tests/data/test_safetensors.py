"""The safetensors format: round trips, the reference package, and files that lie."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mvgraph.data.safetensors import read_tensors, write_tensors
from mvgraph.errors import UserError

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
]  # fmt: skip


def examples() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    found = {
        f"odd {str(dtype).removeprefix('torch.')}": (100 * torch.rand(3, 1, generator=generator)).to(dtype)
        for dtype in DTYPES
    }
    return {
        **found,
        "scalar": torch.tensor(1.5),
        "empty": torch.zeros(0, 4),
        "layers.0.weight/ü": torch.randn(5, 7, generator=generator).T,
        "nan": torch.tensor([float("nan"), float("inf"), -0.0]),
    }


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert found[name].shape == value.shape, name
        assert torch.equal(found[name].nan_to_num(7), value.nan_to_num(7)), name


# -- against the safetensors package ------------------------------------------------------------


def test_the_package_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "ours.safetensors"
    write_tensors(examples(), path, {"made by": "mvgraph"})
    same(safetensors.torch.load_file(path), examples())
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"made by": "mvgraph"}


def test_we_read_what_the_package_writes(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    contiguous = {name: value.contiguous() for name, value in examples().items()}
    safetensors.torch.save_file(contiguous, path, {"made by": "safetensors"})
    same(read_tensors(path), examples())


def test_what_is_read_can_be_written_to(tmp_path: Path) -> None:
    write_tensors({"a": torch.zeros(3), "b": torch.ones(3)}, tmp_path / "t")
    found = read_tensors(tmp_path / "t")
    found["a"] += 5
    assert found["b"].tolist() == [1, 1, 1]


# -- files that lie -----------------------------------------------------------------------------


def raw(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def one(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


BROKEN = {
    "empty": b"",
    "shorter than the length": b"\x01\x00",
    "length beyond the file": struct.pack("<Q", 1000) + b"{}",
    "length beyond reason": struct.pack("<Q", 2**63) + b"{}",
    "no JSON": raw(b"{nope"),
    "not UTF-8": raw(b"\xff\xfe{}"),
    "a list": raw([]),
    "a number": raw(5),
    "nested beyond depth": raw(b"[" * 100_000),
    "entry is a list": raw({"a": []}),
    "unknown type": raw(one("F99"), bytes(8)),
    "type is a list": raw(one(["F32"]), bytes(8)),
    "no shape": raw({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, bytes(8)),
    "shape too large": raw(one(shape=(3,)), bytes(8)),
    "shape too small": raw(one(shape=(1,)), bytes(8)),
    "negative shape": raw(one(shape=(-1, -2)), bytes(8)),
    "fractional shape": raw(one(shape=(2.0,)), bytes(8)),
    "boolean shape": raw(one("U8", (True,), (0, 1)), bytes(1)),
    "huge shape": raw(one(shape=(2**62, 4)), bytes(8)),
    "offsets backwards": raw(one(offsets=(8, 0)), bytes(8)),
    "offsets beyond the end": raw(one(offsets=(0, 16), shape=(4,)), bytes(8)),
    "three offsets": raw(one(offsets=(0, 4, 8)), bytes(8)),
    "half a number": raw(one(offsets=(0, 7)), bytes(7)),
    "bytes left over": raw(one(), bytes(12)),
    "a gap before": raw(one(offsets=(4, 12)), bytes(12)),
    "an overlap": raw({**one(), "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, bytes(12)),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_damaged_files_are_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged.safetensors is not a whole safetensors file") as caught:
        read_tensors(path)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_cut_or_flipped_byte_of_the_header_is_refused_or_read_whole(data: st.DataObject) -> None:
    """Nothing but a UserError ever comes out, and a file cut short is always noticed."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.safetensors"
        write_tensors({"w": torch.arange(6.0).view(2, 3), "b": torch.ones(2)}, path)
        content = bytearray(path.read_bytes())
        if data.draw(st.booleans()):
            content = content[: data.draw(st.integers(0, len(content) - 1))]
            path.write_bytes(bytes(content))
            with pytest.raises(UserError):
                read_tensors(path)
            return
        at = data.draw(st.integers(0, len(content) - 33))  # the last 32 bytes are numbers; any is valid
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(bytes(content))
        try:
            found = read_tensors(path)
        except UserError:
            return
        assert sum(value.numel() * value.itemsize for value in found.values()) == 32


def test_missing_file_and_unknown_type(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        read_tensors(tmp_path / "nowhere")
    with pytest.raises(
        UserError, match=r"Tensor 'z' of type torch.complex64 cannot be written to c.safetensors"
    ):
        write_tensors({"z": torch.zeros(1, dtype=torch.complex64)}, tmp_path / "c.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.safetensors"
    write_tensors({"a": torch.ones(2)}, path)

    def full(source: object, target: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        write_tensors({"a": torch.zeros(2)}, path)
    assert read_tensors(path)["a"].tolist() == [1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["t.safetensors"]
