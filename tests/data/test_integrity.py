"""Sums of cached files: every flipped bit is noticed, and what is damaged is kept apart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mvgraph.data.integrity import first_damaged, is_damaged, is_intact, seal, set_aside, sums_of


def flip(path: Path, position: int, bit: int = 0) -> None:
    """Flip one bit of a file in place."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "values"
    path.write_bytes(bytes(range(16)))
    sums = sums_of(tmp_path, ["values"])
    assert first_damaged(tmp_path, sums) is None
    for position in range(16):
        for bit in range(8):
            flip(path, position, bit)
            assert first_damaged(tmp_path, sums) == "values"
            flip(path, position, bit)
    assert first_damaged(tmp_path, sums) is None
    path.unlink()
    assert first_damaged(tmp_path, sums) == "values"


def test_a_seal_is_what_sha256sum_reads(tmp_path: Path) -> None:
    path = tmp_path / "a b.h5"
    path.write_bytes(b"content")
    assert not is_intact(path)
    assert not is_damaged(path)
    seal(path)
    assert is_intact(path)
    try:
        done = subprocess.run(["sha256sum", "--check", "a b.h5.sha256"], cwd=tmp_path, capture_output=True)
        assert done.returncode == 0
    except FileNotFoundError:
        pass
    flip(path, 3)
    assert is_damaged(path)
    assert not is_intact(path)


def test_what_is_damaged_is_kept_with_its_seal_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"first", b"second"):
        path = tmp_path / "a.h5"
        path.write_bytes(content)
        seal(path)
        assert set_aside(path, "The file") == tmp_path / "damaged" / "a.h5"
        assert not path.exists()
    assert (tmp_path / "damaged" / "a.h5").read_bytes() == b"second"
    assert (tmp_path / "damaged" / "a.h5.sha256").is_file()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "part").write_bytes(b"x")
    set_aside(tmp_path / "b", "The folder")
    assert (tmp_path / "damaged" / "b" / "part").read_bytes() == b"x"
    set_aside(tmp_path / "b", "The folder")  # another process was faster
    assert (tmp_path / "damaged" / "a.h5").is_file()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0] == f"mvgraph: The file is damaged; it is kept in {tmp_path / 'damaged'} and made again."
