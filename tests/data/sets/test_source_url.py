"""Files at an address, from a server of our own on this machine."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import digest

from mvgraph.data.cache import cache_folder
from mvgraph.data.source_url import Url
from mvgraph.errors import UserError

DATA = bytes(range(256)) * 2000


class Server(http.server.ThreadingHTTPServer):
    """Sends DATA under /good; breaks off in the middle as often as `breaks` says."""

    breaks = 0
    ranges = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str | None] = []

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if not self.path.startswith("/good"):
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        self.server.seen.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        rest = DATA[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            self.wfile.write(rest[: len(rest) // 2])
            self.close_connection = True
            return
        self.wfile.write(rest)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("MVGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_fetched_once(server: Server) -> None:
    url = Url(f"{server.root}/good/set.zip?download=1", digest(DATA))
    path = url.fetch()
    assert path.read_bytes() == DATA
    assert path.parent == cache_folder() / "urls"
    assert url.fetch() == path
    assert server.seen == [None]
    assert url.file_name == "set.zip"


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_transfer_is_continued(server: Server, ranges: bool) -> None:
    server.breaks, server.ranges = 1, ranges
    assert Url(f"{server.root}/good", digest(DATA)).fetch().read_bytes() == DATA
    assert server.seen == [None, f"bytes={len(DATA) // 2}-"]


def test_half_a_file_of_an_earlier_process_is_completed(server: Server) -> None:
    folder = cache_folder() / "urls"
    folder.mkdir(parents=True)
    (folder / f"{digest(DATA)}.part").write_bytes(DATA[:1000])
    assert Url(f"{server.root}/good", digest(DATA)).fetch().read_bytes() == DATA
    assert server.seen == ["bytes=1000-"]


def test_another_file_is_refused_and_not_kept(server: Server) -> None:
    with pytest.raises(UserError, match="is not the file that is known: its SHA-256 is not"):
        Url(f"{server.root}/good", "0" * 64).fetch()
    assert [path for path in (cache_folder() / "urls").iterdir() if path.is_file()] == []


def test_refused_and_unreachable(server: Server) -> None:
    with pytest.raises(UserError, match="the server says 404"):
        Url(f"{server.root}/none", digest(DATA)).fetch()
    with pytest.raises(UserError, match=r"cannot be fetched .*is this machine offline"):
        Url("http://127.0.0.1:9/good", digest(DATA)).fetch()
    server.breaks = 9
    with pytest.raises(UserError, match="cannot be fetched"):
        Url(f"{server.root}/good", digest(DATA)).fetch()


def test_addresses_and_hashes_that_are_none() -> None:
    with pytest.raises(UserError, match="not an address of the web"):
        Url("file:///etc/passwd", "0" * 64)
    with pytest.raises(UserError, match="not a SHA-256"):
        Url("https://example.org/a", "abc")
