"""The client: what it sends, and what it makes of any answer."""

import base64
import contextlib
import gzip
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from discogan_tf.errors import ServingError
from discogan_tf.serving.app import Limits
from discogan_tf.serving.client import create_client, read_for_server


def _client(*arguments, env=None):
    command = [sys.executable, "-m", "discogan_tf.serving.client", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=env)


def test_client_command(server, tmp_path):
    image = tmp_path / "bag.jpg"
    Image.new("RGB", (90, 50), (180, 30, 40)).save(image)
    common = ("--url", server.url, "--direction", "handbags2shoes")
    done = _client(*common, image, "-o", tmp_path / "out" / "shoe.png")
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "out" / "shoe.png").size == (32, 32)
    second = tmp_path / "other.png"
    Image.new("L", (10, 90)).save(second)
    done = _client(*common, image, second, "-o", tmp_path / "several")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "several").iterdir()} == {"bag.png", "other.png"}
    (tmp_path / "latin").mkdir()
    strange = os.fsencode(tmp_path / "latin") + b"/H\xfcte.jpg"
    shutil.copy(image, strange)
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    done = _client(*common, tmp_path / "latin", "-o", tmp_path / "named", env=environment)
    assert done.returncode == 0 and r"H\udcfcte.png" in done.stdout
    assert len(list((tmp_path / "named").iterdir())) == 1
    for arguments, reason in (
        ((*common, tmp_path / "absent.jpg"), "absent.jpg"),
        ((*common, __file__, "-o", tmp_path / "x.png"), "not a JPEG, PNG, GIF or WebP"),
        ((*common, second, "-o", second), "would be overwritten"),
        ((*common[:3], "bags2boots", image), "serves no model bags2boots"),
        ((*common[:2], image), "give --direction=both, or one of: handbags2shoes, shoes2handbags"),
        ((*common, image, second, "-o", tmp_path / "x.png"), "name a folder"),
        ((*common, image, "-o", tmp_path / "x.jpg"), "the result is a PNG file. Name it x.png"),
        ((*common, image, second, "-o", tmp_path), "other.png would be overwritten"),
        ((*common, tmp_path, "-o", tmp_path / "in"), "is within"),
        ((*common, "--version=9", image), "no version 9 of handbags2shoes; it has 1"),
        (("--url=localhost:1", *common[2:], image), "must look like http://"),
        (("--url=http://localhost:1", "--retries=0", *common[2:], image), "is it running?"),
    ):
        failed = _client(*arguments)
        assert failed.returncode == 1 and reason in failed.stderr, failed.stderr
        assert "Traceback" not in failed.stderr


def test_the_client_takes_folders_and_both_directions(server, tmp_path):
    for name in ("bag.jpg", "inner/bag.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (90, 45), (180, 30, 40)).save(tmp_path / "photos" / name)
    output = tmp_path / "out"
    done = _client(
        "--url", server.url, "--direction=both", "--side_by_side", tmp_path / "photos", "-o", output
    )
    assert done.returncode == 0, done.stderr
    found = {str(path.relative_to(output)) for path in output.rglob("*.png")}
    assert found == {
        f"{direction}/{name}"
        for direction in ("handbags2shoes", "shoes2handbags")
        for name in ("bag.png", "inner/bag.png")
    }
    with Image.open(output / "handbags2shoes" / "bag.png") as both:
        assert both.size == (64 + 32, 32) and both.getpixel((5, 5))[0] > 150


def test_the_client_converts_only_what_the_graph_does_not_read(tmp_path):
    for name, options in {"a.jpg": {}, "b.png": {}, "d.webp": {}}.items():
        Image.new("RGB", (20, 10), "red").save(tmp_path / name, **options)
        assert read_for_server(tmp_path / name) == (tmp_path / name).read_bytes()
    frames = [Image.new("RGB", (20, 10), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "animated.webp", save_all=True, append_images=frames[1:])
    Image.new("1", (6000, 6000)).save(tmp_path / "large.png")
    for name, size in {
        "c.gif": (20, 10),
        "e.bmp": (20, 10),
        "f.avif": (20, 10),
        "g.heic": (20, 10),
    }.items():
        if name == "g.heic":
            pytest.importorskip("pillow_heif").register_heif_opener()
        Image.new("RGB", size, "red").save(tmp_path / name)
    expected = {
        "animated.webp": (20, 10), "large.png": (3000, 3000), "c.gif": (20, 10), "e.bmp": (20, 10),
        "f.avif": (20, 10), "g.heic": (20, 10),
    }  # fmt: skip
    for name, size in expected.items():
        with Image.open(io.BytesIO(read_for_server(tmp_path / name))) as image:
            assert image.format == "PNG" and image.size == size, name
            if name != "large.png":
                assert image.getpixel((0, 0))[0] > 240


def test_the_client_makes_files_small_enough_for_the_server(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (3100, 3100, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png", compress_level=0)
    sent = read_for_server(tmp_path / "noise.png")
    assert len(base64.b64encode(sent)) < Limits().max_body_bytes
    with Image.open(io.BytesIO(sent)) as image:
        assert image.size == (1550, 1550)


def _http(body: bytes, status="200 OK", headers="") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


# Bodies that are no outputs, and what is no image.
_NO_OUTPUTS = (
    b"<html>", b"", b"[" * 100_000, b"{}", b'{"outputs": null}', b'{"outputs": 5}',
    b'{"outputs": [{"b64": 5}]}', b'{"outputs": [{"b64": "%"}]}', b'{"outputs": [{"b32": ""}]}',
    b'{"outputs": [[1], [1, 2]]}', b'{"outputs": {"image_bytes": {"a": 1}}}',
)  # fmt: skip
_NO_IMAGES = (
    b'{"outputs": [{"b64": ""}]}', b'{"outputs": [{"b64": "R0lGODlh"}]}', b'{"outputs": [0.5]}',
)  # fmt: skip
_TOO_FEW = (b'{"outputs": {"images": []}}', b'{"outputs": []}')
_ANSWERS = [
    *((_http(body), "answered something else") for body in _NO_OUTPUTS),
    *((_http(body), "not a PNG image") for body in _NO_IMAGES),
    *((_http(body), "sent 0 images, 1 were requested") for body in _TOO_FEW),
    (_http(b"", "307 Moved", "Location: http://127.0.0.1:1/\r\n"), "is not followed"),
    (_http(gzip.compress(bytes(1 << 20)), headers="Content-Encoding: gzip\r\n"), "compresses"),
    (_http(b'{"error": "\\u001b[2Jgone"}', "400 Bad"), "answered 400: ?[2Jgone"),
    (_http(b"\x1b[2J", "500 Bad"), "answered 500: ?[2J"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "http://127.0.0.1"),
    (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(70 << 20), "more than 64 MiB"),
    (b"nonsense\r\n\r\n", "is it running?"),
    (_http(b'{"error": "x"}', "404 Not Found"), "serves no model"),
]


@pytest.mark.parametrize(
    ("answer", "reason"), _ANSWERS, ids=[f"{i} {reason}" for i, (_, reason) in enumerate(_ANSWERS)]
)
def test_the_client_survives_any_answer(answer, reason):
    client = create_client(_Scripted(*[answer] * 3).url, timeout_secs=5, retries=0)
    with pytest.raises(ServingError, match=re.escape(reason)) as raised:
        client.translate("handbags2shoes", [b""])
    assert "\x1b" not in str(raised.value) and len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    "versions", [{"../../etc": 1}, {"/elsewhere": 1}, {"\x1b[31m": 1}, [1, 2], {"": 1}]
)
def test_names_of_a_server_never_become_paths(versions, tmp_path):
    client = _Scripted(*[(200, {"versions": versions})] * 9)
    done = _client("--url", client.url, "--direction=both", "--retries=0", __file__, "-o", tmp_path)
    assert done.returncode == 1 and "give --direction" in done.stderr
    assert "\x1b" not in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_one_bad_file_does_not_stop_a_folder(server, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.db").write_bytes(b"no image")
    (tmp_path / "in" / "a.png").symlink_to("/proc/self/mem")  # Reading it fails.
    Image.new("RGB", (20, 10), "red").save(tmp_path / "in" / "b.png")
    done = _client(
        "--url", server.url, "--direction=handbags2shoes", tmp_path / "in", "-o", tmp_path / "out"
    )
    assert done.returncode == 1 and "a.db" in done.stderr and "a.png: [Errno" in done.stderr
    assert (tmp_path / "out" / "b.png").is_file()


def test_the_client_ends_when_a_server_answers_byte_by_byte():
    started = time.monotonic()
    with pytest.raises(ServingError, match="did not answer within"):
        create_client(_Scripted("drip").url, timeout_secs=0.5, retries=0).translate("a", [b""])
    assert time.monotonic() - started < 8


class _Scripted:
    """A server that answers each connection with the next of some answers.

    An answer is bytes to send as they are, status and content of an error or of outputs, "drip" for
    headers that come a byte at a time, or None for silence.
    """

    def __init__(self, *answers):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._serve, args=(answers,), daemon=True).start()

    def _serve(self, answers):
        for answer in answers:
            connection, _ = self._socket.accept()
            self.connections += 1
            with connection:
                self._read_request(connection)
                if answer is None:
                    time.sleep(3)
                    continue
                if answer == "drip":
                    with contextlib.suppress(OSError):
                        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Filler: x\r\n" * 9:
                            connection.sendall(bytes([byte]))
                            time.sleep(0.1)
                    continue
                if isinstance(answer, bytes):
                    with contextlib.suppress(OSError):
                        connection.sendall(answer)
                    continue
                status, content = answer
                body = json.dumps(content).encode()
                head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n"
                head += "Connection: close\r\n\r\n"
                connection.sendall(head.encode() + body)

    @staticmethod
    def _read_request(connection):
        """All of it: closing a connection with unread data resets it, and the answer is lost."""
        with connection.makefile("rb") as request:
            length = 0
            while (line := request.readline()).strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            request.read(length)


def test_the_client_tries_again_what_may_pass():
    scripted = _Scripted(
        (503, {"error": "starting"}), (503, {"error": "starting"}), (200, {"outputs": [0.5]})
    )
    inputs = {"images": np.zeros((1, 2), np.float32)}
    answer = create_client(scripted.url, retries=3).predict("m", "serving_default", inputs)
    assert answer["translated"].tolist() == [0.5] and scripted.connections == 3
    scripted = _Scripted((503, {"error": "starting"}), (503, {"error": "starting"}))
    with pytest.raises(ServingError, match="answered 503: starting"):
        create_client(scripted.url, retries=1).predict("m", "serving_default", inputs)


def test_the_client_does_not_wait_for_ever_nor_repeat_what_took_too_long():
    scripted = _Scripted(None, None)
    started = time.monotonic()
    with pytest.raises(ServingError, match=r"did not answer within 0\.5 s"):
        create_client(scripted.url, timeout_secs=0.5, retries=3).predict("m", "s", {})
    assert time.monotonic() - started < 2 and scripted.connections == 1
