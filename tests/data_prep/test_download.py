"""Downloads from a server on this machine that behaves as badly as the real ones."""

import hashlib
import http.server
import random
import threading

import pytest

from data_prep.download import download
from data_prep.errors import PreparationError

_CONTENT = b"\x1f\x8b" + random.Random(0).randbytes(2_999_998)
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()


class _Server(http.server.ThreadingHTTPServer):
    """Serves `content`; handles each request as `script` says, and correctly after its end."""

    def __init__(self, script=(), content=_CONTENT, version='"one"'):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.content, self.version = list(script), content, version
        self.ranges = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/{{name}}.tar.gz"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *unused):
        pass

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        fault = server.script.pop(0) if server.script else None
        if isinstance(fault, int):
            self.send_response(fault)
            self.send_header("Retry-After", "3")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        if (
            self.headers.get("Range")
            and self.headers.get("If-Range") == server.version
            and fault != "no ranges"
        ):
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(server.content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header(
                "Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}"
            )
        else:
            self.send_response(200)
        body = server.content[start:]
        if server.version:
            self.send_header("ETag", server.version)
        claimed = len(body) + 1_000_000 if fault == "claims too much" else len(body)
        self.send_header("Content-Length", str(claimed))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        self.close_connection = True


@pytest.fixture
def serve():
    servers = []

    def start(*arguments, **options):
        servers.append(_Server(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _download(folder, *servers, sha256=_SHA256, waits=None):
    addresses = tuple(server.address for server in servers)
    wait = (waits if waits is not None else []).append
    return download("edges2shoes", folder, sha256, addresses, wait)


def _only_the_archive(folder):
    return [path.name for path in folder.iterdir()] == ["edges2shoes.tar.gz"]


def test_a_good_server(tmp_path, serve, capsys):
    path = _download(tmp_path, serve(), sha256=None)
    assert path.read_bytes() == _CONTENT and _only_the_archive(tmp_path)
    assert f"3,000,000 bytes, sha256 {_SHA256}" in capsys.readouterr().out


def test_cut_connections_are_resumed_where_they_ended(tmp_path, serve):
    server, waits = serve(["cut", 503, "cut", "cut"]), []
    assert _download(tmp_path, server, waits=waits).read_bytes() == _CONTENT
    starts = [int(line.removeprefix("bytes=").removesuffix("-")) for line in server.ranges[1:]]
    # Half of what was missing came each time, but for less than a chunk.
    for start, sent in zip(starts, (1_500_000, 1_500_000, 2_250_000, 2_625_000), strict=True):
        assert sent - 3 * 65536 < start <= sent
    # After something came, from the shortest pause again; the server itself asked for three
    # seconds.
    assert waits == [1.0, 3.0, 1.0, 1.0] and _only_the_archive(tmp_path)


def test_a_later_run_goes_on_from_what_the_first_left(tmp_path, serve):
    with pytest.raises(PreparationError):
        _download(tmp_path, serve(["cut"] + [503] * 6))
    left = (tmp_path / "edges2shoes.tar.gz.part").stat().st_size
    assert 1_400_000 < left <= 1_500_000
    server = serve()
    assert _download(tmp_path, server).read_bytes() == _CONTENT
    assert server.ranges == [f"bytes={left}-"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(tmp_path, serve):
    with pytest.raises(PreparationError):
        _download(
            tmp_path, serve(["cut"] + [503] * 6, content=_CONTENT[:1_000_000], version='"old"')
        )
    assert _download(tmp_path, serve()).read_bytes() == _CONTENT


def test_a_server_without_ranges_or_versions_starts_over(tmp_path, serve):
    assert _download(tmp_path, serve(["cut", "no ranges"])).read_bytes() == _CONTENT
    server = serve(["cut"], version="")
    assert _download(tmp_path / "other", server).read_bytes() == _CONTENT
    assert server.ranges == [None, None]


def test_a_part_that_was_whole_is_taken(tmp_path, serve):
    (tmp_path / "edges2shoes.tar.gz.part").write_bytes(_CONTENT)
    (tmp_path / "edges2shoes.tar.gz.part.version").write_text('"one"')
    assert _download(tmp_path, serve()).read_bytes() == _CONTENT and _only_the_archive(tmp_path)


def test_a_server_that_lies_about_the_length_is_asked_again(tmp_path, serve):
    """It declares more than it sends: only the next answer shows that the file is complete."""
    server = serve(["claims too much"])
    assert _download(tmp_path, server).read_bytes() == _CONTENT
    assert server.ranges == [None, "bytes=3000000-"]


def test_back_off_grows_and_ends_and_the_next_address_is_tried(tmp_path, serve, capsys):
    waits = []
    bad, good = serve([500] * 6), serve()
    assert _download(tmp_path, bad, good, waits=waits).read_bytes() == _CONTENT
    assert waits == [3.0, 3.0, 4.0, 8.0, 16.0]
    assert "HTTP 500, 6 times in a row" in capsys.readouterr().out


def test_when_all_fails_it_says_what_to_do_by_hand(tmp_path, serve):
    missing, gone = serve([404]), serve([410])
    with pytest.raises(PreparationError) as error:
        _download(tmp_path, missing, gone)
    for words in (
        "HTTP 404",
        "HTTP 410",
        missing.address.format(name="edges2shoes"),
        f"put it into {tmp_path}",
    ):
        assert words in str(error.value)


def test_an_address_nobody_listens_at(tmp_path, serve):
    server = serve()
    server.shutdown()
    server.server_close()
    with pytest.raises(PreparationError, match="refused, 6 times in a row"):
        _download(tmp_path, server)


def test_another_file_than_was_meant_is_refused(tmp_path, serve):
    with pytest.raises(PreparationError, match=f"sha256 {_SHA256}, not 00"):
        _download(tmp_path, serve(), sha256="00")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_fetched_again(tmp_path, serve, capsys):
    (tmp_path / "edges2shoes.tar.gz").write_bytes(b"mine")
    server = serve()
    assert _download(tmp_path, server, sha256=None).read_bytes() == b"mine" and not server.ranges
    with pytest.raises(PreparationError, match="not the expected file"):
        _download(tmp_path, server)


def test_a_page_of_text_or_another_kind_of_file_is_not_taken(tmp_path, serve):
    """Such as a login page; the next address is tried, and what the first sent before stays."""
    with pytest.raises(PreparationError):
        _download(tmp_path, serve(["cut"] + [503] * 6))
    part = tmp_path / "edges2shoes.tar.gz.part"
    left = part.read_bytes()
    page = serve(content=b"<html>Please log in</html>", version='"page"')
    with pytest.raises(PreparationError, match="not an archive of this kind"):
        _download(tmp_path, serve([404]), page)
    assert part.read_bytes() == left
    assert _download(tmp_path, page, serve()).read_bytes() == _CONTENT and _only_the_archive(
        tmp_path
    )
